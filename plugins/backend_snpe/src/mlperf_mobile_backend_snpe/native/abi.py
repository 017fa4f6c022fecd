"""The C interface of SNPE 2: functions, and the numbers that their enumerations stand for.

Declarations are those of the headers of SNPE 2 published in 2023 (``SNPE/SNPE.h``, ``SNPE/SNPEBuilder.h``,
``SNPE/SNPEUtil.h``, ``DlContainer/DlContainer.h``, ``DlSystem/*.h``, ``DiagLog/*.h``), compared with the later headers
of QAIRT where those are public, and with the calls of mobile_app_open v6.0, which is built with QAIRT 2.45.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import Any

TYPES: Mapping[str, Any] = {
    "p": ctypes.c_void_p,
    "s": ctypes.c_char_p,
    "i": ctypes.c_int,
    "z": ctypes.c_size_t,
    "f": ctypes.c_float,
    "b": ctypes.c_bool,
    "B": ctypes.c_uint8,
    "Q": ctypes.c_uint64,
    "v": None,
}
"""C types by letter; ``p`` is a handle, ``i`` an int, an enumeration or an error code."""

REQUIRED: Mapping[str, str] = {
    "Util_GetLibraryVersion": ":p",
    "Util_IsRuntimeAvailable": "i:i",
    "Util_CreateUserBuffer": "pzpp:p",
    "DlVersion_GetMajor": "p:i",
    "DlVersion_ToString": "p:s",
    "DlVersion_Delete": "p:i",
    "ErrorCode_GetLastErrorString": ":s",
    "DlContainer_Open": "s:p",
    "DlContainer_Delete": "p:i",
    "RuntimeList_Create": ":p",
    "RuntimeList_Add": "pi:i",
    "RuntimeList_Delete": "p:i",
    "StringList_Create": ":p",
    "StringList_Append": "ps:i",
    "StringList_Size": "p:z",
    "StringList_At": "pz:s",
    "StringList_Delete": "p:i",
    "TensorShape_CreateDimsSize": "pz:p",
    "TensorShape_Rank": "p:z",
    "TensorShape_At": "pz:z",
    "TensorShape_Delete": "p:i",
    "IBufferAttributes_GetDims": "p:p",
    "IBufferAttributes_GetEncodingType": "p:i",
    "IBufferAttributes_GetEncoding_Ref": "p:p",
    "IBufferAttributes_Delete": "p:i",
    "UserBufferEncodingFloat_Create": ":p",
    "UserBufferEncodingFloat_Delete": "p:i",
    "UserBufferEncodingTfN_Create": "QfB:p",
    "UserBufferEncodingTfN_GetStepExactly0": "p:Q",
    "UserBufferEncodingTfN_GetQuantizedStepSize": "p:f",
    "UserBufferEncodingTfN_Delete": "p:i",
    "IUserBuffer_Delete": "p:i",
    "UserBufferMap_Create": ":p",
    "UserBufferMap_Add": "psp:i",
    "UserBufferMap_Delete": "p:i",
    "SNPEBuilder_Create": "p:p",
    "SNPEBuilder_SetRuntimeProcessorOrder": "pp:i",
    "SNPEBuilder_SetPerformanceProfile": "pi:i",
    "SNPEBuilder_SetExecutionPriorityHint": "pi:i",
    "SNPEBuilder_SetUseUserSuppliedBuffers": "pi:i",
    "SNPEBuilder_Build": "p:p",
    "SNPEBuilder_Delete": "p:i",
    "SNPE_GetInputTensorNames": "p:p",
    "SNPE_GetOutputTensorNames": "p:p",
    "SNPE_GetInputOutputBufferAttributes": "ps:p",
    "SNPE_ExecuteUserBuffers": "ppp:i",
    "SNPE_Delete": "p:i",
}
"""Functions without ``Snpe_``, as ``"arguments:result"``; without one of these nothing works."""

OPTIONAL: Mapping[str, str] = {
    "ErrorCode_getLastErrorCode": ":i",
    "Util_IsRuntimeAvailableCheckOption": "ii:i",
    "Util_InitializeLogging": "i:i",
    "DlContainer_Save": "ps:i",
    "SNPEBuilder_SetProfilingLevel": "pi:i",
    "SNPEBuilder_SetOutputLayers": "pp:i",
    "SNPEBuilder_SetOutputTensors": "pp:i",
    "SNPEBuilder_SetInitCacheMode": "pi:i",
    "SNPEBuilder_SetInputDimensions": "pp:i",
    "SNPEBuilder_SetCpuFixedPointMode": "pb:i",
    "SNPEBuilder_SetPlatformConfig": "pp:i",
    "PlatformConfig_Create": ":p",
    "PlatformConfig_SetPlatformOptions": "ps:i",
    "PlatformConfig_Delete": "p:i",
    "TensorShapeMap_Create": ":p",
    "TensorShapeMap_Add": "psp:i",
    "TensorShapeMap_Delete": "p:i",
    "UserBufferEncodingFloatN_Create": "B:p",
    "UserBufferEncodingFloatN_Delete": "p:i",
    "UserBufferEncodingUnsigned8Bit_Create": ":p",
    "UserBufferEncodingUnsigned8Bit_Delete": "p:i",
    "UserBufferEncodingIntN_Create": "B:p",
    "UserBufferEncodingIntN_Delete": "p:i",
    "UserBufferEncodingUintN_Create": "B:p",
    "UserBufferEncodingUintN_Delete": "p:i",
    "UserBufferEncodingBool_Create": "B:p",
    "UserBufferEncodingBool_Delete": "p:i",
    "SNPE_GetDiagLogInterface_Ref": "p:p",
    "IDiagLog_GetOptions": "p:p",
    "IDiagLog_SetOptions": "pp:i",
    "IDiagLog_Start": "p:i",
    "IDiagLog_Stop": "p:i",
    "Options_SetLogFileDirectory": "ps:v",
    "Options_Delete": "p:i",
}
"""Functions that only some options or models need."""

RUNTIMES: Mapping[str, int] = {"cpu": 0, "gpu": 1, "dsp": 2, "gpu_float16": 3, "aip": 5}
"""Snpe_Runtime_t of DlEnums.h."""

UNSIGNED_PD_CHECK = 2
"""SNPE_RUNTIME_CHECK_OPTION_UNSIGNEDPD_CHECK of DlEnums.h: what an app without a signature may use."""

PERFORMANCE_PROFILES: Mapping[str, int] = {
    "balanced": 0,
    "high_performance": 1,
    "power_saver": 2,
    "system_settings": 3,
    "sustained_high_performance": 4,
    "burst": 5,
    "low_power_saver": 6,
    "high_power_saver": 7,
    "low_balanced": 8,
    "extreme_power_saver": 9,
}
"""Snpe_PerformanceProfile_t of DlEnums.h."""

PROFILING_LEVELS: Mapping[str, int] = {"off": 0, "basic": 1, "detailed": 2, "moderate": 3, "linting": 4}
"""Snpe_ProfilingLevel_t of DlEnums.h."""

PRIORITIES: Mapping[str, int] = {"normal": 0, "high": 1, "low": 2, "normal_high": 3}
"""Snpe_ExecutionPriorityHint_t of DlEnums.h."""

LOG_LEVELS: Mapping[str, int] = {"fatal": 0, "error": 1, "warn": 2, "info": 3, "verbose": 4}
"""Snpe_LogLevel_t of DlEnums.h."""

ELEMENTS: Mapping[str, int] = {
    "float32": 1,
    "unsigned8": 2,
    "float16": 3,
    "tf8": 10,
    "tf16": 11,
    "int32": 12,
    "uint32": 13,
    "int8": 14,
    "uint8": 15,
    "int16": 16,
    "uint16": 17,
    "bool8": 18,
    "int64": 19,
    "uint64": 20,
}
"""Snpe_UserBufferEncoding_ElementType_t of IUserBuffer.h."""

DAMAGED = range(300, 400)
"""SNPE_ERRORCODE_DLCONTAINER_* of DlError.h: the container or the model in it cannot be read."""

UNSUPPORTED = frozenset(
    {
        *range(600, 604),  # CPU_LAYER_*
        605,  # CPU_NETWORK_NOT_SUPPORTED
        *range(700, 703),  # CPU_FXP_LAYER_*
        *range(800, 804),  # GPU_LAYER_*
        *range(900, 904),  # DSP_LAYER_*
        *range(1000, 1011),  # MODEL_VALIDATION_*, among them LAYER_COULD_NOT_BE_ASSIGNED
        *range(1400, 1404),  # AIP_LAYER_*
    }
)
"""Codes of DlError.h that say: the runtimes asked for cannot run an operation of the model."""

LOST = frozenset({908, 910, 911, 1408, 1410})
"""Codes of DlError.h that say: the accelerator crashed or does not answer any more."""
