"""Compiles an ONNX model into a context binary with ONNX Runtime's QNN provider."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from mlperf_mobile.contracts import Artifact, CompileRequest, TensorSpec
from mlperf_mobile.errors import BackendError, ModelError
from mlperf_mobile_backend_snpe.options import SnpeOptions
from mlperf_mobile_backend_snpe.qnn import manifest, onnx_file, profile
from mlperf_mobile_backend_snpe.qnn.provider import assignment, provider_options, session_options
from mlperf_mobile_backend_snpe.qnn.runtime import Runtime, errors, message
from mlperf_mobile_backend_snpe.qnn.specs import check_batch, specs_of
from mlperf_mobile_backend_snpe.socs import Soc

MODEL = "model.onnx"


def compile_onnx(
    request: CompileRequest, model: Any, runtime: Runtime, options: SnpeOptions, soc: Soc | None
) -> Artifact:
    """Compile for the HTP; operations on the CPU are an error unless the option ``partial`` is set.

    Raises:
        ModelError: The provider refuses the model, or ``unsupported-operations``: some would run on the CPU.
        BackendError: ``nothing-offloaded``: all would.
    """
    request.report(f"compiling for {soc.name if soc else 'this device'} with {runtime}")
    path, facts = request.directory / MODEL, dict[str, Any]()
    with tempfile.TemporaryDirectory(prefix="mlperf-mobile-qnn-") as scratch:
        file = None if options.profiling_level == "off" else Path(scratch, "compile.csv")
        session = _session(request, model, runtime, options, soc, file)
        if file:
            facts["profile"] = profile.read(file)
    ours, others = assignment(session, runtime.provider)
    if not ours:
        raise _unsupported(request, ours, others)
    quantized = onnx_file.quantization(model)
    specs = [specs_of(ends, request.model, quantized) for ends in (session.get_inputs(), session.get_outputs())]
    check_batch(request.model, request.batch, specs[0] + specs[1])
    inputs, outputs = (tuple(map(_tensor, each)) for each in specs)
    files = [path, *sorted(request.directory.glob(f"{path.stem}_*.bin"))]
    kept = manifest.Manifest(
        compiler=f"ONNX Runtime {runtime.versions['onnxruntime']}", qnn=runtime.versions["qnn"],
        soc=soc.name if soc else "", batch=request.batch, inputs=inputs, outputs=outputs, operations=ours,
        sha256=manifest.sums(*files),
    )  # fmt: skip
    kept.write(request.directory)
    facts |= {
        "soc": kept.soc, "htp_arch": soc.htp_arch if soc else 0, "qnn": kept.qnn, "compiler": kept.compiler,
        "operations": {request.accelerator: sum(ours.values())} | ({"cpu": sum(others.values())} if others else {}),
        "context_bytes": sum(each.stat().st_size for each in files if each != path),
    }  # fmt: skip
    return Artifact(path, request.accelerator, request.batch, facts)


def _session(
    request: CompileRequest, model: Any, runtime: Runtime, options: SnpeOptions, soc: Soc | None, file: Path | None
) -> Any:
    """ONNX Runtime's session of the source model, which writes the compiled one."""
    path = request.directory / MODEL
    fixed = onnx_file.free_dimensions(model, request.model, request.batch, request.input_shapes)
    if options.profiling_level == "optrace":  # a compilation with it would leave a file in the current folder
        options = options.model_copy(update={"profiling_level": "detailed"})
    provider = provider_options(options, runtime, request.accelerator, soc, file)

    def session(*, strict: bool, context: Path | None) -> Any:
        settings = session_options(runtime, request.accelerator, provider, strict=strict, context=context, fixed=fixed)
        return runtime.ort.InferenceSession(str(request.model), settings)

    path.unlink(missing_ok=True)  # ONNX Runtime does not overwrite files
    try:
        return session(strict=not options.partial, context=path)
    except errors(runtime.ort) as error:
        summary = f"{runtime} cannot compile {request.model}: {message(error)}"
        refused = ModelError("model-refused", summary, "use another model")
        if options.partial:
            raise refused from error
        try:  # without strict placement, the session names the operations
            ours, others = assignment(session(strict=False, context=None), runtime.provider)
        except errors(runtime.ort):
            raise refused from error
        raise (_unsupported(request, ours, others) if others else refused) from error


def _tensor(spec: TensorSpec) -> manifest.Tensor:
    fields = {"shape": spec.shape, "dtype": spec.dtype.name, "scale": spec.scale, "zero_point": spec.zero_point}
    return manifest.Tensor(name=spec.name, compiled=spec.name, **fields)


def _unsupported(request: CompileRequest, ours: dict[str, int], others: dict[str, int]) -> ModelError | BackendError:
    path, accelerator = request.model, request.accelerator
    lines = ", ".join(f"{count} {name}" if count > 1 else name for name, count in sorted(others.items()))
    if not ours:
        summary = f"no operation of {path} would run on {accelerator}: {lines} would run on the CPU"
        return BackendError("nothing-offloaded", summary, "check the options and the libraries of QNN, or the model")
    summary = f"{accelerator} cannot run all of {path}: {lines} would run on the CPU"
    return ModelError("unsupported-operations", summary, "use another model, or --set partial=true for a split")
