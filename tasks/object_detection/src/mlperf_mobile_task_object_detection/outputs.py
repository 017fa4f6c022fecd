"""Identifies a detector's outputs: by shape and type if they suffice, otherwise by usual names and orders."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import permutations
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from mlperf_mobile.contracts import TensorSpec, check_quantisation
from mlperf_mobile.errors import ModelError
from mlperf_mobile_images.model_input import describe
from mlperf_mobile_images.stored import WHOLE_TYPES
from mlperf_mobile_task_object_detection.options import Part

FLOAT_TYPES = ("float32", "float16")
REAL_TYPES = (*FLOAT_TYPES, "uint8", "int8", "int16", "uint16")
"""Types of boxes and scores; integers need a scale there, and are classes or counts without one."""

POST_PROCESSED: tuple[Part, ...] = ("boxes", "classes", "scores", "count")
"""The order of TFLite_Detection_PostProcess and of the reference app."""
RAW: tuple[Part, ...] = ("boxes", "scores")
NAMED_ORDERS: Mapping[str, tuple[Part, ...]] = {
    "TFLite_Detection_PostProcess": POST_PROCESSED,
    "StatefulPartitionedCall": ("count", "scores", "classes", "boxes"),
}
"""Orders of outputs called ``name``, ``name:1``, ``name:2``, …, as the TensorFlow Object Detection API exports them."""
WORDS: Mapping[tuple[Part, ...], Mapping[Part, str]] = {
    POST_PROCESSED: {"boxes": "box", "classes": "class|label|categ", "scores": "score|prob|conf", "count": "num|count"},
    RAW: {"boxes": "box|loc|regress", "scores": "class|label|score|prob|conf|logit"},
}  # fmt: skip
"""Words in the names of outputs."""
_OTHER = "give a detector with --model, or choose the task that fits the model"

Floats = npt.NDArray[np.float32]
Places = Mapping[Part, int]
"""The index of each part's output."""


class Real:
    """The real values of an output: ``scale * (stored - zero_point)`` if it is quantised.

    Raises:
        ModelError: Its scales are invalid, or along another axis than the last.
    """

    def __init__(self, spec: TensorSpec) -> None:
        check_quantisation(spec)
        if spec.scales and spec.axis != len(spec.shape) - 1:
            reason = f"output {spec.name} {spec} has scales along axis {spec.axis}, not along the last one"
            raise ModelError("model-output", reason, "convert the model with one scale for the output")
        self.quantised, self.by_column = spec.quantised, bool(spec.scales)
        self._wide = np.float32 if spec.dtype.itemsize <= 2 else np.float64  # holds what is stored exactly
        self.scale, self.zero_point = (each.reshape(-1) for each in spec.scale_arrays())

    def __call__(self, stored: npt.NDArray[Any], columns: npt.NDArray[np.intp] | None = None) -> Floats:
        """A new array, float32.

        Args:
            stored: Rows of the output's last axis, or single values of them.
            columns: The column of each value; None for whole rows.
        """
        if not self.quantised:
            return stored.astype(np.float32)
        scale, zero_point = self.scale, self.zero_point
        if self.by_column and columns is not None:
            scale, zero_point = scale[columns], zero_point[columns]
        values = np.subtract(stored, zero_point.astype(self._wide), dtype=self._wide)
        values *= scale.astype(self._wide)
        result: Floats = values.astype(np.float32, copy=False)
        return result


def find_outputs(outputs: Sequence[TensorSpec], order: Sequence[Part] | None) -> Places:
    """The output of each part, of :data:`POST_PROCESSED` or of :data:`RAW`.

    Args:
        outputs: All outputs of the model.
        order: The parts in order, if the user gave them.

    Raises:
        ModelError: They are not a detector's, or are ambiguous; the message names them.
    """
    for spec in outputs:
        check_quantisation(spec)
    if order is not None:
        if len(order) == len(outputs) and _fit(outputs, order):
            return _with_scales(outputs, order)
        reason = f"the model's outputs are {describe(outputs)}, which cannot be {', '.join(order)}"
        raise ModelError("model-output", reason, "correct output_order, or leave it out")
    parts = {len(each): each for each in (POST_PROCESSED, RAW)}.get(len(outputs), ())
    fitting = [each for each in permutations(parts) if parts and _fit(outputs, each)]
    if not fitting:
        expected = (
            "boxes [1,N,4], classes [1,N], scores [1,N] and their count [1]; or encodings [1,A,4] and scores [1,A,C]"
        )
        raise ModelError("model-output", f"the model gives {describe(outputs)}, the task takes {expected}", _OTHER)
    if len(fitting) > 1:
        fitting = [each for each in fitting if _named_so(outputs, each, parts)] or fitting
    if len(fitting) > 1 and parts in fitting:
        fitting = [parts]
    if len(fitting) > 1:
        hint = f"name them in order: --set 'output_order=[{', '.join(fitting[0])}]', or another order"
        raise ModelError("model-output", f"the outputs cannot be identified: {describe(outputs)}", hint)
    return _with_scales(outputs, fitting[0])


def _fit(outputs: Sequence[TensorSpec], order: Sequence[Part]) -> bool:
    """Whether shapes and types of the outputs are those of the parts in this order."""
    of = dict(zip(order, outputs, strict=True))
    if any(of[part].dtype.name not in REAL_TYPES for part in ("boxes", "scores")):
        return False
    boxes, scores = of["boxes"].shape, of["scores"].shape
    if len(order) == len(RAW):
        boxes = boxes[:2] + boxes[3:] if len(boxes) == 4 and boxes[2] == 1 else boxes
        return len(boxes) == len(scores) == 3 and boxes == (1, scores[1], 4) and min(scores) > 0
    classes, count = of["classes"], of["count"]
    if any(each.dtype.name not in (*FLOAT_TYPES, *WHOLE_TYPES) for each in (classes, count)):
        return False
    of_each = scores[1:] if len(scores) > 1 and scores[0] == 1 else scores
    fit = (
        len(of_each) == 1 and of_each[0] > 0 and classes.shape == scores and boxes in ((1, *of_each, 4), (*of_each, 4))
    )
    return fit and prod(count.shape) == 1 and len(count.shape) <= len(scores)


def _with_scales(outputs: Sequence[TensorSpec], order: Sequence[Part]) -> Places:
    """The index of each part in this order, after a check that boxes and scores are real numbers."""
    for spec, part in zip(outputs, order, strict=True):
        if part in ("boxes", "scores") and spec.dtype.kind in "iu" and not spec.quantised:
            hint = "convert the model with the scales of its outputs, or name the outputs with output_order"
            raise ModelError("model-output", f"output {spec.name} {spec} has no scale, but should hold {part}", hint)
    return {part: place for place, part in enumerate(order)}


def _named_so(outputs: Sequence[TensorSpec], order: Sequence[Part], parts: tuple[Part, ...]) -> bool:
    """Whether no output's name contradicts its part."""
    for spec, part in zip(outputs, order, strict=True):
        common = re.fullmatch(r"(\w+)(?::(\d))?", spec.name)
        usual = NAMED_ORDERS.get(common[1], ()) if common else ()
        if common and usual and parts == POST_PROCESSED:
            number = int(common[2] or 0)
            expected = set(usual[number : number + 1])
        else:
            expected = {each for each, words in WORDS[parts].items() if re.search(words, spec.name.lower())}
        if expected and part not in expected:
            return False
    return True
