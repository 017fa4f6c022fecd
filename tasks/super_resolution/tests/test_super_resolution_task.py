"""The task, bound to models that fit and that do not, and what it feeds them."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image as Pillow
from pydantic import ValidationError

from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile.errors import DataError, ModelError
from mlperf_mobile_images.folder import ImageFolder
from mlperf_mobile_images.image import Image
from mlperf_mobile_images.resize import resize_bilinear
from mlperf_mobile_task_super_resolution.options import TaskOptions
from mlperf_mobile_task_super_resolution.pairs import LowResolution
from mlperf_mobile_task_super_resolution.task import SuperResolution

LOW, HIGH = (1, 4, 6, 3), (1, 8, 12, 3)
EVERY = np.arange(256, dtype=np.uint8)


def spec(shape, dtype="float32", scale=0.0, zero_point=0, name="t"):
    return TensorSpec(name, tuple(shape), np.dtype(dtype), scale, zero_point)


def bind(dtype="float32", scale=0.0, zero_point=0, low=LOW, high=HIGH, **options):
    return SuperResolution(TaskOptions.model_validate(options)).bind(
        [spec(low, dtype, scale, zero_point)], [spec(high)]
    )


def low_image(pixels, high=None):
    return LowResolution(pixels, "lr/7.png", prepared=True, high=high)


def every_grey(codec):
    """The tensor of an image with every grey value once in each colour, as [256, 3]."""
    (tensor,) = codec.encode(low_image(np.repeat(EVERY.reshape(16, 16, 1), 3, axis=2)))
    assert tensor.shape == (1, 16, 16, 3)
    return tensor.reshape(256, 3)


@pytest.mark.parametrize(
    ("inputs", "outputs"),
    [
        ([], [spec(HIGH)]),
        ([spec(LOW), spec(LOW)], [spec(HIGH)]),
        ([spec((1, 4))], [spec(HIGH)]),
        ([spec((1, 3, 4, 6))], [spec((1, 3, 8, 12))]),
        ([spec((1, 4, 6, 1))], [spec((1, 8, 12, 1))]),
        ([spec((1, 4, 6, 1))], [spec(HIGH)]),
        ([spec((2, 4, 6, 3))], [spec((2, 8, 12, 3))]),
        ([spec((1, 0, 6, 3))], [spec(HIGH)]),
        ([spec(LOW, "int32")], [spec(HIGH)]),
        ([spec(LOW)], []),
        ([spec(LOW)], [spec(HIGH), spec(HIGH)]),
        ([spec(LOW)], [spec(LOW)]),
        ([spec(LOW)], [spec((1, 0, 12, 3))]),
        ([spec(LOW)], [spec((1, 8, 18, 3))]),
        ([spec(LOW)], [spec((1, 9, 12, 3))]),
        ([spec(LOW)], [spec((1, 8, 12, 4))]),
        ([spec(LOW)], [spec((8, 12, 3))]),
        ([spec(LOW)], [spec(())]),
        ([spec(LOW)], [spec(HIGH, "int16")]),
        ([spec(LOW)], [spec(HIGH, "float64")]),
    ],
)
def test_models_that_do_not_fit_are_named(inputs, outputs):
    with pytest.raises(ModelError) as caught:
        SuperResolution(TaskOptions()).bind(inputs, outputs)
    assert caught.value.code in ("model-input", "model-output")


def test_the_message_says_what_the_tensor_is():
    with pytest.raises(ModelError, match=r"x float32\[1,8,18,3\].*\[1,4s,6s,3\]"):
        SuperResolution(TaskOptions()).bind([spec(LOW)], [spec((1, 8, 18, 3), name="x")])


@pytest.mark.parametrize("factor", [2, 3, 4, 8])
def test_the_factor_is_that_of_the_tensors(factor):
    codec = bind(high=(1, 4 * factor, 6 * factor, 3))
    assert len(codec.decode((np.zeros((1, 4 * factor, 6 * factor, 3), np.float32),))) == 72 * factor**2


@pytest.mark.parametrize("options", [{"input_range": "0-255"}, {"output_range": 1}, {"range": "0..1"}])
def test_unknown_options_are_refused(options):
    with pytest.raises(ValidationError):
        SuperResolution(TaskOptions.model_validate(options))


class TestEncoding:
    """Official models take grey values: float32 and uint8 as they are, int8 less 128 (snu_sr.cc)."""

    @pytest.mark.parametrize(("dtype", "offset"), [("float32", 0), ("uint8", 0), ("int8", 128)])
    def test_there_is_no_normalisation(self, dtype, offset):
        tensor = every_grey(bind(dtype, low=(1, 16, 16, 3), high=(1, 32, 32, 3)))
        assert tensor.dtype == np.dtype(dtype)
        for colour in range(3):
            assert tensor[:, colour].tolist() == [grey - offset for grey in range(256)]

    @pytest.mark.parametrize(("dtype", "zero_point"), [("uint8", 0), ("int8", -128)])
    @pytest.mark.parametrize("scale", [1.0, 0.9999, 1.0001, 1 / 255, 0.003921568859368563])
    def test_scales_of_official_models_change_nothing(self, dtype, zero_point, scale):
        tensor = every_grey(bind(dtype, scale, zero_point, (1, 16, 16, 3), (1, 32, 32, 3)))
        assert tensor[:, 0].tolist() == [grey - 128 * (dtype == "int8") for grey in range(256)]

    @pytest.mark.parametrize(
        ("dtype", "scale", "zero_point"), [("int8", 2.0, 0), ("uint8", 1.1, 7), ("int8", 1.5, -90)]
    )
    def test_other_scales_are_the_models_own(self, dtype, scale, zero_point):
        """``real = scale * (stored - zero_point)`` is as near to the grey value as the type can be."""
        stored = every_grey(bind(dtype, scale, zero_point, (1, 16, 16, 3), (1, 32, 32, 3)))[:, 0].astype(float)
        assert np.abs(scale * (stored - zero_point) - np.arange(256)).max() <= scale / 2 + 1e-9

    def test_a_scale_that_cannot_hold_white_saturates(self):
        """0.9 * (127 + 128) = 229.5 is the most."""
        stored = every_grey(bind("int8", 0.9, -128, (1, 16, 16, 3), (1, 32, 32, 3)))[:, 0]
        assert (stored[0], stored[9], stored[229:].tolist()) == (-128, -118, [126] + [127] * 26)

    @pytest.mark.parametrize(("ends", "black", "white"), [("0..1", 0, 1), ("-1..1", -1, 1)])
    def test_ranges_of_floats(self, ends, black, white):
        tensor = every_grey(bind(low=(1, 16, 16, 3), high=(1, 32, 32, 3), input_range=ends))
        assert tensor.dtype == np.float32
        np.testing.assert_allclose(tensor[:, 0], np.linspace(black, white, 256), atol=1e-6)

    def test_a_range_counts_for_scales_too(self):
        """-1..1 in int8 with scale 1/64: white is 64, and black -64."""
        tensor = every_grey(bind("int8", 1 / 64, 0, (1, 16, 16, 3), (1, 32, 32, 3), input_range="-1..1"))
        assert (tensor[0, 0], tensor[255, 0]) == (-64, 64)

    @pytest.mark.parametrize("scale", [float("nan"), float("inf"), -1.0])
    def test_invalid_scales_are_ignored(self, scale):
        tensor = every_grey(bind("uint8", scale, 9, (1, 16, 16, 3), (1, 32, 32, 3)))
        np.testing.assert_array_equal(tensor[:, 0], EVERY)


class TestSizes:
    PIXELS = np.arange(72, dtype=np.uint8).reshape(4, 6, 3)

    def test_images_of_pairs_are_never_resized(self):
        with pytest.raises(DataError, match=r"lr/7.png is \(5, 6, 3\), the model takes \(4, 6, 3\)") as caught:
            bind().encode(low_image(np.zeros((5, 6, 3), np.uint8)))
        assert caught.value.code == "image-size"

    def test_the_larger_image_has_to_be_the_models_too(self):
        bind().encode(low_image(self.PIXELS, high=(8, 12)))
        with pytest.raises(DataError, match=r"lr/7.png is 18x12, the model gives 12x8") as caught:
            bind().encode(low_image(self.PIXELS, high=(12, 18)))
        assert caught.value.code == "image-size"

    @pytest.mark.parametrize("dtype", ["float32", "uint8", "int8"])
    def test_images_of_plain_folders_are_resized(self, dtype, tmp_path):
        """By the benchmark's bilinear method, whose fractions integers cut off."""
        pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
        Pillow.fromarray(pixels).save(tmp_path / "a.png")
        (tensor,) = bind(dtype).encode(ImageFolder(tmp_path, None).sample(0))
        expected = resize_bilinear(pixels, (4, 6))
        if dtype != "float32":
            expected = np.floor(expected) - 128 * (dtype == "int8")
        assert (tensor.dtype, tensor.shape) == (np.dtype(dtype), LOW)
        np.testing.assert_array_equal(tensor[0], expected)

    def test_images_of_plain_folders_that_fit_are_left_alone(self):
        (tensor,) = bind().encode(Image(self.PIXELS, "a.png"))
        np.testing.assert_array_equal(tensor[0], self.PIXELS)

    def test_raw_files_of_plain_folders_have_the_models_size(self):
        (tensor,) = bind().encode(Image(self.PIXELS.reshape(-1), "a.rgb8", prepared=True))
        np.testing.assert_array_equal(tensor[0], self.PIXELS)
        with pytest.raises(DataError, match=r"a.rgb8 has 71 bytes"):
            bind().encode(Image(self.PIXELS.reshape(-1)[:71], "a.rgb8", prepared=True))

    @pytest.mark.parametrize("sample", [np.zeros((4, 6, 3), np.uint8), None, b"image"])
    def test_samples_that_are_no_images_are_refused(self, sample):
        with pytest.raises(DataError):
            bind().encode(sample)


def test_recipes_tell_what_the_input_depends_on():
    recipes = {
        bind().recipe,
        bind("uint8").recipe,
        bind("int8").recipe,
        bind("int8", 2.0).recipe,
        bind("int8", 2.0, 3).recipe,
        bind(input_range="0..1").recipe,
        bind(low=(1, 8, 6, 3), high=(1, 16, 12, 3)).recipe,
    }
    assert len(recipes) == 7
    assert bind().recipe == bind(output_range="0..1").recipe == bind(high=(1, 12, 18, 3)).recipe


def test_a_plain_folder_has_no_accuracy(tmp_path):
    Pillow.new("RGB", (6, 4)).save(tmp_path / "a.png")
    with pytest.raises(DataError) as caught:
        SuperResolution(TaskOptions()).metric(ImageFolder(tmp_path, None))
    assert caught.value.code == "no-labels"
