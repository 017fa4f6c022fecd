"""Outputs of every type: real numbers follow scale and zero point, classes and counts may be plain integers."""

from __future__ import annotations

import numpy as np
import pytest

from mlperf_mobile.contracts import Codec, TensorSpec
from mlperf_mobile.errors import ModelError
from mlperf_mobile_task_object_detection.options import TaskOptions
from mlperf_mobile_task_object_detection.task import ObjectDetection

INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
SMALL = ("int8", "uint8", "int16", "uint16")
PARTS = ["boxes", "classes", "scores", "count"]
IMAGE = [TensorSpec("image", (1, 32, 32, 3), np.dtype(np.uint8))]
RAW = {"anchor_strides": [16, 32], "output_order": ["boxes", "scores"], "score_threshold": 0.3, "max_detections": 100}


def spec(shape: tuple[int, ...], dtype: str, name: str = "t", **scales: object) -> TensorSpec:
    return TensorSpec(name, shape, np.dtype(dtype), **scales)  # type: ignore[arg-type]


def table(codec: Codec, *outputs: np.ndarray) -> np.ndarray:
    return np.frombuffer(codec.decode(outputs), "<f4").reshape(-1, 7)[:, 1:]


BOXES = np.array([[[0, 0.25, 0.5, 1], [0.125, 0, 1, 0.75], [0, 0, 0.5, 0.5]]], np.float32)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_plain_classes_and_counts(dtype: str) -> None:
    outputs = [spec((1, 3, 4), "float32"), spec((1, 3), dtype), spec((1, 3), "float32"), spec((1,), dtype)]
    codec = ObjectDetection(TaskOptions.model_validate({"output_order": PARTS})).bind(IMAGE, outputs)
    scores = np.array([[0.75, 0.5, 0.25]], np.float32)
    found = table(codec, BOXES, np.array([[7, 0, 89]], dtype), scores, np.array([2], dtype))
    np.testing.assert_array_equal(found, [[0, 0.25, 0.5, 1, 0.75, 8], [0.125, 0, 1, 0.75, 0.5, 1]])


@pytest.mark.parametrize("dtype", SMALL)
def test_post_processed_by_hand(dtype: str) -> None:
    """Boxes in eighths, scores in quarters, classes and the count moved by a zero point."""
    boxes = spec((1, 3, 4), dtype, scale=0.125, zero_point=4)
    classes, scores = spec((1, 3), dtype, scale=1.0, zero_point=5), spec((1, 3), dtype, scale=0.25, zero_point=1)
    count = spec((1,), dtype, scale=1.0, zero_point=2)
    codec = ObjectDetection(TaskOptions.model_validate({"output_order": PARTS})).bind(
        IMAGE, [boxes, classes, scores, count]
    )
    stored = (BOXES * 8 + 4).astype(dtype), np.array([[12, 5, 94]], dtype), np.array([[4, 3, 2]], dtype)
    found = table(codec, *stored, np.array([5], dtype))
    expected = [[*BOXES[0, 0], 0.75, 8], [*BOXES[0, 1], 0.5, 1], [*BOXES[0, 2], 0.25, 90]]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("dtype", SMALL)
def test_boxes_with_a_scale_for_each_side(dtype: str) -> None:
    boxes = spec((1, 3, 4), dtype, scales=(0.125, 0.25, 0.5, 0.25), zero_points=(0, 1, 2, 3), axis=2)
    others = [spec((1, 3), "float32"), spec((1, 3), "float32"), spec((1,), "float32")]
    codec = ObjectDetection(TaskOptions.model_validate({"output_order": PARTS})).bind(IMAGE, [boxes, *others])
    stored = np.array([[[4, 2, 4, 7], [8, 1, 3, 5], [0, 1, 2, 3]]], dtype)
    zeros = np.zeros((1, 3), np.float32)
    found = table(codec, stored, zeros, zeros, np.array([2], np.float32))
    # 0.125 * 4, 0.25 * (2 - 1), 0.5 * (4 - 2), 0.25 * (7 - 3)
    np.testing.assert_array_equal(found[:, :4], [[0.5, 0.25, 1, 1], [1, 0, 0.5, 0.5]])


def raw(dtype: str, activation: str, **scales: object) -> Codec:
    """18 anchors with three classes and a background."""
    outputs = [spec((1, 18, 4), "float32"), spec((1, 18, 4), dtype, **scales)]
    return ObjectDetection(
        TaskOptions.model_validate({**RAW, "score_activation": activation, "nms": "fast", "iou_threshold": 1.0})
    ).bind(IMAGE, outputs)


@pytest.mark.parametrize("activation", ["none", "sigmoid", "softmax"])
@pytest.mark.parametrize("by_column", [False, True])
@pytest.mark.parametrize("dtype", SMALL)
def test_raw_scores_are_those_of_the_real_ones(dtype: str, by_column: bool, activation: str) -> None:
    """What a float model with ``scale * (stored - zero_point)`` as its scores gives is what the integers give."""
    limits, rng = np.iinfo(dtype), np.random.default_rng(7)
    step = 1 / 64 if limits.bits == 8 else 1 / 8192
    middle = (int(limits.max) + int(limits.min) + 1) // 2
    scales = [step * factor for factor in ((1, 2, 0.5, 1.5) if by_column else (1, 1, 1, 1))]
    zeros = [middle + offset for offset in ((0, 5, -7, 11) if by_column else (3, 3, 3, 3))]
    told = {"scales": tuple(scales), "zero_points": tuple(zeros), "axis": 2} if by_column else {
        "scale": scales[0], "zero_point": zeros[0]
    }  # fmt: skip
    stored = rng.integers(limits.min, limits.max, (1, 18, 4), endpoint=True).astype(dtype)
    real = (np.array(scales) * (stored.astype(np.int64) - zeros)).astype(np.float32)
    encodings = rng.normal(0, 1, (1, 18, 4)).astype(np.float32)
    expected = table(raw("float32", activation), encodings, real)
    found = table(raw(dtype, activation, **told), encodings, stored)
    assert len(expected) >= 3
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("dtype", SMALL)
@pytest.mark.parametrize("part", ["boxes", "scores"])
def test_real_numbers_need_a_scale(part: str, dtype: str) -> None:
    outputs = [spec((1, 3, 4), "float32"), spec((1, 3), "float32"), spec((1, 3), "float32"), spec((1,), "float32")]
    place = PARTS.index(part)
    outputs[place] = spec(outputs[place].shape, dtype, part)
    with pytest.raises(ModelError, match=f"{part} {dtype}.* has no scale") as caught:
        ObjectDetection(TaskOptions.model_validate({"output_order": PARTS})).bind(IMAGE, outputs)
    assert caught.value.code == "model-output"


@pytest.mark.parametrize("part", ["classes", "scores", "count"])
def test_lists_have_one_scale(part: str) -> None:
    outputs = [spec((1, 3, 4), "float32"), spec((1, 3), "float32"), spec((1, 3), "float32"), spec((1, 1), "float32")]
    place = PARTS.index(part)
    count = outputs[place].shape[-1]
    outputs[place] = spec((1, count), "int8", part, scales=(1.0,) * count, zero_points=(0,) * count, axis=1)
    with pytest.raises(ModelError, match=f"{part} int8.* has several scales"):
        ObjectDetection(TaskOptions.model_validate({"output_order": PARTS})).bind(IMAGE, outputs)
