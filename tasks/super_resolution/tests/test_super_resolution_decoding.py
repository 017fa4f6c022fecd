"""Outputs become grey values: one at a time in plain Python against the codec, and the reference app's wrap-around."""

from __future__ import annotations

import math
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile_task_super_resolution import greys
from mlperf_mobile_task_super_resolution.options import TaskOptions
from mlperf_mobile_task_super_resolution.response import new_response
from mlperf_mobile_task_super_resolution.task import SuperResolution

HIGH = (1, 2, 4, 3)
"""24 values."""
numbers = st.one_of(
    st.floats(-400, 700, width=32),
    st.sampled_from(
        [0.0, -0.0, 0.999, 1.0, 254.999, 255.0, 255.5, 256.0, -0.5, -1.0, math.inf, -math.inf, 3e38, -3e38]
    ),
    st.integers(-300, 600).map(float),
)
eights = st.lists(st.integers(0, 255), min_size=24, max_size=24)


def bind(dtype="float32", scale=0.0, zero_point=0, shape=HIGH, output_range="0..255"):
    low = TensorSpec("low", (1, shape[1] // 2, shape[2] // 2, 3), np.dtype(np.float32))
    high = TensorSpec("high", shape, np.dtype(dtype), scale, zero_point)
    return SuperResolution(TaskOptions.model_validate({"output_range": output_range})).bind([low], [high])


def decoded(codec, values, dtype="float32"):
    return list(codec.decode((np.array(values, dtype).reshape(HIGH),)))


def app_grey(value):
    """The reference app's conversion of a float: truncated to int32, of which the lowest byte is taken (snu_sr.cc)."""
    return int(np.int32(math.trunc(value))) & 0xFF


class TestFloats:
    @given(st.lists(numbers, min_size=24, max_size=24))
    def test_clipped_and_cut_off(self, values):
        expected = [math.floor(min(255.0, max(0.0, value))) for value in values]
        assert decoded(bind(), values) == expected

    @given(st.lists(st.floats(0, 255.75, width=32), min_size=24, max_size=24))
    def test_inside_of_the_range_it_is_the_apps_conversion(self, values):
        assert decoded(bind(), values) == [app_grey(value) for value in values]

    @pytest.mark.parametrize(
        ("value", "ours", "apps"),
        [(256.0, 255, 0), (260.4, 255, 4), (300.0, 255, 44), (511.0, 255, 255), (-1.0, 0, 255), (-20.5, 0, 236)],
    )
    def test_the_apps_wrap_around_is_not_copied(self, value, ours, apps):
        """A white that is a little too bright is white, not black; a black that is a little too dark is black."""
        assert app_grey(value) == apps
        assert decoded(bind(), [value] * 24) == [ours] * 24

    def test_the_wrap_around_costs_the_app_decibels(self):
        """A model that overshoots by 2 at black and white is off by 2, not by 253."""
        truth = np.repeat(np.array([0, 255], np.uint8), 12)
        model = np.where(truth == 0, -2.0, 257.0)
        ours = np.array(decoded(bind(), model), float)
        apps = np.array([app_grey(value) for value in model], float)
        assert np.abs(ours - truth).max() == 0
        assert np.abs(apps - truth).min() == 254

    @given(st.lists(st.one_of(st.floats(-300, 600, width=16), st.just(math.inf)), min_size=24, max_size=24))
    def test_half_floats(self, values):
        expected = [math.floor(min(255.0, max(0.0, value))) for value in values]
        assert decoded(bind("float16"), values, "float16") == expected

    @pytest.mark.parametrize("dtype", ["float32", "float16"])
    @pytest.mark.parametrize("ends", ["0..255", "0..1"])
    def test_nan_is_black_without_a_warning(self, dtype, ends):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            told = decoded(bind(dtype, output_range=ends), [math.nan, 1.0] * 12, dtype)
        assert told == [0, 1 if ends == "0..255" else 255] * 12

    @given(st.lists(st.floats(-2, 3, width=32), min_size=24, max_size=24))
    @pytest.mark.parametrize(("ends", "black"), [("0..1", 0), ("-1..1", -1)])
    def test_other_ranges(self, ends, black, values):
        """Fractions are cut off, but for the last thousandth below a whole grey value, which float32 may have lost."""
        exact = [min(255.0, max(0.0, (value - black) * 255 / (1 - black))) for value in values]
        for told, real in zip(decoded(bind(output_range=ends), values), exact, strict=True):
            assert told in (math.floor(max(0, real - 1e-4)), math.floor(min(255, real + 2e-3)))

    @pytest.mark.parametrize(("ends", "black"), [("0..1", 0), ("-1..1", -1)])
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_whole_grey_values_of_other_ranges_stay(self, ends, black, dtype):
        """As a model gives them whose last operation dequantises: ``k * scale``, in float32."""
        scale = np.dtype(dtype).type((1 - black) / 255)
        stored = (np.arange(256).astype(dtype) * scale + black).astype(np.float32).repeat(3).reshape(1, 16, 16, 3)
        codec = bind(shape=(1, 16, 16, 3), output_range=ends)
        assert list(codec.decode((stored,))) == np.arange(256).repeat(3).tolist()

    def test_ends_of_other_ranges_are_black_and_white(self):
        assert decoded(bind(output_range="0..1"), [0.0, 1.0] * 12) == [0, 255] * 12
        assert decoded(bind(output_range="-1..1"), [-1.0, 1.0] * 12) == [0, 255] * 12


class TestIntegers:
    @given(eights)
    def test_bytes_are_grey_values(self, values):
        assert decoded(bind("uint8"), values, "uint8") == values
        assert decoded(bind("uint8", 1.0, 0), values, "uint8") == values

    @given(eights)
    @pytest.mark.parametrize(("scale", "zero_point"), [(0.0, 0), (1.0, -128), (1 / 255, -128), (0.999, -128)])
    def test_signed_bytes_are_grey_values_less_128(self, scale, zero_point, values):
        stored = [value - 128 for value in values]
        assert decoded(bind("int8", scale, zero_point), stored, "int8") == values

    @given(eights)
    @pytest.mark.parametrize(("scale", "zero_point"), [(1.1003665, 7), (2.0, 100), (0.5, 3), (20.0, 0)])
    def test_other_scales_are_the_models_own(self, scale, zero_point, values):
        expected = [round(min(255.0, max(0.0, scale * (value - zero_point)))) for value in values]
        told = decoded(bind("uint8", scale, zero_point), values, "uint8")
        assert told == expected
        assert decoded(bind("int8", scale, zero_point - 128), [v - 128 for v in values], "int8") == told

    @given(eights)
    def test_scales_of_0_to_1(self, values):
        codec = bind("int8", 1 / 128, -100, output_range="0..1")
        expected = [min(255.0, max(0.0, (value - 28) / 128 * 255)) for value in values]
        told = decoded(codec, [value - 128 for value in values], "int8")
        assert all(abs(one - other) <= 0.5 + 1e-9 for one, other in zip(told, expected, strict=True))

    @pytest.mark.parametrize("scale", [math.nan, math.inf, -1.0, 1e-30])
    def test_invalid_scales_are_ignored(self, scale):
        assert decoded(bind("uint8", scale, 77), range(24), "uint8") == list(range(24))


@pytest.mark.parametrize(
    ("dtype", "scale", "zero_point", "ends"),
    [
        ("float32", 0.0, 0, "0..255"),
        ("float32", 0.0, 0, "0..1"),
        ("uint8", 1.1, 7, "0..255"),
        ("int8", 0.0, 0, "0..255"),
    ],
)
def test_images_larger_than_a_block(dtype, scale, zero_point, ends, monkeypatch):
    """Row by row, colours together; the same in one block and in many."""
    rng = np.random.default_rng(0)
    values = rng.integers(-128 if dtype == "int8" else 0, 128 if dtype == "int8" else 256, (1, 60, 50, 3))
    values = values.astype(dtype) / (255 if ends == "0..1" else 1)
    codec = bind(dtype, scale, zero_point, values.shape, ends)
    whole = codec.decode((values.astype(dtype),))
    monkeypatch.setattr(greys, "BLOCK", 1000)
    assert codec.decode((values.astype(dtype),)) == whole
    assert len(whole) == 9000
    pixel = values.astype(dtype)[:, 7:8, 9:10].repeat(2, axis=1).repeat(2, axis=2)
    alone = bind(dtype, scale, zero_point, pixel.shape, ends).decode((pixel,))
    assert whole[3 * (7 * 50 + 9) :][:3] == alone[:3]


def test_threads_do_not_share_anything():
    codec = bind(output_range="0..1")
    images = [np.full(HIGH, number / 255, np.float32) for number in range(256)]
    with ThreadPoolExecutor(4) as pool:
        responses = list(pool.map(lambda image: codec.decode((image,)), images * 4))
    for number, response in enumerate(responses):
        assert max(response) - min(response) == 0
        assert abs(response[0] - number % 256) <= 1


class TestNewResponse:
    @given(st.binary(min_size=2, max_size=5000))
    def test_it_is_bytes_like_any_other(self, data):
        response, contents = new_response(len(data))
        contents[:] = np.frombuffer(data, np.uint8)
        del contents
        assert type(response) is bytes
        assert response == data
        assert hash(response) == hash(bytes(bytearray(data)))
        assert response.hex() == data.hex()
        assert response + b"!" == data + b"!"

    def test_each_one_is_new(self):
        pairs = [new_response(8) for _ in range(100)]
        for number, (_, contents) in enumerate(pairs):
            contents[:] = number
        assert [response for response, _ in pairs] == [bytes([number]) * 8 for number in range(100)]

    @pytest.mark.parametrize("size", [-1, 0, 1])
    def test_bytes_that_python_shares_are_not_filled(self, size):
        with pytest.raises(ValueError, match="cannot be filled"):
            new_response(size)
