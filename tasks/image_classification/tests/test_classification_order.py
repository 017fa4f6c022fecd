"""Labels by order, for files whose names carry other numbers: the order counts, as in the app, and the set warns."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image as Pillow

from mlperf_mobile.scoring import warnings_of
from mlperf_mobile_task_image_classification.imagenet import ImageNet
from mlperf_mobile_task_image_classification.options import ImageNetOptions


def folder(path: Path, names: list[str], labels: str) -> ImageNet:
    for name in names:
        Pillow.new("RGB", (8, 8)).save(path / name, "JPEG")
    (path / "val.txt").write_text(labels)
    return ImageNet(path, ImageNetOptions())


LINES = "".join(f"{number}\n" for number in range(100, 150))


@pytest.mark.parametrize(
    ("numbers", "told"),
    [
        ((7, 12, 30), "val_00000007.JPEG, image 1 by name, has label 1 of .*val.txt, not number 7"),
        ((1, 2, 4), "val_00000004.JPEG, image 3 by name, has label 3 of .*val.txt, not number 4"),
    ],
)
def test_a_part_that_is_not_the_beginning(tmp_path: Path, numbers: tuple[int, ...], told: str) -> None:
    data = folder(tmp_path, [f"ILSVRC2012_val_{number:08}.JPEG" for number in numbers], LINES)
    (warning,) = warnings_of(data)
    assert re.search(told, warning)
    assert [data.truth(index) for index in range(3)] == [100, 101, 102]


def test_the_beginning(tmp_path: Path) -> None:
    data = folder(tmp_path, [f"ILSVRC2012_val_{number:08}.JPEG" for number in (1, 2, 3)], LINES)
    assert warnings_of(data) == [] and data.truth(2) == 102


def test_labels_by_name_need_no_order(tmp_path: Path) -> None:
    names = [f"ILSVRC2012_val_{number:08}.JPEG" for number in (7, 12)]
    data = folder(tmp_path, names, f"{names[1]} 5\n{names[0]} 3\n")
    assert warnings_of(data) == [] and [data.truth(0), data.truth(1)] == [3, 5]
