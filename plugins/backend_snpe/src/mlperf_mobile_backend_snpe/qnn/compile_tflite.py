"""Compiles a .tflite model with LiteRT, and wraps its context binary into an ONNX model that ONNX Runtime loads."""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlperf_mobile.contracts import Artifact, CompileRequest
from mlperf_mobile.errors import BackendError, ModelError
from mlperf_mobile_backend_snpe.options import SnpeOptions
from mlperf_mobile_backend_snpe.qnn import dispatch, identity, litert, manifest, onnx_file
from mlperf_mobile_backend_snpe.qnn.runtime import Runtime
from mlperf_mobile_backend_snpe.socs import Soc
from mlperf_mobile_tflite_model import reader
from mlperf_mobile_tflite_model.fixed import check_fixed

MODEL, BINARY = "model.onnx", "model.bin"


def compile_tflite(request: CompileRequest, runtime: Runtime, options: SnpeOptions, soc: Soc) -> Artifact:
    """Compile the whole model for the HTP of one SoC.

    Raises:
        ModelError: The model is missing or damaged, or ``unsupported-operations``: some would stay on the CPU.
        BackendError: The compiler is missing or failed.
    """
    source = reader.read(request.model)
    check_fixed(source, request.input_shapes, "QNN's compiler for .tflite models")
    inputs, outputs = (_tensors(source, ends) for ends in (source.inputs, source.outputs))
    compiler = litert.find()
    request.report(f"compiling for {soc.name} with {compiler}")
    with tempfile.TemporaryDirectory(prefix="mlperf-mobile-litert-") as scratch:
        output = Path(scratch, "compiled.tflite")
        try:
            stand_ins = litert.compile_model(compiler, runtime, options, soc, request.model.absolute(), output)
        except litert.NothingTaken as error:
            raise _unsupported(source, Counter(operator.name for operator in source.operators), 0) from error
        compiled = dispatch.read(output)
    _check_whole(compiled, source)
    binary = request.directory / BINARY
    binary.write_bytes(compiled.binaries[0])
    found = identity.read(compiled.binaries[0])
    identity.check(found, binary, runtime.versions["qnn"], soc)
    path = request.directory / MODEL
    onnx_file.write_context(path, binary, inputs, outputs, found.build)
    operations = dict(Counter(operator.name for operator in source.operators))
    description = manifest.Manifest(
        compiler=str(compiler), qnn=found.build, soc=soc.name, inputs=inputs, outputs=outputs, operations=operations,
        sha256=manifest.sums(path, binary),
    )  # fmt: skip
    description.write(request.directory)
    facts: dict[str, Any] = {
        "soc": soc.name, "htp_arch": soc.htp_arch, "qnn": found.build, "compiler": str(compiler),
        "operations": {request.accelerator: len(source.operators)}, "context_bytes": binary.stat().st_size,
    }  # fmt: skip
    return Artifact(path, request.accelerator, request.batch, facts | ({"stand_ins": stand_ins} if stand_ins else {}))


def _tensors(model: reader.TFLiteModel, ends: tuple[int, ...]) -> tuple[manifest.Tensor, ...]:
    """The inputs or outputs of the source model, with the names that LiteRT's compiler gives them."""
    found = []
    for index in ends:
        tensor = model.tensors[index]
        where = f"tensor {tensor.name} of {model.path}"
        if tensor.dtype is None or tensor.dtype.name not in manifest.DTYPES:
            raise ModelError("model-tensor", f"{where} is not numeric", "use another model")
        if 0 in tensor.shape:
            raise ModelError("model-shape", f"{where} has no fixed shape", "export the model with fixed shapes")
        scale, zero_point = (tensor.scales[0], tensor.zero_points[0]) if len(tensor.scales) == 1 else (0.0, 0)
        fields = {"shape": tensor.shape, "dtype": tensor.dtype.name, "scale": scale, "zero_point": zero_point}
        # The compiled name is that of SanitizeName in qnn_compose_graph.cc of LiteRT's Qualcomm plugin, commit da2c333.
        name = re.sub(r"[^a-zA-Z0-9_]+", "_", tensor.name)
        found.append(manifest.Tensor(name=tensor.name, compiled=name, **fields))
    if len({tensor.compiled for tensor in found}) < len(found):
        names = ", ".join(tensor.name for tensor in found)
        summary = f"tensors of {model.path} differ only in signs that QNN's names cannot have: {names}"
        raise ModelError("model-tensor", summary, "rename them")
    return tuple(found)


def _unsupported(source: reader.TFLiteModel, left: Mapping[str, int], parts: int) -> ModelError:
    names = ", ".join(f"{count} {name}" if count > 1 else name for name, count in sorted(left.items()))
    summary = (
        f"the HTP cannot run {source.path} as one graph: {names or 'nothing'} of {len(source.operators)} operations "
        f"would stay on the CPU, and {parts} parts would run on the HTP"
    )
    return ModelError("unsupported-operations", summary, "use a model without them, or the backend tflite")


def _check_whole(compiled: dispatch.CompiledModel, source: reader.TFLiteModel) -> None:
    """Require that one binary computes the model's outputs from its inputs, without other operations."""
    path = source.path
    if compiled.left or len(compiled.binaries) != 1:
        raise _unsupported(source, compiled.left, len(compiled.binaries))
    for theirs, ours in ((compiled.inputs[0], source.inputs), (compiled.outputs[0], source.outputs)):
        there, here = (
            [compiled.model.tensors[each].name for each in theirs],
            [source.tensors[each].name for each in ours],
        )
        if sorted(there) != sorted(here):
            summary = f"LiteRT compiled {path} into a graph with other inputs or outputs: {there}, not {here}"
            raise BackendError("compiler-failed", summary, "use an .onnx model")
