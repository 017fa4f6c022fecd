"""The C interface of SNPE 2: functions, and the numbers that their enumerations stand for.

Declarations are those of the headers of SNPE 2 published in 2023 (``SNPE/SNPE.h``, ``SNPE/SNPEBuilder.h``,
``SNPE/SNPEUtil.h``, ``DlContainer/DlContainer.h``, ``DlSystem/*.h``, ``DiagLog/*.h``), compared with the later headers
of QAIRT where those are public, and with the calls of mobile_app_open v6.0, which is built with QAIRT 2.45.
"""

from __future__ import annotations

from collections.abc import Mapping

REQUIRED: Mapping[str, str] = {
    "Util_GetLibraryVersion": " p",
    "Util_IsRuntimeAvailable": "i",
    "Util_CreateUserBuffer": "pzpp p",
    "DlVersion_GetMajor": "p",
    "DlVersion_ToString": "p s",
    "DlVersion_Delete": "p",
    "ErrorCode_GetLastErrorString": " s",
    "DlContainer_Open": "s p",
    "DlContainer_Delete": "p",
    "RuntimeList_Create": " p",
    "RuntimeList_Add": "pi",
    "RuntimeList_Delete": "p",
    "StringList_Create": " p",
    "StringList_Append": "ps",
    "StringList_Size": "p z",
    "StringList_At": "pz s",
    "StringList_Delete": "p",
    "TensorShape_CreateDimsSize": "pz p",
    "TensorShape_Rank": "p z",
    "TensorShape_At": "pz z",
    "TensorShape_Delete": "p",
    "IBufferAttributes_GetDims": "p p",
    "IBufferAttributes_GetEncodingType": "p",
    "IBufferAttributes_GetEncoding_Ref": "p p",
    "IBufferAttributes_Delete": "p",
    "UserBufferEncodingFloat_Create": " p",
    "UserBufferEncodingFloat_Delete": "p",
    "UserBufferEncodingTfN_Create": "QfB p",
    "UserBufferEncodingTfN_GetStepExactly0": "p Q",
    "UserBufferEncodingTfN_GetQuantizedStepSize": "p f",
    "UserBufferEncodingTfN_Delete": "p",
    "IUserBuffer_Delete": "p",
    "UserBufferMap_Create": " p",
    "UserBufferMap_Add": "psp",
    "UserBufferMap_Delete": "p",
    "SNPEBuilder_Create": "p p",
    "SNPEBuilder_SetRuntimeProcessorOrder": "pp",
    "SNPEBuilder_SetPerformanceProfile": "pi",
    "SNPEBuilder_SetExecutionPriorityHint": "pi",
    "SNPEBuilder_SetUseUserSuppliedBuffers": "pi",
    "SNPEBuilder_Build": "p p",
    "SNPEBuilder_Delete": "p",
    "SNPE_GetInputTensorNames": "p p",
    "SNPE_GetOutputTensorNames": "p p",
    "SNPE_GetInputOutputBufferAttributes": "ps p",
    "SNPE_ExecuteUserBuffers": "ppp",
    "SNPE_Delete": "p",
}
"""Functions without ``Snpe_``, as :class:`mlperf_mobile_native_libraries.functions.Functions` takes them; without one
of these nothing works."""

OPTIONAL: Mapping[str, str] = {
    "ErrorCode_getLastErrorCode": "",
    "Util_IsRuntimeAvailableCheckOption": "ii",
    "Util_InitializeLogging": "i",
    "DlContainer_Save": "ps",
    "SNPEBuilder_SetProfilingLevel": "pi",
    "SNPEBuilder_SetOutputLayers": "pp",
    "SNPEBuilder_SetOutputTensors": "pp",
    "SNPEBuilder_SetInitCacheMode": "pi",
    "SNPEBuilder_SetInputDimensions": "pp",
    "SNPEBuilder_SetCpuFixedPointMode": "pb",
    "SNPEBuilder_SetPlatformConfig": "pp",
    "PlatformConfig_Create": " p",
    "PlatformConfig_SetPlatformOptions": "ps",
    "PlatformConfig_Delete": "p",
    "TensorShapeMap_Create": " p",
    "TensorShapeMap_Add": "psp",
    "TensorShapeMap_Delete": "p",
    "UserBufferEncodingFloatN_Create": "B p",
    "UserBufferEncodingFloatN_Delete": "p",
    "UserBufferEncodingUnsigned8Bit_Create": " p",
    "UserBufferEncodingUnsigned8Bit_Delete": "p",
    "UserBufferEncodingIntN_Create": "B p",
    "UserBufferEncodingIntN_Delete": "p",
    "UserBufferEncodingUintN_Create": "B p",
    "UserBufferEncodingUintN_Delete": "p",
    "UserBufferEncodingBool_Create": "B p",
    "UserBufferEncodingBool_Delete": "p",
    "SNPE_GetDiagLogInterface_Ref": "p p",
    "IDiagLog_GetOptions": "p p",
    "IDiagLog_SetOptions": "pp",
    "IDiagLog_Start": "p",
    "IDiagLog_Stop": "p",
    "Options_SetLogFileDirectory": "ps v",
    "Options_Delete": "p",
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
"""Codes of DlError.h: the selected runtimes cannot run an operation of the model."""

LOST = frozenset({908, 910, 911, 1408, 1410})
"""Codes of DlError.h: the accelerator crashed or no longer responds."""
