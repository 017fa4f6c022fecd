"""The backend's two formats: a model, and a pipeline of several models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile_tflite_model import specs

PIPELINE = "tflite-pipeline"
"""The format of a pipeline's description, and the suffix of its file."""


def is_pipeline(form: str, name: str) -> bool:
    """Whether a model is a pipeline, by its format or, if that is not known, by its file's name."""
    return form == PIPELINE or (not form and name.endswith(f".{PIPELINE}"))


def declared_tensors(path: Path) -> tuple[Sequence[TensorSpec], Sequence[TensorSpec]] | None:
    """The inputs and outputs of a model; None for a pipeline, and if only a runtime knows them.

    Raises:
        ModelError: The file is no TensorFlow Lite model, or is damaged.
    """
    return None if is_pipeline("", path.name) else specs.declared_tensors(path)
