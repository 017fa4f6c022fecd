"""Checks of samples and input shapes, for every backend to use, and of the outputs that backends return."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mlperf_mobile.contracts import Tensors, TensorSpec
from mlperf_mobile.errors import BackendError, ModelError, did_you_mean

__all__ = [
    "OpenShapes",
    "Shapes",
    "batch_misfit",
    "closed",
    "fixed",
    "misfit",
    "of_one_sample",
    "outputs_apart",
    "prompt_misfit",
    "sized",
    "text_misfit",
    "wrong_outputs",
]

Shapes = Mapping[str, tuple[int, ...]]
"""Shapes of one sample by the names of inputs, each with its leading 1: ``{"image": (1, 128, 128, 3)}``."""


def misfit(inputs: object, specs: Sequence[TensorSpec], model: str) -> BackendError | None:
    """The error ``input-mismatch`` if one sample does not match a model's inputs, else None.

    Args:
        inputs: The argument of ``Session.run``.
        specs: The session's inputs.
        model: The model's name.
    """
    difference = _difference(inputs, specs)
    return (
        BackendError("input-mismatch", f"{model}: {difference}", "encode samples as the input specs require")
        if difference
        else None
    )


def batch_misfit(count: int, batch: int, model: str) -> BackendError:
    """The error of a call with no samples, or with more than ``batch``: ``batch-size``."""
    return BackendError("batch-size", f"{model} accepts 1 to {batch} samples per call, not {count}", "change batch")


def prompt_misfit(prompt: object, context: int, model: str) -> ModelError | BackendError | None:
    """The error of a prompt that a token session cannot take, else None.

    Args:
        prompt: The argument of ``TokenSession.generate``.
        context: The session's context, in tokens.
        model: The model's name.

    Returns:
        ``input-mismatch`` for anything but int32[n] with n of 1 or more; ``prompt-too-long`` for a prompt that leaves
        no room for a new token.
    """
    if not isinstance(prompt, np.ndarray) or prompt.dtype != np.int32 or prompt.ndim != 1 or not prompt.size:
        hint = "encode samples to a tuple of one array of token ids"
        return BackendError("input-mismatch", f"{model}: a prompt must be int32[n], not {kind_of(prompt)}", hint)
    return _too_long(prompt.size, context, model)


def text_misfit(prompt: object, tokens: int, context: int, model: str) -> ModelError | BackendError | None:
    """The error of a prompt that a text session cannot take, else None.

    Args:
        prompt: The argument of ``TextSession.generate_text``.
        tokens: Its tokens as the engine counts them; 0 if it does not.
        context: The session's context, in tokens.
        model: The model's name.

    Returns:
        ``input-mismatch`` for anything but text, and for an empty one; ``prompt-too-long`` for a prompt that leaves no
        room for a new token.
    """
    if not isinstance(prompt, str) or not prompt:
        found = "an empty text" if isinstance(prompt, str) else kind_of(prompt)
        return BackendError("input-mismatch", f"{model}: a prompt must be a text, not {found}", "give it a text")
    return _too_long(tokens, context, model)


def _too_long(tokens: int, context: int, model: str) -> ModelError | None:
    if tokens < context:
        return None
    summary = f"a prompt of {tokens} tokens does not fit into {model}, whose context has {context}"
    return ModelError("prompt-too-long", summary, "shorten the prompts, or use a model with a longer context")


class OpenShapes(ModelError):
    """The error ``open-shape``: a model leaves dimensions open, and no setting gives their sizes.

    The caller may supply them, and compile or load again.

    Args:
        inputs: All inputs of the model, as the file describes them.
        model: The model's name.
    """

    def __init__(self, inputs: Sequence[TensorSpec], model: str) -> None:
        open_inputs = ", ".join(f"{spec.name} {spec}" for spec in inputs if spec.is_open)
        names = "" if len(inputs) == 1 else f".{next((spec.name for spec in inputs if spec.is_open), 'NAME')}"
        shape = next((str(spec).removeprefix(spec.dtype.name) for spec in inputs if spec.is_open), "[...]")
        hint = f"give a size for each question mark: --set input_shapes{names}={shape}"
        super().__init__("open-shape", f"{model} leaves the size of its input open: {open_inputs}", hint)
        self.inputs = tuple(inputs)


def sized(inputs: Sequence[TensorSpec], requested: Shapes, model: str) -> tuple[TensorSpec, ...]:
    """The inputs with the shapes requested by ``CompileRequest.input_shapes``.

    Args:
        inputs: All inputs of the model, as the file describes them.
        requested: Shapes of one sample, by name.
        model: The model's name.

    Raises:
        OpenShapes: ``open-shape``: an input has open sizes, and none were requested.
        ModelError: ``input-shapes``: the model has no such input, or fixes another shape.
    """
    by_name = {spec.name: spec for spec in inputs}
    for name, shape in requested.items():
        if name not in by_name:
            raise ModelError("input-shapes", f"{model} has no input {name!r}", did_you_mean(name, by_name))
        spec = by_name[name]
        fits = len(shape) == len(spec.shape) and all(
            size > 0 and (size == there or there < 1 or axis in spec.open_axes)
            for axis, (size, there) in enumerate(zip(shape, spec.shape, strict=True))
        )
        if not fits:
            shown = f"[{','.join(map(str, shape))}]"
            summary = f"input {name} of {model} is {spec}, which {shown} does not fit"
            raise ModelError("input-shapes", summary, "input_shapes can only set open dimensions")
    found = tuple(replace(s, shape=requested[s.name], open_axes=()) if s.name in requested else s for s in inputs)
    if any(spec.is_open for spec in found):
        raise OpenShapes(found, model)
    return found


def fixed(inputs: Sequence[TensorSpec], requested: Shapes, model: str, label: str) -> None:
    """Refuse open dimensions and requests for other sizes, for backends that cannot resize inputs.

    Args:
        inputs: All inputs of the model, as the file describes them.
        requested: Shapes of one sample, by name.
        model: The model's name.
        label: The backend: ``"backend acme"``.

    Raises:
        ModelError: ``open-shape`` or ``input-shapes``.
    """
    if open_inputs := ", ".join(f"{spec.name} {spec}" for spec in inputs if spec.is_open):
        summary = f"{model} leaves the size of its input open: {open_inputs}; {label} supports fixed shapes only"
        raise ModelError("open-shape", summary, "convert the model with fixed shapes, or choose another --backend")
    sized(inputs, requested, model)


def closed(model: str) -> BackendError:
    """The error of a session that is used after closing: ``session-closed``."""
    return BackendError("session-closed", f"the session of {model} is closed", "load the model again")


def of_one_sample(specs: Iterable[TensorSpec]) -> tuple[TensorSpec, ...]:
    """The specs of one sample, from those of tensors whose first dimension is the batch."""
    return tuple(replace(spec, shape=(1, *spec.shape[1:])) for spec in specs)


def _difference(inputs: object, specs: Sequence[TensorSpec]) -> str:
    if not isinstance(inputs, Sequence) or len(inputs) != len(specs):
        count = str(len(inputs)) if isinstance(inputs, Sequence) else type(inputs).__name__
        return f"it accepts {len(specs)} input tensors, not {count}"
    for spec, tensor in zip(specs, inputs, strict=True):
        if not isinstance(tensor, np.ndarray):
            return f"input {spec.name} must be an array of {spec}, not {kind_of(tensor)}"
        if tensor.shape != spec.shape or tensor.dtype != spec.dtype:
            return f"input {spec.name} must be {spec}, not {kind_of(tensor)}"
    return ""


def wrong_outputs(outputs: object, specs: Sequence[TensorSpec], *, infinite: bool = False) -> str:
    """What is wrong with one sample's outputs; empty if they match the session's specs.

    Args:
        outputs: What ``Session.run`` returned.
        specs: The session's outputs.
        infinite: Whether the task accepts infinite numbers.
    """
    if not isinstance(outputs, (tuple, list)):
        return f"run() returned {kind_of(outputs)}, a tuple of {len(specs)} arrays was expected"
    if len(outputs) != len(specs):
        return f"it returns {len(outputs)} output tensors, not {len(specs)}"
    for spec, tensor in zip(specs, outputs, strict=True):
        if not isinstance(tensor, np.ndarray) or tensor.shape != spec.shape or tensor.dtype != spec.dtype:
            return f"output {spec.name} is {kind_of(tensor)}, not an array of {spec}"
        if found := _not_finite(tensor, infinite=infinite):
            return f"output {spec.name} has {found}"
    return ""


def outputs_apart(one: Tensors, other: Tensors, specs: Sequence[TensorSpec], variation: float) -> str:
    """The first output that differs by more than ``variation``, and by how much; empty if all agree.

    Args:
        one: Outputs that match the specs.
        other: The outputs of another run.
        specs: The session's outputs.
        variation: As a share of the largest absolute value in ``one``'s tensor; 0 requires equal bits. Above 0, a
            quantised tensor may always differ by one step, and integers without a scale by any amount: nearness means
            nothing for an index or a count.
    """
    for spec, here, there in zip(specs, one, other, strict=True):
        if np.array_equal(here, there):
            continue
        if not variation:
            return f"output {spec.name} differs in {np.count_nonzero(here != there)} of {here.size} numbers"
        if here.dtype.kind in "biu" and not spec.quantised:
            continue
        mine, theirs = here.astype(np.float64), there.astype(np.float64)
        largest = float(np.max(np.abs(mine[np.isfinite(mine)]), initial=0.0))
        limit = max(variation * largest, 1.0 if spec.quantised else 0.0)
        far = np.count_nonzero(~np.isclose(theirs, mine, rtol=0.0, atol=limit))
        if far:
            return f"output {spec.name} differs by more than {limit:g} in {far} of {here.size} numbers"
    return ""


def _not_finite(tensor: np.ndarray[Any, Any], *, infinite: bool) -> str:
    if tensor.dtype.kind in "biuSUO" or np.count_nonzero(np.isfinite(tensor)) == tensor.size:
        return ""
    nans = int(np.count_nonzero(np.isnan(tensor)))
    if nans:
        return f"NaN in {nans} of {tensor.size} numbers"
    return "" if infinite else f"an infinite number in {np.count_nonzero(np.isinf(tensor))} of {tensor.size} places"


def kind_of(value: object) -> str:
    """What a value is, for errors: ``float32[1,4]``, ``None``, or its type."""
    return (
        f"{value.dtype}[{','.join(map(str, value.shape))}]"
        if isinstance(value, np.ndarray)
        else "None"
        if value is None
        else type(value).__name__
    )
