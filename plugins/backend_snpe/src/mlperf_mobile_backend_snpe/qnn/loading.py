"""Turns a compiled model into a session: checks its compiler and target, loads it, and reads where it runs."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from mlperf_mobile.contracts import Artifact, Placement, TensorSpec
from mlperf_mobile.errors import BackendError, MobileError, ModelError
from mlperf_mobile_backend_snpe.options import SnpeOptions
from mlperf_mobile_backend_snpe.qnn import identity, manifest, onnx_file, profile
from mlperf_mobile_backend_snpe.qnn.provider import assignment, provider_options, session_options
from mlperf_mobile_backend_snpe.qnn.runtime import Runtime, errors, message
from mlperf_mobile_backend_snpe.qnn.session import LoadedModel, QnnBatchSession, QnnSession
from mlperf_mobile_backend_snpe.qnn.specs import check_batch, specs_of
from mlperf_mobile_backend_snpe.socs import Soc

CONTEXT = "EPContext"


def load(artifact: Artifact, runtime: Runtime, options: SnpeOptions, soc: Soc | None) -> QnnSession | QnnBatchSession:
    """Load an .onnx file, compiled or not.

    Raises:
        ModelError: It is damaged, or refused.
        BackendError: It was compiled by a newer QAIRT, for another SoC, or the accelerator fails.
    """
    path, accelerator = artifact.path, artifact.accelerator
    kept = manifest.read(path.parent)
    if kept and path.name not in kept.sha256:
        kept = None  # the manifest is that of another file in the folder
    if kept and kept.batch != artifact.batch:
        raise onnx_file.no_batch(path, artifact.batch, f"it was compiled for {kept.batch}")
    model = onnx_file.read(path)
    for found in onnx_file.contexts(model, path):
        identity.check(found, path, runtime.versions["qnn"], soc)
    fixed = None if kept else onnx_file.free_dimensions(model, path, artifact.batch, artifact.input_shapes)
    quantized = onnx_file.quantization(model)
    file = profile.new_file(options)
    scratch = file.parent if file and not options.profiling_folder else None
    told_provider = provider_options(options, runtime, accelerator, soc, file)
    settings = session_options(runtime, accelerator, told_provider, strict=not options.partial, fixed=fixed)
    try:
        session = _open(path, runtime, accelerator, settings)
        inputs, outputs, feeds, fetches = _ends(session, path, kept, quantized)
        check_batch(path, artifact.batch, inputs + outputs)
    except MobileError:
        if scratch:
            shutil.rmtree(scratch, ignore_errors=True)
        raise
    placement = _placement(session, runtime.provider, accelerator, kept)
    loaded = LoadedModel(session, runtime.ort, path.name, inputs, outputs, feeds, fetches, placement, file, scratch)
    return QnnSession(loaded) if artifact.batch == 1 else QnnBatchSession(loaded, artifact.batch)


def _open(path: Path, runtime: Runtime, accelerator: str, settings: Any) -> Any:
    """ONNX Runtime's session."""
    try:
        return runtime.ort.InferenceSession(str(path), settings)
    except errors(runtime.ort) as error:
        if "fallback" in str(error):
            summary = f"{path} does not run on {accelerator}: operations would run on the CPU"
            raise BackendError("fallback-refused", summary, "see the log for QNN's reason") from error
        summary = f"{runtime} cannot load {path}: {message(error)}"
        raise ModelError("model-refused", summary, "compile the model again") from error


Ends = tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...], tuple[str, ...], tuple[str, ...]]


def _ends(session: Any, path: Path, kept: manifest.Manifest | None, quantized: dict[str, tuple[float, int]]) -> Ends:
    """Specs of inputs and outputs, and their names in the session, which must match the manifest."""
    found = [specs_of(ends, path, quantized) for ends in (session.get_inputs(), session.get_outputs())]
    names = [tuple(spec.name for spec in specs) for specs in found]
    if kept is None:
        return found[0], found[1], names[0], names[1]
    for specs, tensors in zip(found, (kept.inputs, kept.outputs), strict=True):
        there = {(spec.name, spec.shape, spec.dtype.name) for spec in specs}
        if there != {(tensor.compiled, tensor.shape, tensor.dtype) for tensor in tensors}:
            summary = f"{path} has other inputs or outputs than its manifest"
            raise ModelError("context-damaged", summary, "compile the model again")
    return (
        tuple(tensor.spec for tensor in kept.inputs),
        tuple(tensor.spec for tensor in kept.outputs),
        tuple(tensor.compiled for tensor in kept.inputs),
        tuple(tensor.compiled for tensor in kept.outputs),
    )


def _placement(session: Any, provider: str, accelerator: str, kept: manifest.Manifest | None) -> Placement:
    """Where the session's operations run; those in a context binary are counted as its operations."""
    ours, others = assignment(session, provider)
    if accelerator == "cpu":
        ours, others = ours | others, {}
    if kept and ours.pop(CONTEXT, 0):
        ours = ours | kept.operations
    names = {accelerator: ours}
    if others:
        names["cpu"] = {name: names.get("cpu", {}).get(name, 0) + count for name, count in others.items()}
    return Placement({name: sum(counts.values()) for name, counts in names.items()}, names=names)
