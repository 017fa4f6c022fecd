"""Outputs of every type: labels, and scores whose order by class depends on ``scale * (stored - zero_point)``."""

from __future__ import annotations

import numpy as np
import pytest

from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile.errors import ModelError
from mlperf_mobile_task_semantic_segmentation.outputs import reading

INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
SMALL = ("int8", "uint8", "int16", "uint16")


def spec(shape: tuple[int, ...], dtype: str, **scales: object) -> TensorSpec:
    return TensorSpec("t", shape, np.dtype(dtype), **scales)  # type: ignore[arg-type]


def decoded(one: TensorSpec, values: object, *, background: bool = True) -> list[int]:
    decode = reading(one, background=background)
    assert decode is not None
    return list(decode(np.array(values, one.dtype).reshape(one.shape)))


@pytest.mark.parametrize("dtype", INTEGERS)
def test_labels(dtype: str) -> None:
    assert decoded(spec((1, 2, 2), dtype), [0, 1, 31, 127]) == [0, 1, 31, 127]
    assert decoded(spec((1, 2, 2, 1), dtype), [0, 1, 31, 127], background=False) == [1, 2, 32, 128]


@pytest.mark.parametrize("dtype", INTEGERS)
def test_labels_with_a_zero_point(dtype: str) -> None:
    zero = -128 if dtype == "int8" else 3
    stored = [zero, zero + 1, zero + 31, zero + 100]
    assert decoded(spec((1, 2, 2), dtype, scale=1.0, zero_point=zero), stored) == [0, 1, 31, 100]
    assert decoded(spec((1, 2, 2), dtype, scale=1.0, zero_point=zero), stored, background=False) == [1, 2, 32, 101]


@pytest.mark.parametrize("dtype", SMALL)
def test_a_scale_that_labels_cannot_have_is_passed_over(dtype: str) -> None:
    """As in the app, which reads bytes: such scales are left over from the scores that the labels were made of."""
    assert decoded(spec((1, 2, 2), dtype, scale=0.25, zero_point=9), [0, 1, 31, 127]) == [0, 1, 31, 127]


@pytest.mark.parametrize("by_class", [False, True])
@pytest.mark.parametrize("dtype", SMALL)
def test_best_scores(dtype: str, by_class: bool) -> None:
    limits, rng = np.iinfo(dtype), np.random.default_rng(3)
    shape = (1, 9, 11, 5)
    stored = rng.integers(limits.min, limits.max, shape, endpoint=True).astype(dtype)
    stored[0, :4] = stored[0, :4] // 64  # ties
    scales, zeros = (0.5, 0.25, 1.0, 0.125, 2.0), (1, 0, 3, 5, 2)
    if not by_class:
        scales, zeros = (0.5,) * 5, (7,) * 5
    told = {"scales": scales, "zero_points": zeros, "axis": 3} if by_class else {"scale": 0.5, "zero_point": 7}
    expected = []
    for pixel in stored.reshape(-1, 5).tolist():
        real = [scale * (q - zero) for scale, q, zero in zip(scales, pixel, zeros, strict=True)]
        expected.append(real.index(max(real)))
    assert decoded(spec(shape, dtype, **told), stored) == expected


def test_scales_by_row_are_refused() -> None:
    rows = spec((1, 2, 2, 4), "int8", scales=(1.0, 2.0), zero_points=(0, 0), axis=1)
    with pytest.raises(ModelError, match="scales along axis 1"):
        reading(rows, background=True)
