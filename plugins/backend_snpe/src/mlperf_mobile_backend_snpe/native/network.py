"""Builds a network from a .dlc file, with the options."""

from __future__ import annotations

import ctypes
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from mlperf_mobile.errors import BackendError, MobileError, ModelError
from mlperf_mobile_backend_snpe.native import abi
from mlperf_mobile_backend_snpe.native.library import Library, SnpeError
from mlperf_mobile_backend_snpe.native.options import NativeOptions, Runtime
from mlperf_mobile_backend_snpe.native.tensors import Tensor, read

MOST_BYTES = 2**32
"""Maximum size of all inputs and outputs together."""

Shapes = Mapping[bytes, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Network:
    """A built network; its owner must delete ``handle``."""

    handle: int
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


def build(
    library: Library,
    model: Path,
    runtimes: tuple[Runtime, ...],
    options: NativeOptions,
    batch: int = 1,
    save: Path | None = None,
) -> Network:
    """Load the model, and let SNPE compile it for the runtimes.

    Args:
        library: SNPE.
        model: A .dlc file that has been checked.
        runtimes: Where operations may be placed, the preferred runtime first.
        options: All others.
        batch: Samples a call; inputs of a model whose leading dimension is 1 are resized.
        save: Write the model with SNPE's cache here.

    Raises:
        ModelError: SNPE cannot read the model, cannot place it, or cannot take the batch.
        BackendError: SNPE fails.
    """
    with ExitStack() as stack, user_errors(model):
        container = stack.enter_context(_container(library, model))
        network = _build(library, container, runtimes, options, {})
        found = _described(library, network, options, model)
        if batch > 1 and any(tensor.shape[:1] != (batch,) for tensor in found.inputs):
            library.get("SNPE_Delete", network)
            network = _build(library, container, runtimes, options, _resized(found, batch, model))
            found = _described(library, network, options, model)
        if save is not None:
            try:
                library.check("DlContainer_Save", container, os.fsencode(save))
            except BaseException:
                library.get("SNPE_Delete", network)
                raise
        return found


@contextmanager
def user_errors(model: Path) -> Iterator[None]:
    """Turn SNPE's errors into those of the model, of its placement, or of the backend."""
    try:
        yield
    except SnpeError as error:
        explain(error, model.name)


def explain(error: SnpeError, model: str) -> NoReturn:
    """Raise the user-facing error for ``error``."""
    kind: type[MobileError] = ModelError
    if error.code in abi.DAMAGED:
        code, hint = "model-refused", "fetch the model again, or convert it with this SDK's version"
    elif error.code in abi.UNSUPPORTED:
        code, hint = "model-unsupported", "use another accelerator, or set cpu_fallback to let SNPE also use the CPU"
    elif error.code in abi.LOST:
        kind, code, hint = BackendError, "device-lost", "try again; restart the device if it happens again"
    else:
        kind, code, hint = BackendError, "driver-failed", "set log_level: info and see SNPE's log"
    raise kind(code, f"{model}: {error}", hint) from error


@contextmanager
def _container(library: Library, model: Path) -> Iterator[int]:
    try:
        handle = library.create("DlContainer_Open", os.fsencode(model))
    except SnpeError as error:
        summary = f"{model.name}: SNPE {library.version} cannot open it: {error}"
        hint = "fetch the model again, or convert it with this SDK's version"
        raise ModelError("model-refused", summary, hint) from error
    try:
        yield handle
    finally:
        library.get("DlContainer_Delete", handle)


def _build(
    library: Library, container: int, runtimes: tuple[Runtime, ...], options: NativeOptions, shapes: Shapes
) -> int:
    with ExitStack() as stack:
        enter, check = stack.enter_context, library.check
        builder = enter(library.owned("SNPEBuilder_Delete", "SNPEBuilder_Create", container))
        order = enter(library.owned("RuntimeList_Delete", "RuntimeList_Create"))
        for runtime in runtimes:
            check("RuntimeList_Add", order, abi.RUNTIMES[runtime])
        check("SNPEBuilder_SetRuntimeProcessorOrder", builder, order)
        check("SNPEBuilder_SetUseUserSuppliedBuffers", builder, 1)
        profile = abi.PERFORMANCE_PROFILES[options.performance_profile]
        check("SNPEBuilder_SetPerformanceProfile", builder, profile)
        check("SNPEBuilder_SetExecutionPriorityHint", builder, abi.PRIORITIES[options.execution_priority])
        if options.profiling_level != "off":
            check("SNPEBuilder_SetProfilingLevel", builder, abi.PROFILING_LEVELS[options.profiling_level])
        if options.output_tensors:
            names = enter(library.string_list(options.output_tensors))
            check("SNPEBuilder_SetOutputTensors", builder, names)
        if options.output_layers:
            names = enter(library.string_list(options.output_layers))
            check("SNPEBuilder_SetOutputLayers", builder, names)
        if options.init_cache:
            check("SNPEBuilder_SetInitCacheMode", builder, 1)
        if options.cpu_fixed_point:
            check("SNPEBuilder_SetCpuFixedPointMode", builder, True)
        if options.platform_options:
            config = enter(library.owned("PlatformConfig_Delete", "PlatformConfig_Create"))
            if not library.get("PlatformConfig_SetPlatformOptions", config, options.platform_options.encode()):
                summary = f"SNPE rejects platform_options {options.platform_options}"
                raise BackendError("platform-options", summary, "write them as keyword:value: unsignedPD:ON")
            check("SNPEBuilder_SetPlatformConfig", builder, config)
        if shapes:
            check("SNPEBuilder_SetInputDimensions", builder, enter(_shapes(library, shapes)))
        return library.create("SNPEBuilder_Build", builder)


@contextmanager
def _shapes(library: Library, shapes: Shapes) -> Iterator[int]:
    with library.owned("TensorShapeMap_Delete", "TensorShapeMap_Create") as handle:
        for name, shape in shapes.items():
            numbers = (ctypes.c_size_t * len(shape))(*shape)
            with library.owned("TensorShape_Delete", "TensorShape_CreateDimsSize", numbers, len(shape)) as dims:
                library.check("TensorShapeMap_Add", handle, name, dims)
        yield handle


def _described(library: Library, network: int, options: NativeOptions, model: Path) -> Network:
    """The network with its tensors; deleted if they cannot be read."""
    try:
        inputs = library.strings("SNPE_GetInputTensorNames", network)
        outputs = library.strings("SNPE_GetOutputTensorNames", network)
        if not inputs or not outputs:
            raise ModelError("model-shape", f"{model.name} has no inputs or no outputs", "convert the model again")
        found = Network(
            network,
            tuple(read(library, network, name, options.input_type, model.name) for name in inputs),
            tuple(read(library, network, name, options.output_type, model.name) for name in outputs),
        )
        tensors = (*found.inputs, *found.outputs)
        if sum(math.prod(tensor.shape) * tensor.element.dtype.itemsize for tensor in tensors) > MOST_BYTES:
            summary = f"the inputs and outputs of {model.name} take more than {MOST_BYTES} bytes"
            raise ModelError("model-shape", summary, "convert the model with smaller inputs, or set output_tensors")
        return found
    except BaseException:
        library.get("SNPE_Delete", network)
        raise


def _resized(network: Network, batch: int, model: Path) -> Shapes:
    """The inputs' shapes for ``batch`` samples."""
    if misfit := [tensor.spec for tensor in network.inputs if tensor.shape[:1] != (1,)]:
        summary = f"input {misfit[0].name} of {model.name} is {misfit[0]}, which does not allow {batch} samples"
        raise ModelError("model-batch", summary, "use batch 1, or convert the model for this batch")
    return {tensor.key: (batch, *tensor.shape[1:]) for tensor in network.inputs}
