"""Equal scores: the twelve COCO numbers are pycocotools' own, whatever files are called and images are numbered."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mlperf_mobile_task_object_detection.coco_evaluation import NAMES
from mlperf_mobile_task_object_detection.coco_json import read_instances
from mlperf_mobile_task_object_detection.files import image_key
from mlperf_mobile_task_object_detection.metric import MeanAveragePrecision
from mlperf_mobile_task_object_detection.truth import Truth

SIDE = 256
"""A power of two, so that shares of it times it are the pixels again."""


class Images:
    """Truths in the order of the file names, as a folder of images has them."""

    def __init__(self, truths: list[Truth]) -> None:
        self._truths = truths

    def __len__(self) -> int:
        return len(self._truths)

    def sample(self, index: int) -> object:
        raise NotImplementedError

    def truth(self, index: int) -> Truth:
        return self._truths[index]


def pycocotools_statistics(content: dict[str, Any], detections: list[dict[str, Any]]) -> dict[str, float]:
    with contextlib.redirect_stdout(io.StringIO()):
        known = COCO()
        known.dataset = json.loads(json.dumps(content))
        known.createIndex()
        evaluation = COCOeval(known, known.loadRes(json.loads(json.dumps(detections))), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return {name: value for name, value in zip(NAMES, evaluation.stats, strict=True) if value >= 0}


def ours(content: dict[str, Any], detections: list[dict[str, Any]], folder: Path) -> dict[str, float]:
    (folder / "instances.json").write_text(json.dumps(content))
    known = read_instances(folder / "instances.json")
    names = sorted(image["file_name"] for image in content["images"])
    by_name = {image["file_name"]: image["id"] for image in content["images"]}
    metric = MeanAveragePrecision(Images([known[image_key(name)] for name in names]), 91)
    for index, name in enumerate(names):
        rows = []
        for found in detections:
            if found["image_id"] == by_name[name]:
                left, top, width, height = (side / SIDE for side in found["bbox"])
                rows.append([index, top, left, top + height, left + width, found["score"], found["category_id"]])
        metric.update(index, np.array(rows, "<f4").tobytes())
    return {name: value for name, value in metric.score().details.items() if name.startswith("COCO")}


SIZES = st.sampled_from([16, 32, 48, 128])
BOX = st.tuples(st.sampled_from([0, 16, 32]), st.sampled_from([0, 16]), SIZES, SIZES).map(list)
CATEGORY = st.integers(1, 3)


@st.composite
def scenes(draw: st.DrawFn) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    ids = draw(
        st.lists(st.one_of(st.integers(0, 30), st.integers(-(2**53), 2**53)), min_size=1, max_size=6, unique=True)
    )
    names = draw(st.permutations([f"{number:02}.jpg" for number in range(len(ids))]))
    first = draw(st.sampled_from([0, 1, 1000]))
    images = [
        {"id": one, "file_name": name, "width": SIDE, "height": SIDE} for one, name in zip(ids, names, strict=True)
    ]
    objects = draw(st.lists(st.tuples(st.sampled_from(ids), CATEGORY, BOX, st.booleans()), min_size=1, max_size=14))
    annotations = [
        {
            "id": number,
            "image_id": image,
            "category_id": category,
            "bbox": box,
            "area": box[2] * box[3],
            "iscrowd": crowd,
        }
        for number, (image, category, box, crowd) in enumerate(
            (
                (image, category, box, int(crowd and number % 3 == 0))
                for number, (image, category, box, crowd) in enumerate(objects)
            ),
            first,
        )
    ]
    found = draw(
        st.lists(
            st.tuples(st.sampled_from(ids), CATEGORY, BOX, st.sampled_from([0.25, 0.5, 0.5, 0.75])),
            min_size=1, max_size=30,
        )
    )  # fmt: skip
    detections = [
        {"image_id": image, "category_id": category, "bbox": box, "score": score}
        for image, category, box, score in found
    ]
    return {"images": images, "categories": [{"id": n} for n in (1, 2, 3)], "annotations": annotations}, detections


@pytest.mark.slow
@settings(max_examples=80)
@given(scene=scenes())
def test_twelve_numbers(tmp_path_factory: pytest.TempPathFactory, scene: tuple[Any, Any]) -> None:
    content, detections = scene
    found = ours(content, detections, tmp_path_factory.mktemp("scene"))
    expected = pycocotools_statistics(content, detections)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-12), name


def one_right_one_wrong(right: int, wrong: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A hit in the image ``right``, called a.jpg, and a false alarm of the same score in ``wrong``, called b.jpg."""
    content = {
        "images": [
            {"id": right, "file_name": "a.jpg", "width": SIDE, "height": SIDE},
            {"id": wrong, "file_name": "b.jpg", "width": SIDE, "height": SIDE},
        ],
        "categories": [{"id": 1}],
        "annotations": [{"id": 1, "image_id": right, "category_id": 1, "bbox": [0, 0, 128, 128], "area": 16384}],
    }
    content["annotations"][0]["iscrowd"] = 0  # type: ignore[index]
    detections = [
        {"image_id": right, "category_id": 1, "bbox": [0, 0, 128, 128], "score": 0.5},
        {"image_id": wrong, "category_id": 1, "bbox": [64, 64, 32, 32], "score": 0.5},
    ]
    return content, detections


@pytest.mark.parametrize(("right", "wrong", "expected"), [(2, 1, 0.5), (1, 2, 1.0), (9, 10, 1.0), (10, 9, 0.5)])
def test_ids_are_numbers_and_decide(tmp_path: Path, right: int, wrong: int, expected: float) -> None:
    """Of two equal scores the image with the smaller id comes first: precision 1, or 1/2, at the only recall."""
    assert ours(*one_right_one_wrong(right, wrong), tmp_path)["COCO AP"] == pytest.approx(expected)


@pytest.mark.parametrize("names", ["ab", "ba"])
def test_the_apps_number_does_not_depend_on_names(tmp_path: Path, names: str) -> None:
    """The app leaves the order of equal scores open; here it is that of the ids as well."""
    content, _ = one_right_one_wrong(2, 1)
    for image, name in zip(content["images"], names, strict=True):
        image["file_name"] = f"{name}.jpg"
    (tmp_path / "instances.json").write_text(json.dumps(content))
    known = read_instances(tmp_path / "instances.json")
    metric = MeanAveragePrecision(Images([known["a"], known["b"]]), 91)
    hit, alarm = [-1, 0, 0, 0.5, 0.5, 0.5, 1], [-1, 0.5, 0.5, 1, 1, 0.5, 1]
    for index, name in enumerate("ab"):
        metric.update(index, np.array([hit if name == names[0] else alarm], "<f4").tobytes())
    assert metric.score().value == pytest.approx(0.5)
