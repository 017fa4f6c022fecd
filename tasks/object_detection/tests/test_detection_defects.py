"""Where the reference app went wrong with detections, or would have: each of these was read in its sources."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile.errors import DataError, ModelError
from mlperf_mobile_task_object_detection.coco import Coco
from mlperf_mobile_task_object_detection.fashion_scenes import FashionScenes
from mlperf_mobile_task_object_detection.options import CocoOptions, TaskOptions
from mlperf_mobile_task_object_detection.task import ObjectDetection

F = np.float32
SHAPES = {"boxes": (1, 10, 4), "classes": (1, 10), "scores": (1, 10), "count": (1,)}
SHARED = os.environ.get("MLPERF_MOBILE_SHARED", "")


def codec(dtypes=(F, F, F, F), scales=(0.0,) * 4):
    outputs = [
        TensorSpec(part, shape, np.dtype(dtype), scale)
        for (part, shape), dtype, scale in zip(SHAPES.items(), dtypes, scales, strict=True)
    ]
    return ObjectDetection(TaskOptions()).bind([TensorSpec("i", (1, 32, 32, 3), np.dtype(F))], outputs)


def folder(path, names, annotations):
    """One object of class 7 in each image, at a place of its own."""
    for name in names:
        Pillow.new("RGB", (100, 100)).save(path / name, format="PNG")
    listed = [{"id": n, "file_name": name, "width": 100, "height": 100} for n, name in enumerate(annotations)]
    boxes = [
        {"id": n, "image_id": n, "category_id": 7, "bbox": [0, 0, 20 + 20 * n, 100]} for n in range(len(annotations))
    ]
    (path / "instances.json").write_text(json.dumps({"images": listed, "annotations": boxes}))
    return Coco(path, CocoOptions())


def test_a_count_past_the_end_reads_no_foreign_memory():
    outputs = tuple(np.zeros(shape, F) for shape in SHAPES.values())
    outputs[3][0] = 2**24
    assert len(codec().decode(outputs)) == 10 * 28


def test_outputs_that_are_not_float32_are_not_taken_for_it():
    """The app reads any output's memory as float32."""
    outputs = (
        np.full((1, 10, 4), 128, np.uint8),
        np.full((1, 10), 6, np.int64),
        np.full((1, 10), 0.5, np.float16),
        np.array([1], np.int32),
    )
    response = codec([each.dtype for each in outputs], (1 / 256, 0.0, 0.0, 0.0)).decode(outputs)
    assert struct.unpack("<7f", response) == (-1, 0.5, 0.5, 0.5, 0.5, 0.5, 7)


def test_boxes_begin_with_ymin_whatever_a_comment_says():
    """The app's header says xmin, ymin, xmax, ymax; its code and TensorFlow Lite's operation have y first."""
    outputs = tuple(np.zeros(shape, F) for shape in SHAPES.values())
    outputs[0][0, 0], outputs[3][0] = [0.1, 0.2, 0.3, 0.4], 1
    assert struct.unpack("<7f", codec().decode(outputs))[1:5] == tuple(map(F, (0.1, 0.2, 0.3, 0.4)))


@pytest.mark.parametrize("chosen", [["c.png"], ["b.png", "d.png"], ["a.png", "b.png", "c.png", "d.png"]])
def test_any_images_may_be_a_subset(tmp_path, chosen):
    """Elsewhere in the app, a subset must be the first images; here, names decide whatever the order."""
    data = folder(tmp_path, chosen, ["d.jpg", "b.jpg", "a.jpg", "c.jpg"])
    widths = {"d.png": 0.2, "b.png": 0.4, "a.png": 0.6, "c.png": 0.8}
    metric = ObjectDetection(TaskOptions()).metric(data)
    for index, name in enumerate(sorted(chosen)):
        metric.update(index, struct.pack("<7f", 99, 0, 0, 1, widths[name], 0.9, 7))
    assert metric.score().value == 1.0


def test_ground_truth_that_cannot_be_parsed_is_no_empty_ground_truth(tmp_path):
    """The app passes over the parser's result, and says 0 mAP."""
    Pillow.new("RGB", (8, 8)).save(tmp_path / "a.png")
    (tmp_path / "coco_val_full.pbtxt").write_text("detection_results { image_name: 'a.jpg' objects { class_id: x } }")
    with pytest.raises(DataError, match=r"coco_val_full\.pbtxt:1:"):
        Coco(tmp_path, CocoOptions())


def test_the_number_of_outputs_is_reported_and_does_not_end_the_process():
    outputs = [TensorSpec("a", (1, 10, 4), np.dtype(F)), TensorSpec("b", (1, 10), np.dtype(F))]
    with pytest.raises(ModelError, match=r"a float32\[1,10,4\], b float32\[1,10\]"):
        ObjectDetection(TaskOptions()).bind([TensorSpec("i", (1, 32, 32, 3), np.dtype(F))], outputs)


@pytest.mark.skipif(not SHARED, reason="MLPERF_MOBILE_SHARED is not set")
def test_a_published_raw_ssd_runs_with_the_default_options():
    """SSD-MobileNetV2 as MediaPipe ships it: its anchors are the default ones, its scores are logits."""
    from ai_edge_litert.interpreter import Interpreter

    model = Interpreter(str(Path(SHARED) / "models" / "ssd_mobilenetv2_oidv4_fp16.tflite"), num_threads=1)
    model.allocate_tensors()
    taken, given = model.get_input_details(), model.get_output_details()
    inputs, outputs = (
        [TensorSpec(each["name"], tuple(map(int, each["shape"])), np.dtype(each["dtype"])) for each in side]
        for side in (taken, given)
    )
    bound = ObjectDetection(TaskOptions.model_validate({"score_threshold": 0.1})).bind(inputs, outputs)
    data, found = FashionScenes(None, None), 0
    for index in range(20):
        model.set_tensor(taken[0]["index"], bound.encode(data.sample(index))[0])
        model.invoke()
        table = np.frombuffer(bound.decode(tuple(model.get_tensor(each["index"]) for each in given)), "<f4")
        table = table.reshape(-1, 7)
        assert ((table[:, 6] >= 1) & (table[:, 6] <= 23)).all()
        assert (table[:, 3:5] > table[:, 1:3]).all()
        assert (np.diff(table[:, 5]) <= 0).all()
        found += len(table)
    assert found
