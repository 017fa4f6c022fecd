"""Differences of tensors, against an independent formula of NumPy and SciPy's distance."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile_diff.differences import comparable, comparing, summarised

FLOATS = arrays.arrays(np.float32, (1, 7), elements=st.floats(-(2.0**100), 2.0**100, width=32))


def spec(dtype="float32", shape=(1, 7), **more):
    return TensorSpec("t", shape, np.dtype(dtype), **more)


def test_known_numbers():
    """By hand: a = (3, 4), b = (3, 5); |a - b| = (0, 1)."""
    found = comparing(spec(shape=(1, 2)), spec(shape=(1, 2)))(
        np.array([[3, 4]], np.float32), np.array([[3, 5]], np.float32)
    )
    assert not found.identical
    assert found.largest == pytest.approx(1)
    assert found.relative == pytest.approx(1 / 5)
    assert found.mean == pytest.approx(0.5)
    assert found.cosine == pytest.approx((9 + 20) / (5 * math.sqrt(34)))
    assert found.snr_db == pytest.approx(10 * math.log10(25 / 1))
    assert (found.unequal, found.not_finite) == (0.5, 0)


@given(FLOATS, FLOATS)
def test_against_longdouble(a, b):
    """The same formulas in another precision and order, without scaling."""
    found = comparing(spec(), spec())(a, b)
    x, y = a.astype(np.longdouble).ravel(), b.astype(np.longdouble).ravel()
    gap = np.abs(x - y)
    assert found.largest == pytest.approx(float(gap.max()), rel=1e-6)
    reach = max(np.abs(x).max(), np.abs(y).max())
    assert found.relative == pytest.approx(float(gap.max() / reach) if reach else 0.0, rel=1e-6, abs=1e-12)
    assert found.unequal == pytest.approx(np.count_nonzero(x != y) / 7)
    assert found.identical == (a.tobytes() == b.tobytes())
    if min(np.abs(x).max(), np.abs(y).max()) > reach * 1e-100 > 0:
        expected = np.sum(x * y) / np.sqrt(np.sum(x * x) * np.sum(y * y))
        assert found.cosine == pytest.approx(float(expected), abs=1e-6)


@given(FLOATS, st.floats(0.001, 10), st.integers(-100, 100))
def test_quantised_against_real(values, scale, zero_point):
    """Stored values are compared by what they mean: int8 against the float32 values that it stands for."""
    stored = np.clip(np.nan_to_num(values), -128, 127).astype(np.int8)
    real = (np.float32(scale) * (stored.astype(np.float32) - zero_point)).astype(np.float32)
    quantised = spec("int8", scale=float(np.float32(scale)), zero_point=zero_point)
    found = comparing(quantised, spec())(stored, real)
    assert not found.identical
    assert found.relative < 1e-6


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [([math.nan, 1], [math.nan, 1], 0), ([math.nan, 1], [0, 1], 1), ([math.inf, 1], [math.inf, 1], 0),
     ([math.inf, 1], [-math.inf, 1], 1), ([math.inf, math.nan], [1, 2], 2)],
)  # fmt: skip
def test_values_that_are_not_finite_are_counted(a, b, expected):
    measure = comparing(spec(shape=(1, 2)), spec(shape=(1, 2)))
    found = measure(np.array([a], np.float32), np.array([[*b]], np.float32) + np.float32(0))
    assert found.not_finite == expected
    assert all(math.isfinite(value) for value in (found.largest, found.relative, found.mean, found.cosine))


def test_zeros():
    """No direction, no signal: equal zeros are alike, zeros against anything are not."""
    zeros, ones = np.zeros((1, 7), np.float32), np.ones((1, 7), np.float32)
    measure = comparing(spec(), spec())
    assert measure(zeros, -zeros).cosine == 1  # other bits, equal values
    assert (measure(zeros, ones).cosine, measure(zeros, ones).snr_db) == (0, -math.inf)
    assert measure(ones, zeros).snr_db == pytest.approx(0)


def test_an_empty_tensor():
    found = comparing(spec(shape=(1, 0)), spec("int32", shape=(1, 0)))(
        np.zeros((1, 0), np.float32), np.zeros((1, 0), np.int32)
    )
    assert (found.largest, found.unequal, found.not_finite) == (0, 0, 0)


def test_other_shapes_are_not_compared():
    assert "float32[1,7] and float32[1,8]" in comparable(spec(), spec(shape=(1, 8)))
    assert comparable(spec(), spec("int8")) == ""


def test_a_summary_is_the_worst_of_each():
    measure = comparing(spec(shape=(1, 2)), spec(shape=(1, 2)))
    one = np.array([[1, 0]], np.float32)
    found = summarised([measure(one, one), measure(one, np.array([[0, 1]], np.float32))])
    assert (found.largest, found.cosine, found.identical, found.unequal) == (1, 0, 1, 1)
    assert found.median_relative == pytest.approx(0.5)
