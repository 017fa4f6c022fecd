"""Compiles a .tflite model with LiteRT, and wraps its context binary into an ONNX model that ONNX Runtime loads."""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from mlperf_mobile.contracts import Artifact, CompileRequest
from mlperf_mobile.errors import BackendError, ModelError
from mlperf_mobile_backend_snpe.options import SnpeOptions
from mlperf_mobile_backend_snpe.qnn import dispatch, identity, litert, manifest, onnx_file
from mlperf_mobile_backend_snpe.qnn.runtime import Runtime
from mlperf_mobile_backend_snpe.socs import Soc
from mlperf_mobile_tflite_model import reader

MODEL, BINARY = "model.onnx", "model.bin"


def compile_tflite(request: CompileRequest, runtime: Runtime, options: SnpeOptions, soc: Soc) -> Artifact:
    """Compile the whole model for the HTP of one SoC.

    Raises:
        ModelError: The model is missing or damaged, or ``unsupported-operations``: some would stay on the CPU.
        BackendError: The compiler is missing or failed.
    """
    source = reader.read(request.model)
    inputs, outputs = (_tensors(source, ends) for ends in (source.inputs, source.outputs))
    compiler = litert.find()
    request.report(f"compiling for {soc.name} with {compiler}")
    with tempfile.TemporaryDirectory(prefix="mlperf-mobile-litert-") as scratch:
        output = Path(scratch, "compiled.tflite")
        stand_ins = litert.compile_model(compiler, runtime, options, soc, request.model.absolute(), output)
        compiled = dispatch.read(output)
    _check_whole(compiled, source, request.model)
    binary = request.directory / BINARY
    binary.write_bytes(compiled.binaries[0])
    found = identity.read(compiled.binaries[0])
    identity.check(found, binary, runtime.versions["qnn"], soc)
    path = request.directory / MODEL
    onnx_file.write_context(path, binary, inputs, outputs, found.build)
    operations = dict(Counter(operator.name for operator in source.operators))
    told = manifest.Manifest(
        compiler=str(compiler), qnn=found.build, soc=soc.name, inputs=inputs, outputs=outputs, operations=operations,
        sha256=manifest.sums(path, binary),
    )  # fmt: skip
    told.write(request.directory)
    facts: dict[str, Any] = {
        "soc": soc.name, "htp_arch": soc.htp_arch, "qnn": found.build, "compiler": str(compiler),
        "operations": {request.accelerator: len(source.operators)}, "context_bytes": binary.stat().st_size,
    }  # fmt: skip
    return Artifact(path, request.accelerator, request.batch, facts | ({"stand_ins": stand_ins} if stand_ins else {}))


def _tensors(model: reader.TFLiteModel, ends: tuple[int, ...]) -> tuple[manifest.Tensor, ...]:
    """The inputs or outputs as the source has them, with the names that LiteRT's compiler gives them."""
    found = []
    for index in ends:
        tensor = model.tensors[index]
        if tensor.dtype is None or tensor.dtype.name not in manifest.DTYPES:
            raise ModelError(
                "model-tensor", f"tensor {tensor.name} of {model.path} is not numeric", "use another model"
            )
        if 0 in tensor.shape:
            raise ModelError(
                "model-shape", f"tensor {tensor.name} of {model.path} has no fixed shape", "export it with one"
            )
        scale, zero = (tensor.scales[0], tensor.zero_points[0]) if len(tensor.scales) == 1 else (0.0, 0)
        found.append(
            manifest.Tensor(
                # SanitizeName in litert/vendors/qualcomm/compiler/qnn_compose_graph.cc, commit da2c333
                name=tensor.name,
                compiled=re.sub(r"[^a-zA-Z0-9_]+", "_", tensor.name),
                shape=tensor.shape,
                dtype=tensor.dtype.name,
                scale=scale,
                zero_point=zero,
            )  # fmt: skip
        )
    return tuple(found)


def _check_whole(compiled: dispatch.Compiled, source: reader.TFLiteModel, path: Path) -> None:
    """One binary takes the model's inputs and gives its outputs, and nothing is left beside it."""
    if compiled.left:
        lines = ", ".join(f"{count} {name}" if count > 1 else name for name, count in sorted(compiled.left.items()))
        summary = (
            f"the HTP cannot run all of {path}: {lines} of {len(source.operators)} operations would stay on the CPU"
        )
        raise ModelError("unsupported-operations", summary, "use a model without them, or the backend tflite")
    if len(compiled.binaries) != 1:
        summary = f"LiteRT compiled {path} into {len(compiled.binaries)} parts"
        raise ModelError("unsupported-operations", summary, "use an .onnx model")
    names = [
        [[model.tensors[index].name for index in ends] for ends in each]
        for model, each in (
            (source, (source.inputs, source.outputs)),
            (compiled.model, (compiled.inputs[0], compiled.outputs[0])),
        )
    ]
    if any(sorted(one) != sorted(other) for one, other in zip(*names, strict=True)):
        summary = f"LiteRT compiled {path} into a graph with other inputs or outputs: {names[1]}, not {names[0]}"
        raise BackendError("compiler-failed", summary, "use an .onnx model")
    for ends in names[0]:
        short = [re.sub(r"[^a-zA-Z0-9_]+", "_", name) for name in ends]
        if len(set(short)) < len(short):
            summary = f"inputs or outputs of {path} differ only in signs that QNN's names cannot have: {ends}"
            raise ModelError("model-tensor", summary, "rename them")
