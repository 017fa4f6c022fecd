"""Compiles an ONNX model into a context binary with ONNX Runtime's QNN provider."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mlperf_mobile.contracts import Artifact, CompileRequest, TensorSpec
from mlperf_mobile.errors import BackendError, ModelError
from mlperf_mobile_backend_snpe.options import SnpeOptions
from mlperf_mobile_backend_snpe.qnn import manifest, onnx_file
from mlperf_mobile_backend_snpe.qnn.provider import assignment, provider_options, session_options
from mlperf_mobile_backend_snpe.qnn.runtime import Runtime, errors, told
from mlperf_mobile_backend_snpe.socs import Soc

MODEL = "model.onnx"

_TYPES = {
    "tensor(float)": "float32", "tensor(float16)": "float16", "tensor(double)": "float64", "tensor(int8)": "int8",
    "tensor(uint8)": "uint8", "tensor(int16)": "int16", "tensor(uint16)": "uint16", "tensor(int32)": "int32",
    "tensor(uint32)": "uint32", "tensor(int64)": "int64", "tensor(uint64)": "uint64", "tensor(bool)": "bool",
}  # fmt: skip


def compile_onnx(
    request: CompileRequest, model: Any, runtime: Runtime, options: SnpeOptions, soc: Soc | None
) -> Artifact:
    """Compile for the HTP, strictly unless the option ``partial`` is set.

    Raises:
        ModelError: The provider refuses the model, or ``unsupported-operations``: some would run on the CPU.
        BackendError: ``nothing-offloaded``: all would.
    """
    path, accelerator = request.directory / MODEL, request.accelerator
    request.report(f"compiling for {soc.name if soc else 'this device'} with {runtime}")
    fixed = onnx_file.free_dimensions(model, request.model, request.batch)
    told_provider = provider_options(options, runtime, accelerator, soc)

    def session(*, strict: bool, context: Path | None) -> Any:
        settings = session_options(runtime, accelerator, told_provider, strict=strict, context=context, fixed=fixed)
        return runtime.ort.InferenceSession(str(request.model), settings)

    path.unlink(missing_ok=True)  # ONNX Runtime writes over nothing
    try:
        compiled = session(strict=not options.partial, context=path)
    except errors(runtime.ort) as error:
        if options.partial:
            raise _refused(request.model, runtime, error) from error
        try:
            ours, others = assignment(session(strict=False, context=None), runtime.provider)
        except errors(runtime.ort):
            raise _refused(request.model, runtime, error) from error
        if not others:
            raise _refused(request.model, runtime, error) from error
        raise _unsupported(request.model, accelerator, ours, others) from error
    ours, others = assignment(compiled, runtime.provider)
    if not ours:
        raise _unsupported(request.model, accelerator, ours, others)
    quantized = onnx_file.quantization(model)
    specs = [specs_of(ends, request.model, quantized) for ends in (compiled.get_inputs(), compiled.get_outputs())]
    check_batch(request.model, request.batch, specs[0] + specs[1])
    inputs, outputs = (tuple(map(_tensor, each)) for each in specs)
    written = onnx_file.read(path)
    identities = onnx_file.contexts(written, path)
    found = identities[0].build if identities else runtime.versions["qnn"]
    name = soc.name if soc else ""
    files = [path, *sorted(request.directory.glob(f"{path.stem}_*.bin"))]
    manifest.Manifest(
        compiler=f"ONNX Runtime {runtime.versions['onnxruntime']}", qnn=found, soc=name, batch=request.batch,
        inputs=inputs, outputs=outputs, operations=ours, sha256=manifest.sums(*files),
    ).write(request.directory)  # fmt: skip
    operations = {accelerator: sum(ours.values())} | ({"cpu": sum(others.values())} if others else {})
    return Artifact(path, accelerator, request.batch, {
        "soc": name, "htp_arch": soc.htp_arch if soc else 0, "qnn": found, "operations": operations,
        "compiler": f"ONNX Runtime {runtime.versions['onnxruntime']}",
        "context_bytes": sum(each.stat().st_size for each in files if each != path),
    })  # fmt: skip


def specs_of(ends: Any, path: Path, quantized: dict[str, tuple[float, int]]) -> tuple[TensorSpec, ...]:
    """The inputs or outputs that a session tells.

    Raises:
        ModelError: ``model-tensor`` or ``model-shape``.
    """
    found = []
    for end in ends:
        kind = _TYPES.get(end.type)
        if kind is None:
            raise ModelError("model-tensor", f"tensor {end.name} of {path} is not numeric: {end.type}", "use another")
        if not all(isinstance(size, int) and size >= 0 for size in end.shape):
            summary = f"tensor {end.name} of {path} has the shape {end.shape}, which is not fixed"
            raise ModelError("model-shape", summary, "export the model with fixed shapes")
        scale, zero = quantized.get(end.name, (0.0, 0)) if kind.startswith(("int", "uint")) else (0.0, 0)
        found.append(TensorSpec(end.name, tuple(end.shape), np.dtype(kind), scale, zero))
    return tuple(found)


def check_batch(path: Path, batch: int, specs: tuple[TensorSpec, ...]) -> None:
    """Every tensor has one slot a sample.

    Raises:
        ModelError: ``model-batch``.
    """
    for spec in specs if batch > 1 else ():
        if spec.shape[:1] != (batch,):
            raise onnx_file.no_batch(path, batch, f"tensor {spec.name} becomes {spec}")


def _tensor(spec: TensorSpec) -> manifest.Tensor:
    return manifest.Tensor(
        name=spec.name, compiled=spec.name, shape=spec.shape, dtype=spec.dtype.name, scale=spec.scale,
        zero_point=spec.zero_point,
    )  # fmt: skip


def _refused(path: Path, runtime: Runtime, error: Exception) -> ModelError:
    return ModelError("model-refused", f"{runtime} cannot compile {path}: {told(error)}", "use another model")


def _unsupported(
    path: Path, accelerator: str, ours: dict[str, int], others: dict[str, int]
) -> ModelError | BackendError:
    lines = ", ".join(f"{count} {name}" if count > 1 else name for name, count in sorted(others.items()))
    if not ours:
        summary = f"no operation of {path} would run on {accelerator}: {lines} would run on the CPU"
        return BackendError("nothing-offloaded", summary, "check the options and the libraries of QNN, or the model")
    summary = f"{accelerator} cannot run all of {path}: {lines} would run on the CPU"
    return ModelError("unsupported-operations", summary, "use another model, or --set partial=true for a split")
