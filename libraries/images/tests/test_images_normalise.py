"""The three normalisations, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from mlperf_mobile_images.normalise import normalise


def test_normalisations_by_hand():
    values = np.array([0, 127, 128, 255], np.uint8)
    np.testing.assert_allclose(normalise(values, np.dtype(np.float32)), [-1, -0.00392157, 0.00392157, 1], atol=1e-6)
    np.testing.assert_array_equal(normalise(values, np.dtype(np.uint8)), values)
    np.testing.assert_array_equal(normalise(values, np.dtype(np.int8)), [-128, -1, 0, 127])


def test_casts_truncate_towards_zero():
    """A resized value of 126.9 is -1.1 for int8, which truncates to -1 and not to -2."""
    values = np.array([126.9, 0.9, 200.99], np.float32)
    np.testing.assert_array_equal(normalise(values, np.dtype(np.int8)), [-1, -127, 72])
    np.testing.assert_array_equal(normalise(values, np.dtype(np.uint8)), [126, 0, 200])


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.uint8, np.int8])
@pytest.mark.parametrize("given", [np.float32, np.uint8])
def test_values_are_overwritten_only_on_request(dtype, given):
    """And the result is the same; float32 then takes no other memory."""
    values = np.arange(256).astype(given)
    kept = values.copy()
    expected = normalise(values, np.dtype(dtype))
    np.testing.assert_array_equal(values, kept)
    found = normalise(values, np.dtype(dtype), overwrite=True)
    np.testing.assert_array_equal(found, expected)
    assert (found is values) == (dtype == given == np.float32)


def test_other_types_are_refused():
    with pytest.raises(ValueError, match="float64"):
        normalise(np.zeros(1), np.dtype(np.float64))
