"""Loads a pipeline: its description, and a session of each part."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

from mlperf_mobile.contracts import Artifact
from mlperf_mobile.errors import ModelError
from mlperf_mobile_backend_tflite.diffusion import description
from mlperf_mobile_backend_tflite.diffusion.session import PARTS, DiffusionSession
from mlperf_mobile_backend_tflite.loading import Loader


def load(artifact: Artifact, loader: Loader) -> DiffusionSession:
    """The session of a pipeline.

    Args:
        artifact: The pipeline with its files.
        loader: Loads a model as the backend's options say.

    Raises:
        ModelError: The description, a table or a part is damaged, or they do not fit together.
        BackendError: The runtime or the delegate fails.
    """
    if artifact.batch > 1:
        summary = f"{artifact.path} is a pipeline, which takes one text at a time"
        raise ModelError("model-batch", summary, "use batch 1")
    if artifact.input_shapes:
        raise ModelError("input-shapes", f"{artifact.path} is a pipeline, whose shapes are fixed", "leave them out")
    pipeline = description.read(artifact.path, artifact.files)
    with ExitStack() as stack:
        parts = {part: stack.enter_context(replace(loader, model=pipeline.parts[part]).session()) for part in PARTS}
        session = DiffusionSession(artifact.path.name, pipeline, parts)
        stack.pop_all()
    return session
