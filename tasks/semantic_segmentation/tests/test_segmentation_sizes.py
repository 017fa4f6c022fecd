"""The size that images are prepared for is the model's, or it is asked for; the rounds name theirs."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image as Pillow

from mlperf_mobile.contracts import Codec, TensorSpec
from mlperf_mobile.errors import DataError
from mlperf_mobile.scoring import warnings_of
from mlperf_mobile_task_semantic_segmentation.ade20k import ADE20K
from mlperf_mobile_task_semantic_segmentation.options import ADE20KOptions, TaskOptions
from mlperf_mobile_task_semantic_segmentation.task import SemanticSegmentation


def folder(path: Path, *sizes: tuple[int, int], names: str = "abcdef", annotations: str = "") -> Path:
    """Images and annotations of these sizes (height, width)."""
    for part in ("images", "annotations"):
        (path / part).mkdir()
    rng = np.random.default_rng(5)
    for number, size in enumerate(sizes):
        Pillow.fromarray(rng.integers(0, 256, (*size, 3), np.uint8)).save(path / "images" / f"{names[number]}.png")
        labels = rng.integers(0, 32, size, np.uint8)
        Pillow.fromarray(labels).save(path / "annotations" / f"{(annotations or names)[number]}.png")
    return path


def model(height: int, width: int) -> Codec:
    image = TensorSpec("image", (1, height, width, 3), np.dtype(np.uint8))
    return SemanticSegmentation(TaskOptions()).bind(
        [image], [TensorSpec("labels", (1, height, width), np.dtype(np.uint8))]
    )


@pytest.mark.parametrize("side", [257, 128, 512])
def test_squares_of_the_models_size_are_left_alone(tmp_path: Path, side: int) -> None:
    data = ADE20K(folder(tmp_path, (side, side), (side, side)), ADE20KOptions())
    (tensor,) = model(side, side).encode(data.sample(1))
    with Pillow.open(tmp_path / "images" / "b.png") as image:
        np.testing.assert_array_equal(tensor[0], np.asarray(image))
    with Pillow.open(tmp_path / "annotations" / "b.png") as image:
        np.testing.assert_array_equal(data.truth(1), np.asarray(image))


@pytest.mark.parametrize(
    ("sizes", "prepared"), [(((64, 64),) * 2, 64), (((60, 80), (64, 64)), 512), (((60, 80),), 512)]
)
def test_another_size_than_the_models_is_requested(
    tmp_path: Path, sizes: tuple[tuple[int, int], ...], prepared: int
) -> None:
    data = ADE20K(folder(tmp_path, *sizes), ADE20KOptions())
    assert data.truth(0).shape == data.sample(0).pixels.shape[:2] == (prepared, prepared)
    with pytest.raises(DataError, match=rf"\({prepared}, {prepared}, 3\), the model takes \(257, 257, 3\)") as caught:
        model(257, 257).encode(data.sample(0))
    assert caught.value.code == "image-size" and "--set size=257" in caught.value.hint
    asked = ADE20K(tmp_path, ADE20KOptions.model_validate({"size": 257}))
    assert model(257, 257).encode(asked.sample(0))[0].shape == (1, 257, 257, 3)
    assert asked.truth(0).shape == (257, 257)


def test_images_as_they_are(tmp_path: Path) -> None:
    data = ADE20K(folder(tmp_path, (32, 64)), ADE20KOptions.model_validate({"size": 0}))
    assert model(32, 64).encode(data.sample(0))[0].shape == (1, 32, 64, 3)
    assert data.truth(0).shape == (32, 64)
    with pytest.raises(DataError, match="size=0"):
        model(64, 128).encode(data.sample(0))


def test_the_rounds_prepare_for_512() -> None:
    settings = yaml.safe_load(files("mlperf_mobile_task_semantic_segmentation").joinpath("task.yaml").read_text())
    for name in ("ade20k_val", "ade20k_tiny"):
        assert settings["data"][name]["options"]["size"] == 512


@pytest.mark.parametrize("size", [1, 7])
def test_no_size(tmp_path: Path, size: int) -> None:
    with pytest.raises(ValueError, match="size"):
        ADE20K(folder(tmp_path, (16, 16)), ADE20KOptions.model_validate({"size": size}))


def test_pairs_in_order_with_other_numbers_are_warned_of(tmp_path: Path) -> None:
    names = {"names": ["i1", "i2"], "annotations": ["m1", "m3"]}
    data = ADE20K(folder(tmp_path, (16, 16), (16, 16), **names), ADE20KOptions())  # type: ignore[arg-type]
    (warning,) = warnings_of(data)
    assert "i2.png with m3.png" in warning


def test_turned_images_are_warned_of(tmp_path: Path) -> None:
    data = ADE20K(folder(tmp_path, (16, 16), (16, 16)), ADE20KOptions())
    assert warnings_of(data) == []
    exif = Pillow.Exif()
    exif[0x0112] = 3
    Pillow.new("RGB", (16, 16)).save(tmp_path / "images" / "b.png", exif=exif)
    (warning,) = warnings_of(data)
    assert "b.png has an EXIF orientation" in warning
