"""Grey values in 16-bit tensors, in half floats, and in tensors with a scale for each colour."""

from __future__ import annotations

import numpy as np
import pytest

from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile.errors import ModelError
from mlperf_mobile_task_super_resolution.greys import ENDS, reading, storing
from mlperf_mobile_task_super_resolution.options import Range, TaskOptions
from mlperf_mobile_task_super_resolution.pairs import LowResolution
from mlperf_mobile_task_super_resolution.task import SuperResolution

SHAPE = (1, 16, 16, 3)
EVERY = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1).reshape(SHAPE)
SCALES = {
    "int16": (1 / 64, 0),
    "uint16": (1 / 256, 5),
    "int8": (1.0, -128),
    "uint8": (1.0, 0),
}  # of tensors whose real values are 0 to 255


def spec(dtype: str, **scales: object) -> TensorSpec:
    return TensorSpec("t", SHAPE, np.dtype(dtype), **scales)  # type: ignore[arg-type]


def scaled(dtype: str, ends: Range, *, by_channel: bool) -> tuple[TensorSpec, list[tuple[float, int]]]:
    scale, zero_point = SCALES[dtype]
    black, white = ENDS[ends]
    scale *= (white - black) / 255
    zero_point -= round(black / scale)
    limits = np.iinfo(dtype)
    each = [(scale, min(max(zero_point, limits.min), limits.max))] * 3
    if not by_channel:
        return spec(dtype, scale=each[0][0], zero_point=each[0][1]), each
    each = [(scale, each[0][1]), (scale * 1.01, each[0][1]), (scale * 1.1, each[0][1])]
    return spec(dtype, scales=tuple(s for s, _ in each), zero_points=tuple(z for _, z in each), axis=3), each


@pytest.mark.parametrize("by_channel", [False, True])
@pytest.mark.parametrize(
    ("dtype", "ends"), [*(("int16", ends) for ends in ENDS), ("uint16", "0..255"), ("uint16", "0..1")]
)
def test_stored_and_read(dtype: str, ends: Range, by_channel: bool) -> None:
    one, each = scaled(dtype, ends, by_channel=by_channel)
    black, white = ENDS[ends]
    stored = storing(one, ends)(EVERY)
    assert stored.dtype == np.dtype(dtype) and stored.shape == SHAPE
    for grey, row in enumerate(stored.reshape(256, 3).tolist()):
        for value, (scale, zero_point) in zip(row, each, strict=True):
            real = black + grey * (white - black) / 255
            assert abs(scale * (value - zero_point) - real) <= 0.5001 * scale
    np.testing.assert_array_equal(np.frombuffer(reading(one, ends)(stored), np.uint8).reshape(SHAPE), EVERY)


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_colours_with_scales_of_their_own(dtype: str) -> None:
    one, each = scaled(dtype, "0..255", by_channel=True)
    stored = np.arange(256).astype(np.uint8).view(dtype)[EVERY]
    found = np.frombuffer(reading(one, "0..255")(stored), np.uint8).reshape(256, 3)
    for row, values in zip(found.tolist(), stored.reshape(256, 3).tolist(), strict=True):
        for grey, value, (scale, zero_point) in zip(row, values, each, strict=True):
            assert abs(grey - min(max(scale * (value - zero_point), 0), 255)) <= 0.5001


def test_half_floats() -> None:
    stored = storing(spec("float16"), "0..255")(EVERY)
    assert stored.dtype == np.float16
    np.testing.assert_array_equal(stored, EVERY)
    assert storing(spec("float16"), "0..1")(EVERY).dtype == np.float16


@pytest.mark.parametrize("dtype", ["int16", "uint16"])
@pytest.mark.parametrize(
    "scales", [{}, {"scale": 1e-9}, {"scales": (1.0, 1e-9, 1.0), "zero_points": (0,) * 3, "axis": 3}]
)
def test_wide_tensors_need_scales_that_tell(dtype: str, scales: dict[str, object]) -> None:
    with pytest.raises(ModelError) as stored:
        storing(spec(dtype, **scales), "0..255")
    with pytest.raises(ModelError) as read:
        reading(spec(dtype, **scales), "0..255")
    assert (stored.value.code, read.value.code) == ("model-input", "model-output")


def test_a_model_of_16_bits_end_to_end() -> None:
    low, high = (1, 16, 16, 3), (1, 32, 32, 3)
    inputs = [TensorSpec("low", low, np.dtype(np.int16), 1 / 64, 0)]
    codec = SuperResolution(TaskOptions()).bind(inputs, [TensorSpec("high", high, np.dtype(np.int16), 1 / 64, 0)])
    (tensor,) = codec.encode(LowResolution(EVERY[0], "greys", prepared=True))
    np.testing.assert_array_equal(tensor, EVERY.astype(np.int16) * 64)
    doubled = tensor.repeat(2, axis=1).repeat(2, axis=2)
    assert codec.decode((doubled,)) == EVERY.repeat(2, axis=1).repeat(2, axis=2).tobytes()
