"""What a runner without Python needs to run a model as this backend would: the library, its settings, the tensors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mlperf_mobile.contracts import NativeEngine, NativeRequest, TensorSpec
from mlperf_mobile.errors import BackendError
from mlperf_mobile_backend_capi import device, shapes
from mlperf_mobile_backend_capi.generating import token_specs
from mlperf_mobile_backend_capi.options import COptions
from mlperf_mobile_backend_capi.settings import Choice

ENGINE = "mma"
_PYTHON = "use --runner python"


def check(options: COptions, request: NativeRequest) -> Path:
    """The library, if all options can be used where the request wants it.

    Raises:
        BackendError: ``native-option`` or ``native-library``.
    """
    if options.library is None:
        fix = "set it to the vendor's .so file for that machine: --set library=PATH"
        raise BackendError("native-library", "the option library is not set", fix)
    path = options.library
    if not path.is_file():
        raise BackendError("native-library", f"there is no library {path}", "check the option library")
    if options.convert_outputs:
        summary = "option convert_outputs: the native runner returns outputs as the model computes them"
        raise BackendError("native-option", summary, f"leave it out, or {_PYTHON}")
    if not request.place.same and options.settings is None:
        summary = f"the library for {request.place} cannot be queried for its settings on this machine"
        raise BackendError("native-option", summary, "save them in a file, and name it: --set settings=FILE")
    return path


def engine(
    options: COptions,
    request: NativeRequest,
    choice: Choice,
    tensors: tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]],
    version: str,
    context: int = 0,
) -> NativeEngine:
    """The engine for a model.

    Args:
        options: The backend's options.
        request: The request, whose options were checked.
        choice: The configuration of the library.
        tensors: Inputs and outputs of one sample.
        version: What identifies the build of the library.
        context: The context of a language model.
    """
    library = check(options, request)
    beside = options.native_lib_path
    files = (beside,) if beside and beside.is_dir() and not request.place.here else ()
    own = str(library.resolve().parent) if request.place.here else ""
    name = device.model() if request.place.here else ""
    maker = device.manufacturer() if request.place.here else ""
    inputs, outputs = tensors
    return NativeEngine(
        engine=ENGINE,
        library=library.absolute(),
        files=files,
        options={
            "delegate": choice.delegate,
            "accelerator": choice.accelerator,
            "accelerator_desc": choice.description,
            "native_lib_path": str(beside) if beside else own,
            "settings": [list(pair) for pair in choice.pairs],
            "device_model": options.device_model if options.device_model is not None else name,
            "device_manufacturer": options.device_manufacturer if options.device_manufacturer is not None else maker,
            "library_buffers": options.library_buffers,
        },
        inputs=inputs,
        outputs=outputs,
        context=context,
        runtime=library.name,
        versions={library.name: version},
    )


def described(options: COptions, request: NativeRequest) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """The tensors as the model's file describes them, for a library that does not run on this machine.

    Raises:
        ModelError: The file is damaged, or leaves sizes open.
        BackendError: ``native-option``: the file does not describe them.
    """
    found = shapes.of_model(request.model, request.input_shapes)
    if not all(found) or options.inputs or options.outputs:
        summary = f"the types of the tensors of {request.model.name} are known only to the library, on the device"
        raise BackendError("native-option", summary, "use a .tflite model without the options inputs and outputs")
    inputs, outputs = found
    return _specs("input", inputs, request.model.name), _specs("output", outputs, request.model.name)


def described_tokens(options: COptions) -> tuple[int, tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]]:
    """Context and tensors of a language model, for a library that does not run on this machine.

    Raises:
        BackendError: ``native-option``: the option ``context`` is not set.
    """
    if options.context is None:
        summary = "the context of a language model is known only to the library, on the device"
        raise BackendError("native-option", summary, "set it: --set context=3072")
    specs = token_specs(options.context)
    return options.context, (specs, specs)


def _specs(kind: str, found: Sequence[shapes.TensorDescription], model: str) -> tuple[TensorSpec, ...]:
    reported = [(tensor.dtype or np.dtype(np.uint8), math.prod(tensor.shape)) for tensor in found]
    return shapes.specs(kind, reported, (), found, model)
