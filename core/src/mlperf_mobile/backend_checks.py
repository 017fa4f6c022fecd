"""What every backend checks of what it is given, and what all of them say of it: options, samples, closed sessions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from pydantic import BaseModel, ValidationError

from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile.errors import BackendError, UsageError

ModelT = TypeVar("ModelT", bound=BaseModel)


def options(model: type[ModelT], given: Mapping[str, Any], label: str) -> ModelT:
    """The options as their model has them.

    Args:
        model: The pydantic model of the options.
        given: As ``Backend.__init__`` gets them.
        label: Whose they are: ``"backend acme"``.

    Raises:
        UsageError: ``bad-options``; names the option.
    """
    try:
        return model.model_validate(dict(given))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(map(str, first["loc"]))
        text = f"{label}: {name}{': ' if name else ''}{first['msg'].removeprefix('Value error, ')}"
        raise UsageError("bad-options", text, "check backend_options") from error


def misfit(inputs: object, specs: Sequence[TensorSpec], model: str) -> BackendError | None:
    """How one sample differs from a model's inputs, as the error ``input-mismatch``; None when it fits.

    Args:
        inputs: What ``Session.run`` was given.
        specs: The session's inputs.
        model: The model's name.
    """
    told = _difference(inputs, specs)
    return BackendError("input-mismatch", f"{model}: {told}", "encode samples as the inputs ask") if told else None


def batch_misfit(count: int, batch: int, model: str) -> BackendError:
    """The error of a call with no samples, or with more than ``batch``: ``batch-size``."""
    return BackendError("batch-size", f"{model} takes 1 to {batch} samples a call, not {count}", "change batch")


def closed(model: str) -> BackendError:
    """The error of a session that is used after its end: ``session-closed``."""
    return BackendError("session-closed", f"the session of {model} is closed", "load the model again")


def of_one_sample(specs: Iterable[TensorSpec]) -> tuple[TensorSpec, ...]:
    """The specs of one sample, from those of tensors whose first dimension is the batch."""
    return tuple(replace(spec, shape=(1, *spec.shape[1:])) for spec in specs)


def _difference(inputs: object, specs: Sequence[TensorSpec]) -> str:
    if not isinstance(inputs, Sequence) or len(inputs) != len(specs):
        told = str(len(inputs)) if isinstance(inputs, Sequence) else type(inputs).__name__
        return f"it takes {len(specs)} input tensors, not {told}"
    for spec, tensor in zip(specs, inputs, strict=True):
        if not isinstance(tensor, np.ndarray):
            return f"input {spec.name} takes an array of {spec}, not {type(tensor).__name__}"
        if tensor.shape != spec.shape or tensor.dtype != spec.dtype:
            given = f"{tensor.dtype}[{','.join(map(str, tensor.shape))}]"
            return f"input {spec.name} takes {spec}, not {given}"
    return ""
