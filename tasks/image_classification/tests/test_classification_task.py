"""The task, bound to models that fit and that do not; decoding, and the metric."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow

from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile.errors import DataError, ModelError
from mlperf_mobile_images.image import Image
from mlperf_mobile_task_image_classification.imagenet import ImageNet
from mlperf_mobile_task_image_classification.metric import Top1
from mlperf_mobile_task_image_classification.options import ImageNetOptions, TaskOptions
from mlperf_mobile_task_image_classification.task import ImageClassification


def spec(shape, dtype="float32", name="t"):
    return TensorSpec(name, tuple(shape), np.dtype(dtype))


def bind(image=(1, 8, 8, 3), classes=(1, 10), dtype="float32", out="float32", offset=0):
    return ImageClassification(TaskOptions.model_validate({"label_offset": offset})).bind(
        [spec(image, dtype)], [spec(classes, out)]
    )


def picture(shape, prepared=False):
    return Image(np.arange(np.prod(shape), dtype=np.uint8).reshape(shape), "picture", prepared)


@pytest.mark.parametrize(
    ("inputs", "outputs"),
    [
        ([], [spec((1, 10))]),
        ([spec((1, 8, 8, 3)), spec((1, 8, 8, 3))], [spec((1, 10))]),
        ([spec((1, 4))], [spec((1, 10))]),
        ([spec((2, 8, 8, 3))], [spec((1, 10))]),
        ([spec((1, 3, 8, 8))], [spec((1, 10))]),
        ([spec((1, 8, 8, 3), "int32")], [spec((1, 10))]),
        ([spec((1, 8, 8, 3))], []),
        ([spec((1, 8, 8, 3))], [spec((1, 10)), spec((1, 10))]),
        ([spec((1, 8, 8, 3))], [spec((1, 10, 4))]),
        ([spec((1, 8, 8, 3))], [spec((1, 1))]),
        ([spec((1, 8, 8, 3))], [spec((10, 1))]),
        ([spec((1, 8, 8, 3))], [spec(())]),
        ([spec((1, 0, 8, 3))], [spec((1, 10))]),
        ([spec((1, 8, 8, 3))], [spec((1, 10), "int64")]),
    ],
)
def test_models_that_do_not_fit_are_named(inputs, outputs):
    with pytest.raises(ModelError) as caught:
        ImageClassification(TaskOptions()).bind(inputs, outputs)
    assert caught.value.code in ("model-input", "model-output")


def test_the_message_says_what_the_tensor_is():
    with pytest.raises(ModelError, match=r"x float32\[1,4\]"):
        ImageClassification(TaskOptions()).bind([spec((1, 4), name="x")], [spec((1, 10))])


def test_an_offset_that_leaves_no_classes():
    with pytest.raises(ModelError, match="label_offset 9"):
        bind(offset=9)


@pytest.mark.parametrize("classes", [(1, 10), (10,), (1, 1, 1, 10)])
def test_vectors_of_any_rank(classes):
    values = np.zeros(classes, np.float32)
    values.reshape(-1)[7] = 1
    assert bind(classes=classes).decode((values,)) == b"\x07\0\0\0"


@given(st.lists(st.integers(-128, 127), min_size=4, max_size=50), st.integers(0, 2))
def test_decoding_is_a_stable_sort(values, offset):
    """The class a stable sort by falling value puts first, behind the offset."""
    expected = sorted(range(len(values) - offset), key=lambda n: -values[n + offset])[0]
    codec = bind(classes=(1, len(values)), out="int8", offset=offset)
    assert codec.decode((np.array([values], np.int8),)) == expected.to_bytes(4, "little")


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_what_is_no_number_never_wins(dtype):
    nan = float("nan")
    codec = bind(classes=(1, 4), out=dtype)
    assert codec.decode((np.array([[nan, 1, 3, nan]], dtype),)) == (2).to_bytes(4, "little")
    assert codec.decode((np.array([[nan, -np.inf, nan, nan]], dtype),)) == (1).to_bytes(4, "little")
    assert codec.decode((np.full((1, 4), nan, dtype),)) == (-1).to_bytes(4, "little", signed=True)


def test_half_floats_compare_as_numbers():
    """As bit patterns, -1 (0xBC00) would be larger than 2 (0x4000)."""
    codec = bind(classes=(1, 3), out="float16")
    assert codec.decode((np.array([[-1, 2, 0.5]], np.float16),)) == (1).to_bytes(4, "little")


def test_prepared_images_are_only_normalised():
    (tensor,) = bind(image=(1, 4, 4, 1), dtype="int8").encode(picture((4, 4, 1), prepared=True))
    np.testing.assert_array_equal(tensor[0, :, :, 0], np.arange(16).reshape(4, 4) - 128)


def test_raw_images_get_the_models_shape():
    raw = Image(np.arange(48, dtype=np.uint8), "x.rgb8", prepared=True)
    (tensor,) = bind(image=(1, 4, 4, 3), dtype="uint8").encode(raw)
    np.testing.assert_array_equal(tensor[0], np.arange(48).reshape(4, 4, 3))


class TestAdaptableImages:
    """Packaged images, which performance runs of any classifier use."""

    @staticmethod
    def grey(size):
        return Image(np.full((size, size, 1), 200, np.uint8), "a coat", prepared=True, adaptable=True)

    def test_get_the_size_and_channels_of_the_model(self):
        (tensor,) = bind(image=(1, 8, 8, 3), dtype="uint8").encode(self.grey(4))
        assert tensor.shape == (1, 8, 8, 3)
        assert 199 <= tensor.min() <= tensor.max() <= 200

    def test_of_the_models_size_only_get_channels(self):
        sample = Image(np.arange(16, dtype=np.uint8).reshape(4, 4, 1), "a coat", prepared=True, adaptable=True)
        (tensor,) = bind(image=(1, 4, 4, 3), dtype="uint8").encode(sample)
        for channel in range(3):
            np.testing.assert_array_equal(tensor[0, :, :, channel], sample.pixels[:, :, 0])

    def test_that_fit_are_only_normalised(self):
        (tensor,) = bind(image=(1, 4, 4, 1), dtype="uint8").encode(self.grey(4))
        assert tensor.shape == (1, 4, 4, 1)


@pytest.mark.parametrize(
    ("sample", "code"),
    [
        (Image(np.zeros(47, np.uint8), "x.rgb8", prepared=True), "image-size"),
        (picture((9, 9, 1)), "image-channels"),
        (picture((4, 4, 1), prepared=True), "image-channels"),
        (picture((5, 4, 3), prepared=True), "image-size"),
    ],
)
def test_images_that_do_not_fit_are_named(sample, code):
    with pytest.raises(DataError) as caught:
        bind(image=(1, 4, 4, 3)).encode(sample)
    assert caught.value.code == code
    assert sample.source in caught.value.summary


def test_samples_that_are_no_images_are_refused():
    with pytest.raises(DataError, match="ndarray"):
        bind().encode(np.zeros((8, 8, 3), np.uint8))


@pytest.mark.parametrize("pixels", [np.zeros((8, 8), np.uint8), np.zeros((8, 8, 3)), np.zeros(0, np.uint8)])
def test_images_are_three_dimensions_of_bytes_or_flat(pixels):
    with pytest.raises(DataError) as caught:
        Image(pixels, "a picture")
    assert "a picture" in caught.value.summary


class Truths:
    def __init__(self, *truths):
        self._truths = truths

    def truth(self, index):
        return self._truths[index]


def test_top1_counts_right_answers():
    metric = Top1(Truths(3, 1, 2, 0))
    for index, answer in ((2, 2), (0, 3), (1, 0), (3, -1)):
        metric.update(index, answer.to_bytes(4, "little", signed=True))
    score = metric.score()
    assert (score.metric, score.value, score.samples, score.details) == ("top-1", 0.5, 4, {"correct": 2})


@pytest.mark.parametrize("label", [-1, "cat", None, 1.0])
def test_labels_that_are_no_classes_name_the_sample(label):
    metric = Top1(Truths(0, label))
    with pytest.raises(DataError) as caught:
        metric.update(1, bytes(4))
    assert caught.value.code == "label"
    assert "sample 1" in caught.value.summary


def test_missing_labels_are_reported_before_the_first_response(tmp_path):
    Pillow.new("RGB", (8, 8)).save(tmp_path / "a.png")
    with pytest.raises(DataError) as caught:
        ImageClassification(TaskOptions()).metric(ImageNet(tmp_path, ImageNetOptions()))
    assert caught.value.code == "no-labels"


@pytest.mark.parametrize("response", [b"", b"\0\0\0", b"\0\0\0\0\0", (-2).to_bytes(4, "little", signed=True)])
def test_damaged_responses_are_refused(response):
    with pytest.raises(DataError):
        Top1(Truths(0)).update(0, response)
