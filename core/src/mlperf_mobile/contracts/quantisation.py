"""Conversion between the stored and the real values of quantised tensors: ``real = scale * (stored - zero_point)``.

Source: TensorFlow Lite, 8-bit quantisation specification; by tensor, or by channel along one axis.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from mlperf_mobile.contracts.tensors import TensorSpec
from mlperf_mobile.errors import ModelError

Floats = npt.NDArray[np.float32]
Array = npt.NDArray[Any]


def check_quantisation(spec: TensorSpec) -> None:
    """Refuse invalid scales.

    Raises:
        ModelError: ``model-tensor``: a scale is not positive, or there is not one scale for each channel.
    """
    scales, zero_points = spec.scales or (spec.scale,) * spec.quantised, spec.zero_points if spec.scales else (0,)
    wrong = ""
    if not all(0 < scale < np.inf for scale in scales):
        wrong = "scales that are not positive numbers"
    elif spec.scales and len(zero_points) != len(scales):
        wrong = f"{len(scales)} scales and {len(zero_points)} zero points"
    elif spec.scales and not (0 <= spec.axis < len(spec.shape) and spec.shape[spec.axis] == len(scales)):
        wrong = f"{len(scales)} scales along axis {spec.axis}"
    if wrong:
        summary = f"tensor {spec.name} {spec} has {wrong}"
        raise ModelError("model-tensor", summary, "convert the model with the scales of its tensors")


def real_values(spec: TensorSpec) -> Callable[[Array], Floats]:
    """A function from a whole tensor to its real values: a new float32 array of the same shape.

    Raises:
        ModelError: See :func:`check_quantisation`.
    """
    check_quantisation(spec)
    if not spec.quantised:
        return lambda stored: stored.astype(np.float32)
    wide = np.float32 if spec.dtype.itemsize <= 2 else np.float64  # holds every stored value exactly
    scale, zero_point = (each.astype(wide) for each in spec.scale_arrays())

    def real(stored: Array) -> Floats:
        values = np.subtract(stored.reshape(spec.shape), zero_point, dtype=wide)
        values *= scale
        result: Floats = values.astype(np.float32, copy=False)
        return result

    return real


def stored_values(spec: TensorSpec) -> Callable[[Array], Array]:
    """A function from real values to stored ones: rounded to nearest, ties to even, clipped to the type's range.

    Accepts any shape that broadcasts with the tensor's. For a tensor that is not quantised, it converts to its type.

    Raises:
        ModelError: See :func:`check_quantisation`.
    """
    check_quantisation(spec)
    if not spec.quantised:
        return lambda real: real.astype(spec.dtype, copy=False)
    scale, zero_point = spec.scale_arrays()
    limits = np.iinfo(spec.dtype.name)

    def stored(real: Array) -> Array:
        values = np.rint(real / scale) + zero_point
        return np.asarray(np.clip(values, limits.min, limits.max).astype(spec.dtype))

    return stored
