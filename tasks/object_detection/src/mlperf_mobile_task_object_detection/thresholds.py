"""Finds the scores above the threshold: one pass over the stored values, then an exact test of the few that remain."""

from __future__ import annotations

from math import floor, inf, log
from typing import Any

import numpy as np
import numpy.typing as npt

from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile_task_object_detection.options import TaskOptions
from mlperf_mobile_task_object_detection.outputs import Real

Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.intp]
Stored = npt.NDArray[Any]

SLACK = 1e-5
"""Safety margin of the first pass, for rounding."""


class Threshold:
    """Finds the scores that reach the threshold as probabilities, except the background's.

    Args:
        spec: The scores, [1, anchors, columns].
        options: Threshold, activation, and whether the first column is the background's.
    """

    def __init__(self, spec: TensorSpec, options: TaskOptions) -> None:
        self._real, self._columns = Real(spec), spec.shape[2]
        self._activation, self._background = options.score_activation, options.background
        self._threshold = np.float32(options.score_threshold)
        least = options.score_threshold if self._activation == "none" else _logit(options.score_threshold)
        self._margin = np.float32(least - SLACK * (1 + abs(least)))
        self._stored: Any = _as_stored(float(self._margin), spec)

    def passing(self, stored: Stored) -> tuple[Indices, Indices, Floats]:
        """Anchor, column and probability of each score that passes, by anchor and column.

        Args:
            stored: [anchors, columns], as the model outputs them; NaN never passes.
        """
        if self._activation == "softmax":
            anchors, columns, scores = self._softmax(stored)
        else:
            high = stored >= self._stored if self._real.by_column else stored.reshape(-1) >= self._stored
            places = np.flatnonzero(high)
            anchors, columns = places // self._columns, places % self._columns
            scores = self._real(stored[anchors, columns], columns)
            if self._activation == "sigmoid":
                scores = sigmoid(scores)
        kept = scores >= self._threshold
        if self._background:
            kept &= columns > 0
        return anchors[kept], columns[kept], scores[kept]

    def _softmax(self, stored: Stored) -> tuple[Indices, Indices, Floats]:
        values = self._real(stored)
        rows = np.arange(len(values))
        if self._background:  # a class can only reach p if it exceeds the background by logit(p)
            rows = np.flatnonzero(values[:, 1:].max(axis=1) - values[:, 0] >= self._margin)
        chances = softmax(values[rows])
        places, columns = np.nonzero(chances >= self._threshold)
        return rows[places], columns, chances[places, columns]


def sigmoid(values: Floats) -> Floats:
    """``1 / (1 + exp(-x))``."""
    one = np.float32(1)
    with np.errstate(over="ignore"):
        result: Floats = one / (one + np.exp(-values))
    return result


def softmax(values: Floats) -> Floats:
    """``exp(x) / sum(exp(x))`` of each row."""
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    result: Floats = powers / powers.sum(axis=1, keepdims=True)
    return result


def _logit(share: float) -> float:
    return log(share / (1 - share)) if 0 < share < 1 else -inf if share == 0 else inf


def _as_stored(value: float, spec: TensorSpec) -> Any:
    """The largest stored number whose real value is at most ``value``; one per column if there are several scales."""
    kind: Any = spec.dtype.type
    if not spec.quantised:
        return np.nextafter(kind(value), kind(-inf))
    limits = np.iinfo(kind)

    def least(scale: float, zero_point: int) -> int:
        return floor(min(max(zero_point + value / scale, limits.min), limits.max))

    if not spec.scales:
        return least(spec.scale, spec.zero_point)
    return np.array([least(*each) for each in zip(spec.scales, spec.zero_points, strict=True)], spec.dtype)
