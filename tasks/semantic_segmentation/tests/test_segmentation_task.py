"""The task, bound to models that fit and that do not."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image as Pillow

from mlperf_mobile.contracts import Recipe, TensorSpec
from mlperf_mobile.errors import DataError, ModelError
from mlperf_mobile_images.folder import ImageFolder
from mlperf_mobile_images.image import Image
from mlperf_mobile_task_semantic_segmentation.ade20k import ADE20K
from mlperf_mobile_task_semantic_segmentation.options import ADE20KOptions, TaskOptions
from mlperf_mobile_task_semantic_segmentation.preparation import fit_image
from mlperf_mobile_task_semantic_segmentation.task import SemanticSegmentation


def spec(shape, dtype="float32", name="t"):
    return TensorSpec(name, tuple(shape), np.dtype(dtype))


def bind(image=(1, 8, 8, 3), out=(1, 8, 8), dtype="float32", of="int32", **options):
    return SemanticSegmentation(TaskOptions.model_validate(options)).bind([spec(image, dtype)], [spec(out, of)])


@pytest.mark.parametrize(
    ("inputs", "outputs"),
    [
        ([], [spec((1, 8, 8))]),
        ([spec((1, 8, 8, 3)), spec((1, 8, 8, 3))], [spec((1, 8, 8))]),
        ([spec((1, 4))], [spec((1, 8, 8))]),
        ([spec((1, 3, 8, 8))], [spec((1, 8, 8))]),
        ([spec((1, 8, 8, 3))], []),
        ([spec((1, 8, 8, 3))], [spec((1, 8, 8)), spec((1, 8, 8))]),
        ([spec((1, 8, 8, 3))], [spec((1, 10))]),
        ([spec((1, 8, 8, 3))], [spec((1, 10, 4))]),
        ([spec((1, 8, 8, 3))], [spec((1, 8, 4))]),
        ([spec((1, 8, 8, 3))], [spec((1, 16, 16))]),
        ([spec((1, 8, 8, 3))], [spec((1, 3, 8, 8))]),
        ([spec((1, 8, 8, 3))], [spec((1, 8, 8, 300))]),
        ([spec((1, 8, 8, 3))], [spec((1, 8, 8), "bool")]),
    ],
)
def test_models_that_do_not_fit_are_named(inputs, outputs):
    with pytest.raises(ModelError) as caught:
        SemanticSegmentation(TaskOptions()).bind(inputs, outputs)
    assert caught.value.code in ("model-input", "model-output")


def test_the_message_says_what_the_tensor_is():
    with pytest.raises(ModelError, match=r"boxes float32\[1,10,4\]"):
        SemanticSegmentation(TaskOptions()).bind([spec((1, 8, 8, 3))], [spec((1, 10, 4), name="boxes")])


@pytest.mark.parametrize(
    ("image", "out", "of"),
    [
        ((1, 512, 512, 3), (1, 512, 512), "int32"),  # MOSAIC and DeepLab, as MLPerf Mobile has them
        ((1, 257, 257, 3), (1, 257, 257, 21), "float32"),  # DeepLab on Pascal VOC
        ((1, 513, 513, 3), (1, 65, 65, 32), "int8"),
        ((1, 8, 16, 1), (1, 4, 8, 1), "int64"),
    ],
)
def test_models_that_fit(image, out, of):
    codec = bind(image, out, of=of)
    assert len(codec.decode((np.zeros(out, of),))) == out[1] * out[2]


def test_images_of_the_models_size_are_only_normalised():
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    (values,) = bind((1, 4, 4, 3), (1, 4, 4), "int8").encode(Image(pixels, "picture"))
    np.testing.assert_array_equal(values[0], pixels.astype(np.int16) - 128)
    (values,) = bind((1, 4, 4, 3), (1, 4, 4), "float32").encode(Image(pixels, "picture"))
    np.testing.assert_allclose(values[0], (pixels - 127.5) / 127.5, rtol=1e-6)


def test_images_of_other_sizes_are_prepared_as_by_the_official_script():
    pixels = np.random.default_rng(0).integers(0, 256, (9, 20, 3), dtype=np.uint8)
    (values,) = bind((1, 8, 8, 3), (1, 8, 8), "uint8").encode(Image(pixels, "picture"))
    np.testing.assert_array_equal(values[0], fit_image(pixels, (8, 8)))
    assert (values[0, -1] == [123, 115, 103]).all()


def test_plain_folders_of_images_serve_performance_runs(tmp_path):
    Pillow.new("RGB", (30, 20)).save(tmp_path / "a.png")
    data = ImageFolder(tmp_path, None)
    (values,) = bind().encode(data.sample(0))
    assert values.shape == (1, 8, 8, 3)
    with pytest.raises(DataError) as caught:
        SemanticSegmentation(TaskOptions()).metric(data)
    assert caught.value.code == "no-labels"


def test_samples_that_are_no_images_are_refused():
    with pytest.raises(DataError, match="ndarray"):
        bind().encode(np.zeros((8, 8, 3), np.uint8))


def test_encoded_samples_are_distinguished_by_type_and_size():
    codecs = [bind(), bind(dtype="int8"), bind((1, 16, 16, 3))]
    assert all(isinstance(codec, Recipe) for codec in codecs)
    assert len({codec.recipe for codec in codecs}) == 3


def test_models_without_a_background_start_at_class_1():
    """31 outputs and no other: the first is class 1."""
    scores = np.zeros((1, 1, 2, 31), np.float32)
    scores[0, 0, 0, 0] = scores[0, 0, 1, 30] = 1
    image = (1, 1, 2, 3)
    assert list(bind(image, scores.shape, of="float32", background=False).decode((scores,))) == [1, 31]
    assert list(bind(image, scores.shape, of="float32").decode((scores,))) == [0, 30]


def test_the_number_of_classes_is_the_data_sets_or_the_options(tmp_path):
    for part in ("images", "annotations"):
        (tmp_path / part).mkdir()
    Pillow.new("RGB", (16, 16)).save(tmp_path / "images" / "a.png")
    Pillow.new("L", (16, 16), 2).save(tmp_path / "annotations" / "a.png")
    data = ADE20K(tmp_path, ADE20KOptions.model_validate({"size": 16}))
    for options, share in (({}, 1 / 31), ({"classes": 4}, 1 / 4)):
        metric = SemanticSegmentation(TaskOptions.model_validate(options)).metric(data)
        metric.update(0, bytes([2]) * 256)
        assert metric.score().value == pytest.approx(share)


def test_missing_annotations_are_reported_before_the_first_response(tmp_path):
    Pillow.new("RGB", (8, 8)).save(tmp_path / "a.png")
    with pytest.raises(DataError) as caught:
        SemanticSegmentation(TaskOptions()).metric(ADE20K(tmp_path, ADE20KOptions()))
    assert caught.value.code == "no-labels"
