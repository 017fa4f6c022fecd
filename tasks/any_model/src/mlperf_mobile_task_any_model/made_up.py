"""Made-up values of a tensor: uniform, in a range that its type suggests or the user gives; repeatable by the seed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from mlperf_mobile.contracts import TensorSpec, stored_values
from mlperf_mobile.errors import DataError
from mlperf_mobile_task_any_model.options import Bounds

OTHERS = "*"
"""In ranges, all inputs that are not named."""
MOST_INTEGER = 1
"""Highest made-up value of an integer that is neither quantised nor of 8 bits: valid in a mask, and as an index of
nearly every table."""


def made_up(spec: TensorSpec, ranges: Mapping[str, Bounds], seed: int, index: int, place: int) -> npt.NDArray[Any]:
    """The values of one input of one sample.

    ===================================  =============================
    type of the input                    distribution, unless a range is given
    ===================================  =============================
    floats                               uniform in [0, 1)
    quantised, or integers of 8 bits     uniform over all stored values
    other integers                       uniform over 0 and 1
    booleans                             true and false
    ===================================  =============================

    Args:
        spec: The input.
        ranges: Lowest and highest value by name of an input, both inclusive for integers and stored values.
        seed: The user's seed.
        index: The sample.
        place: The position of the input.

    Returns:
        An array with the shape and type of ``spec``.

    Raises:
        DataError: ``inputs-range``: the range does not fit the type.
    """
    random = np.random.Generator(np.random.PCG64([seed, index, place]))
    bounds = ranges.get(spec.name, ranges.get(OTHERS))
    kind = spec.dtype.kind
    if kind == "f":
        low, high = bounds or (0.0, 1.0)
        return np.asarray(low + (high - low) * random.random(spec.shape, np.float32)).astype(spec.dtype)
    if kind == "b":
        low, high = bounds or (0, 1)
        return random.integers(int(low), int(high), spec.shape, endpoint=True).astype(spec.dtype)
    limits = np.iinfo(spec.dtype.name)
    if bounds is None:
        whole = spec.quantised or spec.dtype.itemsize == 1
        low, high = (limits.min, limits.max) if whole else (0, MOST_INTEGER)
    elif spec.quantised:
        real = random.uniform(*bounds, spec.shape)
        return np.ascontiguousarray(stored_values(spec)(np.asarray(real))).reshape(spec.shape)
    else:
        low, high = bounds
        if not (limits.min <= low and high <= limits.max and low == int(low) and high == int(high)):
            hint = f"give whole numbers from {limits.min} to {limits.max}"
            raise DataError("inputs-range", f"input {spec.name} {spec} cannot hold {low:g} to {high:g}", hint)
    return random.integers(int(low), int(high), spec.shape, spec.dtype.type, endpoint=True)
