"""What each output of a detector holds: told by shapes and types where they suffice, or by usual names and orders."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import permutations
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile.errors import ModelError
from mlperf_mobile_images.model_input import describe
from mlperf_mobile_task_object_detection.options import Part

REAL_TYPES = ("float32", "float16", "uint8", "int8")
WHOLE_TYPES = ("int32", "int64")
"""Of classes and counts, besides the others."""

POST_PROCESSED: tuple[Part, ...] = ("boxes", "classes", "scores", "count")
"""The order in which TFLite_Detection_PostProcess and the reference app have them."""
RAW: tuple[Part, ...] = ("boxes", "scores")
NAMED_ORDERS: Mapping[str, tuple[Part, ...]] = {
    "TFLite_Detection_PostProcess": POST_PROCESSED,
    "StatefulPartitionedCall": ("count", "scores", "classes", "boxes"),
}
"""Of outputs called ``name``, ``name:1``, ``name:2``, …, as the TensorFlow Object Detection API's exporters do."""
WORDS: Mapping[tuple[Part, ...], Mapping[Part, str]] = {
    POST_PROCESSED: {"boxes": "box", "classes": "class|label|categ", "scores": "score|prob|conf", "count": "num|count"},
    RAW: {"boxes": "box|loc|regress", "scores": "class|label|score|prob|conf|logit"},
}  # fmt: skip
"""What the names of outputs may contain."""
_OTHER = "give a detector with --model, or choose the task that fits the model"

Places = Mapping[Part, int]
"""Which output holds what."""


class Real:
    """The numbers that an output stands for: ``scale * (stored - zero_point)`` where it is quantised."""

    def __init__(self, spec: TensorSpec) -> None:
        self.quantised = spec.scale != 0
        self.scale, self.zero_point = np.float32(spec.scale), np.float32(spec.zero_point)

    def __call__(self, stored: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """A new array, float32."""
        values = stored.astype(np.float32)
        if self.quantised:
            values -= self.zero_point
            values *= self.scale
        return values


def find_outputs(outputs: Sequence[TensorSpec], order: Sequence[Part] | None) -> Places:
    """Which output holds which part, of :data:`POST_PROCESSED` or of :data:`RAW`.

    Args:
        outputs: All outputs of the model.
        order: What the user says they are.

    Raises:
        ModelError: They are not a detector's, or cannot be told apart; names them.
    """
    for spec in outputs:
        if spec.dtype.name in ("uint8", "int8") and not 0 < spec.scale < np.inf:
            raise ModelError("model-output", f"output {spec.name} {spec} has no scale", _OTHER)
    if order is not None:
        if len(order) == len(outputs) and _fit(outputs, order):
            return {part: place for place, part in enumerate(order)}
        reason = f"the model gives {describe(outputs)}, which cannot be {', '.join(order)}"
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
        hint = f"say what they are, in order: --set 'output_order=[{', '.join(fitting[0])}]', or another order"
        raise ModelError("model-output", f"which output is which cannot be told: {describe(outputs)}", hint)
    return {part: place for place, part in enumerate(fitting[0])}


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
    if any(each.dtype.name not in (*REAL_TYPES, *WHOLE_TYPES) for each in (classes, count)):
        return False
    of_each = scores[1:] if len(scores) > 1 and scores[0] == 1 else scores
    fit = (
        len(of_each) == 1 and of_each[0] > 0 and classes.shape == scores and boxes in ((1, *of_each, 4), (*of_each, 4))
    )
    return fit and prod(count.shape) == 1 and len(count.shape) <= len(scores)


def _named_so(outputs: Sequence[TensorSpec], order: Sequence[Part], parts: tuple[Part, ...]) -> bool:
    """Whether each output that has a telling name has that of its part."""
    for spec, part in zip(outputs, order, strict=True):
        common = re.fullmatch(r"(\w+)(?::(\d))?", spec.name)
        usual = NAMED_ORDERS.get(common[1], ()) if common else ()
        if common and usual and parts == POST_PROCESSED:
            number = int(common[2] or 0)
            told = set(usual[number : number + 1])
        else:
            told = {each for each, words in WORDS[parts].items() if re.search(words, spec.name.lower())}
        if told and part not in told:
            return False
    return True
