"""Since which feature level each symbol of libneuralnetworks.so exists; those that are not named came with level 1."""

from __future__ import annotations

# runtime/libneuralnetworks.map.txt of AOSP's NeuralNetworks module (October 2022).
_LEVEL_3 = """
_getDeviceCount _getDevice Device_getName Device_getType Device_getVersion Device_getFeatureLevel
Memory_createFromAHardwareBuffer Model_setOperandSymmPerChannelQuantParams Model_getSupportedOperationsForDevices
Compilation_createForDevices Compilation_setCaching Burst_create Burst_free Execution_burstCompute Execution_compute
Execution_getDuration Execution_setMeasureTiming Execution_getOutputOperandDimensions Execution_getOutputOperandRank
Device_getExtensionSupport Model_getExtensionOperandType Model_getExtensionOperationType Model_setOperandExtensionData
"""
_LEVEL_4 = """
_getDefaultLoopTimeout _getMaximumLoopTimeout Device_wait Memory_createFromDesc Memory_copy MemoryDesc_addInputRole
MemoryDesc_addOutputRole MemoryDesc_create MemoryDesc_finish MemoryDesc_free MemoryDesc_setDimensions
Model_setOperandValueFromModel Compilation_setPriority Compilation_setTimeout Execution_startComputeWithDependencies
Execution_setTimeout Execution_setLoopTimeout Event_createFromSyncFenceFd Event_getSyncFenceFd
"""
_LEVEL_5 = """
_getRuntimeFeatureLevel Compilation_getPreferredMemoryAlignmentForInput Compilation_getPreferredMemoryPaddingForInput
Compilation_getPreferredMemoryAlignmentForOutput Compilation_getPreferredMemoryPaddingForOutput
Execution_enableInputAndOutputPadding Execution_setReusable
"""


def newer_than(level: int) -> tuple[str, ...]:
    """The NNAPI symbols that a library of this feature level (1 to 8) lacks."""
    lists = ((3, _LEVEL_3), (4, _LEVEL_4), (5, _LEVEL_5))
    return tuple(f"ANeuralNetworks{name}" for since, names in lists if since > level for name in names.split())
