"""Stores prepared images in a model's integer input: by the benchmark's rule, or by the tensor's scales.

The benchmark's rule, for uint8 and int8, is that of the reference app: ``x`` and ``x - 128``, whatever scale and zero
point are (TensorFlow Lite, tools/evaluation/stages/image_preprocessing_stage.cc). It spreads the image over the whole
tensor, which is right for a tensor that was made for the image's range, be that -1 to 1, 0 to 1 or 0 to 255. A tensor
that was made for a wider range than -1 to 1, or for a part of it, would get other real values than the model's float
version gets: there its scales decide.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from mlperf_mobile.contracts import TensorSpec, check_quantisation, stored_values
from mlperf_mobile.errors import ModelError

WHOLE_TYPES = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
"""Integers that models give as classes, labels, counts and scores."""
NEAR = 1.5
"""Steps of the tensor that the benchmark's rule may be off, at most, to count as what the scales ask for."""
OVERLAP = 0.75
"""Of the range from -1 to 1, that a tensor has to cover to be made for it."""
LEVELS = 16
"""Stored values between -1 and 1, that it must have at least."""

Store = Callable[[npt.NDArray[Any]], npt.NDArray[Any]]


def storing(spec: TensorSpec, *, official: bool = False) -> Store | None:
    """A function of real values from -1 to 1 to stored ones; None where the benchmark's rule for the type holds.

    Args:
        spec: The image input, [1, H, W, C].
        official: The benchmark's rule holds for uint8 and int8, whatever the scales are.

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
    """The lowest and the highest real value, of each channel."""
    limits, (scale, zero_point) = np.iinfo(spec.dtype.name), spec.scale_arrays()
    return scale * (limits.min - zero_point), scale * (limits.max - zero_point)


def _made_for_it(spec: TensorSpec) -> bool:
    low, high = _ends(spec)
    covered = np.minimum(high, 1) - np.maximum(low, -1)
    return bool((covered >= 2 * OVERLAP).all() and (spec.scale_arrays()[0] <= 2 / LEVELS).all())


def _near_the_rule(spec: TensorSpec) -> bool:
    """Whether the rule gives the real values that the scales ask for, but for rounding."""
    scale, zero_point = (each.reshape(-1, 1) for each in spec.scale_arrays())
    images = np.arange(256)
    stored = images - 128 if spec.dtype == np.int8 else images
    off = np.abs((images - 127.5) / 127.5 - scale * (stored - zero_point))
    return bool((off <= NEAR * scale).all())
