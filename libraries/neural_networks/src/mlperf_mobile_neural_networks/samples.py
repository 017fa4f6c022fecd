"""Says how a sample differs from a model's inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile.errors import BackendError


def fits(inputs: Any, specs: Sequence[TensorSpec]) -> bool:
    """Whether ``inputs`` are arrays of the shapes and types of ``specs``."""
    try:
        return [(array.shape, array.dtype) for array in inputs] == [(spec.shape, spec.dtype) for spec in specs]
    except (AttributeError, TypeError):
        return False


def misfit(inputs: Any, specs: Sequence[TensorSpec], model: str) -> BackendError:
    """The error ``input-mismatch``."""
    wanted = ", ".join(f"{spec.name} {spec}" for spec in specs)
    try:
        given = ", ".join(f"{array.dtype.name}[{','.join(map(str, array.shape))}]" for array in inputs)
    except (AttributeError, TypeError):
        given = type(inputs).__name__
    summary = f"{model} takes {wanted}, not {given or 'nothing'}"
    return BackendError("input-mismatch", summary, "encode samples as the inputs ask")
