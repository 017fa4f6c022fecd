"""Turns outputs into one label per pixel: label maps of any type, and class scores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from mlperf_mobile.contracts import TensorSpec, check_quantisation
from mlperf_mobile.errors import ModelError
from mlperf_mobile_images.stored import WHOLE_TYPES

LABEL_TYPES = (*WHOLE_TYPES, "float32", "float16")
"""Types of label maps, from models that choose the class themselves."""
SCORE_TYPES = ("float32", "float16", "uint8", "int8", "int16", "uint16")
NONE = 255
"""The label of a pixel where the model's output is NaN."""
MAX_CLASSES = 254
BLOCK = 1 << 19
"""Bytes of scores transposed at a time: about what fits into a core's own cache."""

Array = npt.NDArray[Any]
Decode = Callable[[Array], bytes]


def reading(spec: TensorSpec, *, background: bool) -> Decode | None:
    """The function that turns a model's output into a response; None if the output is neither labels nor scores.

    Label maps are [1, H, W] or [1, H, W, 1], scores are [1, H, W, C]. The response has one byte per pixel, row by row.
    Labels with scale 1 are ``stored - zero_point``; with another scale, which labels never need, they are as stored.

    Args:
        spec: The output.
        background: Whether the model's label 0 means none of the classes; otherwise it is class 1.

    Raises:
        ModelError: Scales that no tensor can have.
    """
    check_quantisation(spec)
    shape, name = spec.shape, spec.dtype.name
    first = 0 if background else 1
    if len(shape) not in (3, 4) or shape[0] != 1 or min(shape) < 1:
        return None
    if len(shape) == 3 or shape[3] == 1:
        if np.issubdtype(spec.dtype, np.floating):
            return _float_labels(first) if name in LABEL_TYPES else None
        return _integer_labels(first - (spec.zero_point if spec.scale == 1 else 0)) if name in LABEL_TYPES else None
    return _best_labels(spec, first) if name in SCORE_TYPES and shape[3] <= MAX_CLASSES else None


def _integer_labels(shift: int) -> Decode:
    """Integer labels plus ``shift``; wide types are reduced to the lowest byte, as in the reference app."""
    first = shift & 0xFF

    def decode(values: Array) -> bytes:
        labels = values if values.dtype.itemsize == 1 else values.astype(np.uint8)
        return (labels.view(np.uint8) + np.uint8(first) if first else labels).tobytes()

    return decode


def _float_labels(first: int) -> Decode:
    """Floating-point labels, as from some backends: truncated, then the lowest byte, as in the reference app."""

    def decode(values: Array) -> bytes:
        with np.errstate(invalid="ignore"):
            labels = values.astype(np.int32).astype(np.uint8)
            numbers = bool(np.isfinite(values.sum(dtype=np.float64)))
        if first:
            labels += np.uint8(first)
        if not numbers:
            labels[~np.isfinite(values)] = NONE
        return labels.tobytes()

    return decode


def _best_labels(spec: TensorSpec, first: int) -> Decode:
    """The class of the largest score, the first one among equals; NaN never wins.

    Equal to ``argmax`` over the last axis, NaN aside. ``argmax`` costs 50 ns per pixel, because it starts anew for each
    one; here a block at a time is transposed, classes into rows, so that all its pixels are compared together:
    benchmarks/scoring_segmentation.py.
    """
    classes = spec.shape[3]
    halves = spec.dtype == np.float16
    several = bool(spec.scales)  # one scale leaves the order of the scores as it is
    dtype = np.dtype(np.float32) if halves or several else spec.dtype  # exact, and numpy has no fast half floats
    scale, zero_point = (each.reshape(-1, 1).astype(np.float32) for each in spec.scale_arrays())
    if several and spec.axis != 3:
        reason = f"output {spec.name} {spec} has scales along axis {spec.axis}"
        raise ModelError(
            "model-output", reason, "convert the model with one scale for its scores, or one for each class"
        )
    largest = np.fmax if np.issubdtype(dtype, np.floating) else np.maximum
    pixels = max(64, BLOCK // (classes * dtype.itemsize))
    marks = (NONE - first - np.arange(classes)).astype(np.uint8)[:, None]  # falls with the class, and is never 0

    def decode(values: Array) -> bytes:
        scores = values.reshape(-1, classes)
        labels = np.empty(len(scores), np.uint8)
        rows = np.empty((classes, min(pixels, len(scores))), dtype)
        best = np.empty(rows.shape[1], dtype)
        won = np.empty(rows.shape, np.bool_)
        for start in range(0, len(scores), pixels):
            block = scores[start : start + pixels].T
            count = block.shape[1]
            turned, winning, label = rows[:, :count], won[:, :count], labels[start : start + count]
            np.copyto(turned, block)
            if several:
                np.subtract(turned, zero_point, out=turned)
                np.multiply(turned, scale, out=turned)
            largest.reduce(turned, axis=0, out=best[:count])
            np.equal(turned, best[:count], out=winning)
            marked = winning.view(np.uint8)
            np.multiply(marked, marks, out=marked)
            np.maximum.reduce(marked, axis=0, out=label)
            np.subtract(NONE, label, out=label)
        return labels.tobytes()

    return decode
