"""What integer image inputs store, by hand: the benchmark's rule, or ``real = scale * (stored - zero_point)``."""

from __future__ import annotations

import numpy as np
import pytest

from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile.errors import ModelError
from mlperf_mobile_images.image import Image
from mlperf_mobile_images.model_input import ImageInput
from mlperf_mobile_images.normalise import normalise

GREYS = np.arange(256, dtype=np.uint8)
SHAPE = (1, 16, 16, 3)
PIXELS = np.repeat(GREYS.reshape(16, 16, 1), 3, axis=2)
REAL = [(grey - 127.5) / 127.5 for grey in range(256)]


def spec(dtype: str, **scales: object) -> TensorSpec:
    return TensorSpec("images", SHAPE, np.dtype(dtype), **scales)  # type: ignore[arg-type]


def encoded(one: TensorSpec, *, official: bool = False) -> np.ndarray:
    image = ImageInput([one], lambda pixels, height, width, dtype: normalise(pixels, dtype), official=official)
    (tensor,) = image.encode(Image(PIXELS, "greys"))
    assert tensor.shape == SHAPE and tensor.dtype == one.dtype and tensor.flags.c_contiguous
    return tensor.reshape(256, 3)


OFFICIAL = [
    ("uint8", {}),
    ("int8", {}),
    ("uint8", {"scale": 0.0078125, "zero_point": 128}),  # the rounds' uint8 models
    ("int8", {"scale": 0.007843137718737125, "zero_point": -1}),
    ("int8", {"scale": 1 / 127, "zero_point": 0}),
    ("uint8", {"scale": 2 / 255, "zero_point": 127}),
    ("uint8", {"scale": 1.0, "zero_point": 0}),  # made for 0 to 255
    ("int8", {"scale": 1.0, "zero_point": -128}),
    ("uint8", {"scale": 1 / 255, "zero_point": 0}),  # made for 0 to 1
    ("int8", {"scale": 1 / 255, "zero_point": -128}),
    ("uint8", {"scales": (0.0078125,) * 3, "zero_points": (127, 128, 128), "axis": 3}),
]


@pytest.mark.parametrize("official", [False, True])
@pytest.mark.parametrize(("dtype", "scales"), OFFICIAL)
def test_the_benchmarks_rule(dtype: str, scales: dict[str, object], official: bool) -> None:
    expected = GREYS if dtype == "uint8" else (GREYS.astype(int) - 128).astype(np.int8)
    found = encoded(spec(dtype, **scales), official=official)
    for channel in range(3):
        np.testing.assert_array_equal(found[:, channel], expected)


MADE_FOR_MORE = [
    ("uint8", 0.012566016986966133, 131),  # EfficientNet-Lite0: -1.65 to 1.56
    ("int8", 1 / 64, 0),
    ("uint8", 0.0187, 114),
    ("int8", 0.00725, 2),  # -0.94 to 0.91: what is outside is clipped
    ("int16", 1 / 32767, 0),
    ("int16", 1 / 20000, 0),
    ("uint16", 2 / 65535, 32768),
]


@pytest.mark.parametrize(("dtype", "scale", "zero_point"), MADE_FOR_MORE)
def test_scales_decide(dtype: str, scale: float, zero_point: int) -> None:
    limits = np.iinfo(dtype)
    found = encoded(spec(dtype, scale=scale, zero_point=zero_point))
    low, high = scale * (limits.min - zero_point), scale * (limits.max - zero_point)
    for grey, row in enumerate(found):
        real = min(max(REAL[grey], low), high)
        assert all(abs(scale * (int(q) - zero_point) - real) <= 0.5001 * scale for q in row)


def test_scales_decide_by_channel() -> None:
    scales, zero_points = (1 / 64, 1 / 100, 1 / 127.5), (0, 10, -1)
    found = encoded(spec("int8", scales=scales, zero_points=zero_points, axis=3))
    for grey in (0, 60, 128, 200, 255):
        for channel, (scale, zero_point) in enumerate(zip(scales, zero_points, strict=True)):
            wanted = min(max(round(REAL[grey] / scale) + zero_point, -128), 127)
            assert abs(int(found[grey, channel]) - wanted) <= 1


def test_the_benchmarks_rule_in_any_case() -> None:
    found = encoded(spec("uint8", scale=0.012566016986966133, zero_point=131), official=True)
    np.testing.assert_array_equal(found[:, 0], GREYS)


def test_half_floats() -> None:
    found = encoded(spec("float16"))
    np.testing.assert_array_equal(found[:, 1], np.float32(REAL).astype(np.float16))


@pytest.mark.parametrize("dtype", ["int16", "uint16"])
@pytest.mark.parametrize("scales", [{}, {"scale": 1.0}, {"scale": 1e-6}])
def test_wide_integers_need_a_scale(dtype: str, scales: dict[str, object]) -> None:
    with pytest.raises(ModelError, match=rf"images {dtype}\[1,16,16,3\]") as caught:
        encoded(spec(dtype, **scales))
    assert caught.value.code == "model-input"


def test_kept_samples_have_different_keys() -> None:
    def recipe(one: TensorSpec) -> str:
        return ImageInput([one], lambda p, h, w, d: normalise(p, d)).recipe("p 1")

    assert recipe(spec("int8")) == recipe(spec("int8", scale=1.0, zero_point=-128)) == "p 1: int8[1,16,16,3]"
    wide = [spec("int8", scale=1 / 64), spec("int8", scale=1 / 60), spec("int8", scale=1 / 64, zero_point=1)]
    assert len({recipe(one) for one in wide} | {recipe(spec("int8"))}) == 4
