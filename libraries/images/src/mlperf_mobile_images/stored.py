"""Stores prepared images in a model's integer input: by the benchmark's rule, or by the tensor's scales.

The benchmark's rule for uint8 and int8 is the reference app's: ``x`` and ``x - 128``, regardless of scale and zero
point (TensorFlow Lite, tools/evaluation/stages/image_preprocessing_stage.cc). It spreads the image over the whole
tensor, which is right for a tensor made for the image's range, such as -1 to 1, 0 to 1 or 0 to 255. A tensor made for a
wider range than -1 to 1, or for a part of it, would get other real values than the model's float version: there its
scales decide.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from mlperf_mobile.contracts import TensorSpec, check_quantisation, stored_values
from mlperf_mobile.errors import ModelError

WHOLE_TYPES = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
"""Integer types of classes, labels, counts and scores."""
NEAR = 1.5
"""The largest deviation, in steps of the tensor, at which the benchmark's rule counts as equal to the scales."""
OVERLAP = 0.75
"""The fraction of the range from -1 to 1 that a tensor made for it must cover."""
LEVELS = 16
"""The least number of stored values between -1 and 1."""

Store = Callable[[npt.NDArray[Any]], npt.NDArray[Any]]


def storing(spec: TensorSpec, *, official: bool = False) -> Store | None:
    """A function from real values, -1 to 1, to stored ones; None if the benchmark's rule for the type applies.

    Args:
        spec: The image input, [1, H, W, C].
        official: Always use the benchmark's rule for uint8 and int8, regardless of the scales.

    Raises:
        ModelError: Scales that no tensor can have, or 16-bit integers that are not made for values from -1 to 1.
    """
    if spec.dtype.kind == "f":
        return None
    check_quantisation(spec)
    made_for_it = spec.quantised and _made_for_it(spec)
    if spec.dtype.itemsize == 1 and (official or not made_for_it or _near_the_rule(spec)):
        return None
    if not made_for_it:
        low, high = _ends(spec)
        limits = f"is made for values from {low.min():g} to {high.max():g}" if spec.quantised else "has no scale"
        hint = "convert the model with float32, uint8 or int8 images"
        raise ModelError("model-input", f"the input {spec.name} {spec} {limits}, the task gives -1 to 1", hint)
    return stored_values(spec)


def _ends(spec: TensorSpec) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The lowest and the highest real value of each channel."""
    limits, (scale, zero_point) = np.iinfo(spec.dtype.name), spec.scale_arrays()
    return scale * (limits.min - zero_point), scale * (limits.max - zero_point)


def _made_for_it(spec: TensorSpec) -> bool:
    low, high = _ends(spec)
    covered = np.minimum(high, 1) - np.maximum(low, -1)
    return bool((covered >= 2 * OVERLAP).all() and (spec.scale_arrays()[0] <= 2 / LEVELS).all())


def _near_the_rule(spec: TensorSpec) -> bool:
    """Whether the rule gives the same real values as the scales, apart from rounding."""
    scale, zero_point = (each.reshape(-1, 1) for each in spec.scale_arrays())
    images = np.arange(256)
    stored = images - 128 if spec.dtype == np.int8 else images
    off = np.abs((images - 127.5) / 127.5 - scale * (stored - zero_point))
    return bool((off <= NEAR * scale).all())
