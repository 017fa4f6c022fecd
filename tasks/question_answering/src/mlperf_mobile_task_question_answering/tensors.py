"""Identifies a model's inputs and outputs: by name if possible, otherwise by position."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import permutations

from mlperf_mobile.contracts import TensorSpec, check_quantisation
from mlperf_mobile.errors import ModelError

INPUTS = ("ids", "mask", "segments")
"""The inputs in the reference app's order. Source: flutter/cpp/datasets/squad.h."""
OUTPUTS = ("end", "start")
"""The outputs in the reference app's order. Source: flutter/cpp/datasets/squad.cc."""
WHOLE_TYPES = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
INPUT_TYPES = ("float32", "float16", *WHOLE_TYPES)
OUTPUT_TYPES = ("float32", "float16", *WHOLE_TYPES)
_OTHER = "give a model like MobileBERT with --model, or choose the task that fits the model"


def describe(specs: Sequence[TensorSpec]) -> str:
    """Tensors as shown in messages."""
    return ", ".join(f"{spec.name} {spec}" for spec in specs) or "nothing"


def find_inputs(inputs: Sequence[TensorSpec], order: str) -> tuple[tuple[str, ...], int]:
    """The role of each input, and their common length L.

    Args:
        inputs: The model's inputs.
        order: As ``TaskOptions.input_order``.

    Raises:
        ModelError: They are not three vectors [1,L] of :data:`INPUT_TYPES`.
    """
    length = inputs[0].shape[-1] if inputs and inputs[0].shape else 0
    fits = len(inputs) == len(INPUTS) and length >= 8
    if not fits or any(spec.shape != (1, length) or spec.dtype.name not in INPUT_TYPES for spec in inputs):
        expected = f"three vectors [1,L] of {', '.join(INPUT_TYPES)}: token ids, mask and segments"
        raise ModelError("model-input", f"the model takes {describe(inputs)}, the task gives {expected}", _OTHER)
    return _order([spec.name for spec in inputs], INPUTS, _input, order), length


def find_outputs(outputs: Sequence[TensorSpec], length: int, order: str) -> tuple[str, ...]:
    """The role of each output.

    Args:
        outputs: The model's outputs.
        length: L, the length of the inputs.
        order: As ``TaskOptions.output_order``.

    Raises:
        ModelError: They are not two vectors of L numbers.
    """
    if len(outputs) != len(OUTPUTS) or not all(_is_vector(spec, length) for spec in outputs):
        expected = f"two vectors [1,{length}] of {', '.join(OUTPUT_TYPES)}: scores of the answer's end and start"
        raise ModelError("model-output", f"the model gives {describe(outputs)}, the task takes {expected}", _OTHER)
    for spec in outputs:
        check_quantisation(spec)
        if spec.dtype.kind in "iu" and not spec.quantised:
            reason = f"the output {spec.name} {spec} is quantised but has no scale"
            raise ModelError("model-output", reason, "convert the model with the scales of its outputs")
    return _order([spec.name for spec in outputs], OUTPUTS, _output, order)


def _is_vector(spec: TensorSpec, length: int) -> bool:
    sizes = [size for size in spec.shape if size != 1]
    return sizes == [length] and spec.dtype.name in OUTPUT_TYPES


def _order(names: Sequence[str], usual: tuple[str, ...], role: Callable[[str], str], order: str) -> tuple[str, ...]:
    """The roles of ``names``; the usual order if the names are ambiguous."""
    if order != "auto":
        return tuple(order.split(","))
    by_name = [role(name) for name in names]
    fitting = [roles for roles in permutations(usual) if all(a in ("", b) for a, b in zip(by_name, roles, strict=True))]
    return fitting[0] if len(fitting) == 1 else usual


def _input(name: str) -> str:
    """The role that a name implies, as in exports of BERT and MobileBERT; empty if unclear."""
    words = re.findall("[a-z]+", name.lower())
    if "mask" in words:
        return "mask"
    if "segment" in words or "segments" in words or "type" in words:
        return "segments"
    return "ids" if "ids" in words and ({"input", "word", "token"} & set(words)) else ""


def _output(name: str) -> str:
    words = set(re.findall("[a-z]+", name.lower())) & set(OUTPUTS)
    return words.pop() if len(words) == 1 else ""
