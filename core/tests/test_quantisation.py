"""``real = scale * (stored - zero_point)``, by tensor and by channel, against plain Python's numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlperf_mobile.contracts import TensorSpec, real_values, stored_values
from mlperf_mobile.errors import ModelError

TYPES = ("int8", "uint8", "int16", "uint16", "int32", "int64")
STEPS = st.floats(2**-13, 100, width=32)


def spec_of(dtype: str, scales: list[float], zero_points: list[int], *, by_channel: bool) -> TensorSpec:
    shape, kind = (1, 2, len(scales)), np.dtype(dtype)
    if by_channel:
        return TensorSpec("t", shape, kind, scales=tuple(scales), zero_points=tuple(zero_points), axis=2)
    return TensorSpec("t", shape, kind, scales[0], zero_points[0])


@pytest.mark.parametrize("by_channel", [False, True])
@pytest.mark.parametrize("dtype", TYPES)
@given(data=st.data())
def test_real_values(dtype: str, by_channel: bool, data: st.DataObject) -> None:
    limits = np.iinfo(dtype)
    values = st.integers(max(limits.min, -(2**40)), min(limits.max, 2**40))
    scales = data.draw(st.lists(STEPS, min_size=3, max_size=3))
    zero_points = data.draw(st.lists(values, min_size=3, max_size=3))
    stored = data.draw(st.lists(st.lists(values, min_size=3, max_size=3), min_size=2, max_size=2))
    found = real_values(spec_of(dtype, scales, zero_points, by_channel=by_channel))(np.array([stored], dtype))
    assert found.dtype == np.float32 and found.shape == (1, 2, 3)
    for row, mine in zip(stored, found[0], strict=True):
        for channel, value in enumerate(row):
            at = channel if by_channel else 0
            assert mine[channel] == pytest.approx(scales[at] * (value - zero_points[at]), rel=1e-6, abs=1e-30)


@pytest.mark.parametrize("by_channel", [False, True])
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16"])
def test_every_stored_value_is_found_again(dtype: str, by_channel: bool) -> None:
    limits = np.iinfo(dtype)
    scales, zero_points = [0.5, 0.0078125, 3.0], [limits.min + 5, limits.max - 1, 7]
    spec = spec_of(dtype, scales, zero_points, by_channel=by_channel)
    stored = np.linspace(limits.min, limits.max, 6).astype(dtype).reshape(1, 2, 3)
    back = stored_values(spec)(real_values(spec)(stored))
    assert back.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(back, stored)


def test_stored_by_hand() -> None:
    spec = TensorSpec("t", (1, 2), np.dtype(np.int8), scales=(0.5, 0.25), zero_points=(-1, 3), axis=1)
    found = stored_values(spec)(np.array([[1.0, 1.0], [100, -100]], np.float32))
    # 1 / 0.5 - 1 = 1; 1 / 0.25 + 3 = 7; 100 / 0.5 - 1 = 199, and int8 ends at 127
    np.testing.assert_array_equal(found, [[1, 7], [127, -128]])


@pytest.mark.parametrize(
    "fields",
    [
        {"scale": -1.0},
        {"scale": float("nan")},
        {"scale": float("inf")},
        {"scales": (1.0, 0.0), "zero_points": (0, 0), "axis": 1},
        {"scales": (1.0, 1.0), "zero_points": (0,), "axis": 1},
        {"scales": (1.0, 1.0), "zero_points": (0, 0), "axis": 0},
        {"scales": (1.0, 1.0), "zero_points": (0, 0), "axis": 2},
    ],
)
def test_scales_that_no_tensor_can_have(fields: dict[str, object]) -> None:
    with pytest.raises(ModelError, match="tensor bad") as caught:
        real_values(TensorSpec("bad", (1, 2), np.dtype(np.int8), **fields))  # type: ignore[arg-type]
    assert caught.value.code == "model-tensor"


def test_tensors_of_other_channels_are_not_the_same() -> None:
    one = TensorSpec("t", (1, 2), np.dtype(np.int8), scales=(1.0, 2.0), zero_points=(0, 0), axis=1)
    other = TensorSpec("t", (1, 2), np.dtype(np.int8), scales=(1.0, 3.0), zero_points=(0, 0), axis=1)
    assert one.quantisation != other.quantisation
    assert TensorSpec("t", (1, 2), np.dtype(np.int8), 1.0).quantisation == (1.0, 0, 0)
