"""Images are as large as their annotations say, or the run is refused: boxes in pixels would lie elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image as Pillow

from mlperf_mobile.contracts import DatasetWithWarnings
from mlperf_mobile.errors import DataError
from mlperf_mobile.scoring import warnings_of
from mlperf_mobile_task_object_detection.coco import Coco
from mlperf_mobile_task_object_detection.metric import MeanAveragePrecision
from mlperf_mobile_task_object_detection.options import CocoOptions


def folder(
    path: Path, said: tuple[int, int], stored: tuple[int, int], orientation: int = 1, suffix: str = ".jpg"
) -> Path:
    """Two images, the second of which is stored in another size (width, height) than its annotation says."""
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    Pillow.new("RGB", (64, 48)).save(path / f"a{suffix}")
    Pillow.new("RGB", stored).save(path / f"b{suffix}", exif=exif)
    images = [
        {"id": 1, "file_name": f"a{suffix}", "width": 64, "height": 48},
        {"id": 2, "file_name": f"b{suffix}", "width": said[0], "height": said[1]},
    ]
    annotations = [{"id": n, "image_id": n, "category_id": 1, "bbox": [0, 0, 9, 9], "area": 81} for n in (1, 2)]
    content = {"images": images, "categories": [{"id": 1}], "annotations": annotations}
    (path / "instances.json").write_text(json.dumps(content))
    return path


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("stored", [(32, 24), (65, 48), (64, 47), (48, 64)])
def test_other_sizes_are_refused_before_anything_runs(tmp_path: Path, stored: tuple[int, int], suffix: str) -> None:
    data = Coco(folder(tmp_path, (64, 48), stored, suffix=suffix), CocoOptions())
    width, height = stored
    with pytest.raises(DataError, match=rf"b\{suffix} is {width}x{height}, .*instances\.json says 64x48") as caught:
        MeanAveragePrecision(data, 91)
    assert caught.value.code == "annotation-size" and "EXIF" not in caught.value.hint


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_photographs_on_their_side(tmp_path: Path, orientation: int) -> None:
    data = Coco(folder(tmp_path, (480, 640), (640, 480), orientation), CocoOptions())
    with pytest.raises(DataError, match=r"b\.jpg is 640x480, .* says 480x640") as caught:
        data.truth(1)
    assert caught.value.code == "annotation-size" and "EXIF orientation" in caught.value.hint
    assert data.sample(1).pixels.shape == (480, 640, 3)  # as stored, like the app


@pytest.mark.parametrize("orientation", range(2, 9))
def test_turned_photographs_annotated_as_stored_are_warned_of(tmp_path: Path, orientation: int) -> None:
    data = Coco(folder(tmp_path, (64, 64), (64, 64), orientation), CocoOptions())
    MeanAveragePrecision(data, 91)
    assert isinstance(data, DatasetWithWarnings)
    (warning,) = warnings_of(data)
    assert "b.jpg has an EXIF orientation" in warning


def test_upright_photographs_of_the_right_size(tmp_path: Path) -> None:
    data = Coco(folder(tmp_path, (64, 48), (64, 48)), CocoOptions())
    MeanAveragePrecision(data, 91)
    assert warnings_of(data) == []


def test_without_annotations_sizes_mean_nothing(tmp_path: Path) -> None:
    (folder(tmp_path, (1, 1), (64, 48), 6) / "instances.json").unlink()
    assert warnings_of(Coco(tmp_path, CocoOptions())) == []
