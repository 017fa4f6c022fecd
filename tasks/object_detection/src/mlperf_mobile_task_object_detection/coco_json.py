"""COCO's instances JSON: images, and the annotated objects in them.

Format: https://cocodataset.org/#format-data. Which objects the reference app keeps: TensorFlow Lite,
tools/evaluation/tasks/coco_object_detection/preprocess_coco_minival.py, which makes its text protobufs.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mlperf_mobile.errors import DataError
from mlperf_mobile_task_object_detection.files import MAX_CLASS, image_key, read_text
from mlperf_mobile_task_object_detection.truth import CocoObjects, Truth, as_boxes

MAX_SIDE = 1 << 16
"""Largest width or height of an image, in pixels."""
_HINT = "give COCO's instances JSON, or correct the file"


@dataclass(slots=True)
class _Image:
    id: int
    name: str
    width: int
    height: int
    boxes: list[list[float]] = field(default_factory=list)
    classes: list[int] = field(default_factory=list)
    areas: list[float] = field(default_factory=list)
    crowds: list[bool] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)


def read_instances(path: Path) -> dict[str, Truth]:
    """The truth of each image in the file, by :func:`~files.image_key`.

    Annotations of images that the file does not list are ignored: subsets are often made that way.

    Raises:
        DataError: The file cannot be read or is damaged; the message names file and record.
    """
    try:
        content = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise DataError("annotations", f"{path} is not JSON: {error}"[:300], _HINT) from error
    except MemoryError as error:
        raise DataError("annotations", f"{path} does not fit into memory", _HINT) from error
    images: dict[int, _Image] = {}
    keys: dict[str, str] = {}
    for number, record in enumerate(_records(path, content, "images")):
        place = f"{path}: images[{number}]"
        image = _image(record, place)
        if image.id in images:
            raise DataError("annotations", f"{place}: another image has the id {image.id} too", _HINT)
        if (key := image_key(image.name)) in keys:
            reason = f"{place}: {image.name} and {keys[key]} differ only in folder or suffix"
            raise DataError("image-names", reason, "give every image a unique name")
        images[image.id], keys[key] = image, image.name
    categories = {
        _number(record, "id", f"{path}: categories[{number}]", _is_class)
        for number, record in enumerate(_records(path, content, "categories") if "categories" in content else [])
    }
    for number, record in enumerate(_records(path, content, "annotations")):
        _annotation(record, images, categories, f"{path}: annotations[{number}]")
    return {image_key(image.name): _truth(image) for image in images.values()}


def _records(path: Path, content: Any, key: str) -> list[dict[str, Any]]:
    records = content.get(key) if isinstance(content, dict) else None
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise DataError("annotations", f"{path} has no list of {key}", _HINT)
    return records


def _image(record: dict[str, Any], place: str) -> _Image:
    name = record.get("file_name")
    if not isinstance(name, str) or not image_key(name):
        raise DataError("annotations", f"{place}: file_name is {name!r:.60}, not a name", _HINT)
    width, height = (_number(record, side, place, lambda n: _is_whole(n) and 0 < n <= MAX_SIDE) for side in _SIDES)
    return _Image(_number(record, "id", place, _is_whole), name, width, height)


_SIDES = ("width", "height")


def _annotation(record: dict[str, Any], images: dict[int, _Image], categories: set[int], place: str) -> None:
    image = images.get(_number(record, "image_id", place, _is_whole))
    if image is None:
        return
    category = _number(record, "category_id", place, _is_class)
    if categories and category not in categories:
        raise DataError("class-range", f"{place}: category_id {category} is not one of the categories", _HINT)
    box = record.get("bbox")
    if not (isinstance(box, list) and len(box) == 4 and all(map(_is_finite, box)) and min(box[2:]) >= 0):
        raise DataError("annotations", f"{place}: bbox is {box!r:.80}, not [left, top, width, height]", _HINT)
    crowd = _number(record | {"iscrowd": record.get("iscrowd", 0)}, "iscrowd", place, lambda n: n in (0, 1))
    area = _number({"area": box[2] * box[3]} | record, "area", place, lambda n: _is_finite(n) and n >= 0)
    image.boxes.append([float(side) for side in box])
    image.classes.append(category)
    image.areas.append(float(area))
    image.crowds.append(bool(crowd))
    image.ids.append(_number({"id": -1} | record, "id", place, _is_whole))


def _number(record: dict[str, Any], key: str, place: str, right: Callable[[Any], bool]) -> Any:
    value = record.get(key)
    if not right(value):
        raise DataError("annotations", f"{place}: {key} is {value!r:.60}", _HINT)
    return value


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63


def _is_class(value: Any) -> bool:
    return _is_whole(value) and 0 <= value < MAX_CLASS


def _is_finite(value: Any) -> bool:
    return isinstance(value, float | int) and not isinstance(value, bool) and abs(value) < 1e12 and math.isfinite(value)


def _truth(image: _Image) -> Truth:
    """The objects as the reference app has them: with crowds, without boxes that leave the image, even slightly."""
    boxes, classes = [], []
    for (left, top, width, height), category in zip(image.boxes, image.classes, strict=True):
        bottom, right = top + height, left + width
        if max(top, bottom) <= image.height and max(left, right) <= image.width:
            boxes.append([top / image.height, left / image.width, bottom / image.height, right / image.width])
            classes.append(category)
    known = CocoObjects(
        image.width,
        image.height,
        np.array(image.boxes, np.float64).reshape(-1, 4),
        np.array(image.classes, np.int64),
        np.array(image.areas, np.float64),
        np.array(image.crowds, np.bool_),
        image.id,
        np.array(image.ids, np.int64) == 0,
    )
    return Truth(as_boxes(boxes), np.array(classes, np.int64), known)
