"""Raw outputs against TensorFlow Lite's operation and a plain implementation, and anchors against published ones."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile_task_object_detection.anchors import anchor_count, ssd_anchors
from mlperf_mobile_task_object_detection.options import TaskOptions
from mlperf_mobile_task_object_detection.task import ObjectDetection

F = np.float32
POST_PROCESS = {"anchor_strides": [8, 16, 32, 64], "anchor_aspect_ratios": [1.0], "score_activation": "none"}
"""The options of the models in postprocess/, see make.py there; the defaults are those of the other attributes."""
SEEDS = st.integers(0, 2**32)


def raw_codec(anchors, columns, dtype="float32", scale=(0.0, 0.0), zero=0, side=32, **options):
    outputs = [
        TensorSpec("boxes", (1, anchors, 4), np.dtype(dtype), scale[0], zero),
        TensorSpec("scores", (1, anchors, columns), np.dtype(dtype), scale[1], zero),
    ]
    return ObjectDetection(TaskOptions.model_validate(options)).bind(
        [TensorSpec("i", (1, side, side, 3), np.dtype(F))], outputs
    )


def decoded(codec, *outputs):
    return np.frombuffer(codec.decode(outputs), "<f4").reshape(-1, 7)


class Operation:
    """TFLite_Detection_PostProcess, as the runtime has it."""

    def __init__(self, name):
        interpreter = pytest.importorskip("ai_edge_litert.interpreter").Interpreter
        self.model = interpreter(str(Path(__file__).parent / "postprocess" / f"{name}.tflite"))
        self.model.allocate_tensors()
        self.outputs = sorted(self.model.get_output_details(), key=lambda each: each["name"])

    def __call__(self, encodings, scores):
        for details, values in zip(self.model.get_input_details(), (encodings, scores), strict=True):
            self.model.set_tensor(details["index"], values)
        self.model.invoke()
        return [self.model.get_tensor(details["index"]) for details in self.outputs]


@pytest.fixture(scope="module", params=["regular", "fast"])
def operation(request):
    return request.param, Operation(request.param)


@given(SEEDS, st.sampled_from([0.1, 1.0, 4.0]), st.sampled_from([0.2, 0.5, 1.0]))
@settings(max_examples=150)
def test_the_same_as_tensorflow_lites_operation(operation, seed, spread, top):
    """Scores are distinct, because the operation leaves the order of equal ones open."""
    nms, run = operation
    rng = np.random.default_rng(seed)
    encodings = rng.normal(0, spread, (1, 60, 4)).astype(F)
    scores = (rng.permutation(240).reshape(1, 60, 4) / 240 * top).astype(F)
    boxes, classes, chances, count = run(encodings, scores)
    found = decoded(raw_codec(60, 4, nms=nms, label_offset=0, **POST_PROCESS), encodings, scores)
    assert len(found) == count[0]
    np.testing.assert_array_equal(found[:, 5], chances[0, : len(found)])
    np.testing.assert_array_equal(found[:, 6], classes[0, : len(found)])
    np.testing.assert_allclose(found[:, 1:5], boxes[0, : len(found)], rtol=2e-6, atol=1e-6)


def test_the_operations_model_as_a_post_processed_one(operation):
    """The same response, whether the model or the task does the work; its outputs' order has to be told."""
    nms, run = operation
    rng = np.random.default_rng(5)
    encodings, scores = rng.normal(0, 1, (1, 60, 4)).astype(F), rng.random((1, 60, 4)).astype(F)
    outputs = run(encodings, scores)
    order = ["boxes", "classes", "scores", "count"]
    specs = [TensorSpec(part, each.shape, each.dtype) for part, each in zip(order, outputs, strict=True)]
    image = [TensorSpec("i", (1, 32, 32, 3), np.dtype(F))]
    done = (
        ObjectDetection(TaskOptions.model_validate({"output_order": order})).bind(image, specs).decode(tuple(outputs))
    )
    mine = raw_codec(60, 4, nms=nms, **POST_PROCESS).decode((encodings, scores))
    np.testing.assert_allclose(np.frombuffer(done, "<f4"), np.frombuffer(mine, "<f4"), rtol=2e-6, atol=1e-6)


def plain(encodings, chances, options, side=32):
    """What should come out, by the definitions: each class by itself, then the best of all classes."""
    anchors = ssd_anchors(side, side, options)
    found = []
    for column in range(options.background, chances.shape[1]):
        kept = []
        for row in sorted(range(len(chances)), key=lambda n: (-chances[n, column], n)):
            if not chances[row, column] >= F(options.score_threshold):
                continue
            box = plain_box(encodings[row], anchors[row])
            if all(plain_overlap(box, other) <= options.iou_threshold for other in kept):
                kept.append(box)
                found.append((-chances[row, column], row, column, box))
    found.sort(key=lambda each: each[:3])
    return [(*box, -score, column - options.background + options.label_offset) for score, _, column, box in found][
        : options.max_detections
    ]


def plain_box(encoding, anchor):
    y, x, height, width = (float(v) for v in encoding)
    ay, ax, ah, aw = (float(v) for v in anchor)
    cy, cx, h, w = ay + y / 10 * ah, ax + x / 10 * aw, ah * math.exp(height / 5), aw * math.exp(width / 5)
    return cy - h / 2, cx - w / 2, cy + h / 2, cx + w / 2


def plain_overlap(a, b):
    common = max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))
    return common / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common)


@given(SEEDS, st.sampled_from(["sigmoid", "softmax", "none"]), st.booleans(), st.sampled_from([0.0, 0.05, 0.3, 0.9]))
@settings(max_examples=60)
@pytest.mark.parametrize("dtype", ["float32", "float16", "int8", "uint8"])
def test_activations_types_and_background(dtype, seed, activation, background, threshold):
    rng = np.random.default_rng(seed)
    options = {"score_activation": activation, "background": background, "score_threshold": threshold}
    options |= {"anchor_strides": [8, 16], "max_detections": 30, "label_offset": 3}
    if np.dtype(dtype).kind == "f":
        scale, zero = (0.0, 0.0), 0
        stored = [rng.normal(0, 2, (1, 72, n)).astype(dtype) for n in (4, 5)]
        if activation == "none":
            stored[1] = rng.random((1, 72, 5)).astype(dtype)
        real = [each.astype(np.float64) for each in stored]
    else:
        limits, zero = np.iinfo(dtype), int(rng.integers(-20, 20)) + (128 if dtype == "uint8" else 0)
        scale = (0.0625, 0.00390625 if activation == "none" else 0.0625)  # powers of two, exact in any arithmetic
        stored = [rng.integers(limits.min, limits.max + 1, (1, 72, n)).astype(dtype) for n in (4, 5)]
        real = [scale[n] * (each.astype(np.float64) - zero) for n, each in enumerate(stored)]
    logits = real[1][0]
    if activation == "sigmoid":
        chances = 1 / (1 + np.exp(-logits))
    elif activation == "softmax":
        chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    else:
        chances = logits
    if (abs(chances - threshold) < 1e-5).any() and threshold:
        return  # rounding decides
    expected = plain(real[0][0], chances, TaskOptions.model_validate(options))
    found = decoded(raw_codec(72, 5, dtype, scale, zero, **options), *stored)
    assert len(found) == len(expected)
    if not expected:
        return
    np.testing.assert_allclose(found[:, 5], [each[4] for each in expected], rtol=1e-4)
    if len({round(each[4], 5) for each in expected}) == len(expected):  # an order that rounding does not decide
        np.testing.assert_allclose(found[:, 1:5], [each[:4] for each in expected], rtol=1e-4, atol=1e-4)
        np.testing.assert_array_equal(found[:, 6], [each[5] for each in expected])


def test_more_candidates_than_one_chunk_holds():
    """72 equal boxes of one class leave one; of 30 classes each, ten."""
    encodings = np.zeros((1, 72, 4), F)
    anchors = ssd_anchors(32, 32, TaskOptions(anchor_strides=(8, 16)))
    encodings[0, :, :2] = (0.5 - anchors[:, :2]) / anchors[:, 2:] * 10
    encodings[0, :, 2:] = np.log(0.5 / anchors[:, 2:]) * 5
    scores = np.linspace(0.4, 0.9, 72 * 30, dtype=F).reshape(1, 72, 30)
    codec = raw_codec(72, 30, anchor_strides=[8, 16], score_activation="none")
    found = decoded(codec, encodings, scores)
    np.testing.assert_allclose(found[:, 1:5], [[0.25, 0.25, 0.75, 0.75]] * 10, atol=1e-5)
    assert found[:, 6].tolist() == list(range(29, 19, -1))
    one = np.where(np.arange(30) == 7, scores, 0)
    assert decoded(codec, encodings, one)[:, 6].tolist() == [7]


@pytest.mark.parametrize(("allowed", "left"), [(0.5, 2), (0.4999, 1)])
def test_an_overlap_that_is_still_allowed(allowed, left):
    """A box and its lower half overlap by exactly a half."""
    anchors = ssd_anchors(32, 32, TaskOptions(anchor_strides=(8, 16)))
    encodings, scores = np.zeros((1, 72, 4), F), np.zeros((1, 72, 4), F)
    scores[0, 48, 1], scores[0, 49, 1] = 0.9, 0.8
    anchors[48], anchors[49] = [0.5, 0.5, 1, 1], [0.75, 0.5, 0.5, 1]
    codec = raw_codec(72, 4, anchor_strides=[8, 16], score_activation="none", iou_threshold=allowed)
    codec.decode.__self__._anchors = anchors  # whose halves float32 holds exactly
    assert len(decoded(codec, encodings, scores)) == left


@pytest.mark.parametrize("activation", ["sigmoid", "softmax", "none"])
def test_what_is_no_number_is_not_detected(activation):
    codec = raw_codec(72, 4, anchor_strides=[8, 16], score_activation=activation)
    assert codec.decode((np.full((1, 72, 4), np.nan, F), np.full((1, 72, 4), np.nan, F))) == b""


def test_boxes_that_are_no_numbers_hurt_nothing_else():
    encodings, scores = np.zeros((1, 72, 4), F), np.zeros((1, 72, 4), F)
    encodings[0, 48] = np.nan
    scores[0, 48, 1], scores[0, 50, 1] = 0.9, 0.8
    found = decoded(raw_codec(72, 4, anchor_strides=[8, 16], score_activation="none"), encodings, scores)
    assert found[:, 5].tolist() == [F(0.9), F(0.8)]
    assert np.isnan(found[0, 1:5]).all()
    assert np.isfinite(found[1]).all()


def test_nothing_above_the_threshold_is_an_empty_response():
    outputs = np.zeros((1, 72, 4), F), np.full((1, 72, 4), -9, F)
    assert raw_codec(72, 4, anchor_strides=[8, 16]).decode(outputs) == b""


@pytest.mark.parametrize(("threshold", "reached"), [(0.3, True), (0.30001, False)])
def test_the_threshold_itself_is_enough(threshold, reached):
    outputs = np.zeros((1, 72, 4), F), np.zeros((1, 72, 4), F)
    outputs[1][0, 5, 2] = 0.3
    codec = raw_codec(72, 4, anchor_strides=[8, 16], score_activation="none", score_threshold=threshold)
    assert bool(codec.decode(outputs)) == reached


def test_the_background_is_no_object():
    outputs = np.zeros((1, 72, 4), F), np.zeros((1, 72, 4), F)
    outputs[1][0, 5] = [0.9, 0.2, 0.2, 0.4]
    codec = raw_codec(72, 4, anchor_strides=[8, 16], score_activation="none", label_offset=1)
    assert decoded(codec, *outputs)[:, 6].tolist() == [3]
    codec = raw_codec(72, 4, anchor_strides=[8, 16], score_activation="none", label_offset=1, background=False)
    assert decoded(codec, *outputs)[:, 6].tolist() == [1, 4]


class TestOrder:
    """Boxes and scores are told by shape; only if there are four columns of scores, by name or place."""

    @pytest.mark.parametrize("shape", [(1, 72, 4), (1, 72, 1, 4)])
    def test_by_shape(self, shape):
        specs = [TensorSpec("a", (1, 72, 7), np.dtype(F)), TensorSpec("b", shape, np.dtype(F))]
        self.check(specs, (0, 1), {}, 7)

    def test_by_name(self):
        specs = [
            TensorSpec("raw/class_predictions", (1, 72, 4), np.dtype(F)),
            TensorSpec("raw/box_encodings", (1, 72, 4), np.dtype(F)),
        ]
        self.check(specs, (0, 1), {}, 4)

    def test_by_place(self):
        specs = [TensorSpec(name, (1, 72, 4), np.dtype(F)) for name in "ab"]
        self.check(specs, (1, 0), {}, 4)

    def test_by_option(self):
        specs = [TensorSpec(name, (1, 72, 4), np.dtype(F)) for name in "ab"]
        self.check(specs, (0, 1), {"output_order": ["scores", "boxes"]}, 4)

    @staticmethod
    def check(specs, places, options, columns):
        outputs = [np.zeros(each.shape, F) for each in specs]
        outputs[places[0]][0, 5, columns - 1] = 3
        image = [TensorSpec("i", (1, 32, 32, 3), np.dtype(F))]
        codec = ObjectDetection(
            TaskOptions.model_validate({"anchor_strides": [8, 16], "score_threshold": 0.9} | options)
        ).bind(image, specs)
        ((*_, chance, category),) = decoded(codec, *outputs)
        assert chance == pytest.approx(1 / (1 + math.exp(-3)))
        assert category == columns - 1


class TestAnchors:
    @pytest.mark.parametrize(("side", "count"), [(300, 1917), (320, 2034)])
    def test_the_official_models_numbers(self, side, count):
        """SSD-MobileNetV2 at 300x300, and MobileDet-SSD at 320x320."""
        assert anchor_count(side, side, TaskOptions()) == count == len(ssd_anchors(side, side, TaskOptions()))

    def test_the_first_and_last_ones_by_hand(self):
        anchors = ssd_anchors(300, 300, TaskOptions())
        root = math.sqrt(2)
        near = 0.5 / 19
        np.testing.assert_allclose(
            anchors[:3],
            [[near, near, 0.1, 0.1], [near, near, 0.2 / root, 0.2 * root], [near, near, 0.2 * root, 0.2 / root]],
            rtol=1e-6,
        )
        np.testing.assert_allclose(anchors[3:6, :2], [[near, 1.5 / 19]] * 3, rtol=1e-6)
        second = anchors[1083 : 1083 + 6]  # 0.2 + 0.75 / 5 = 0.35; the next scale is 0.5
        sizes = [(0.35 / math.sqrt(r), 0.35 * math.sqrt(r)) for r in (1, 2, 0.5, 3, 0.3333)]
        np.testing.assert_allclose(second[:, 2:], [*sizes, (math.sqrt(0.35 * 0.5),) * 2], rtol=1e-6)
        np.testing.assert_allclose(anchors[-6], [0.5, 0.5, 0.95, 0.95], rtol=1e-6)
        np.testing.assert_allclose(anchors[-1], [0.5, 0.5, math.sqrt(0.95), math.sqrt(0.95)], rtol=1e-6)

    def test_square_anchors_are_square_on_images_that_are_not(self):
        anchors = ssd_anchors(100, 200, TaskOptions(anchor_strides=(100,), anchor_aspect_ratios=(1.0,)))
        assert len(anchors) == 6
        np.testing.assert_allclose(anchors[0], [0.5, 0.25, 0.1, 0.05], rtol=1e-6)

    def test_no_anchor_between_scales(self):
        options = TaskOptions(anchor_strides=(16,), anchor_interpolated_ratio=0, anchor_reduced_lowest=False)
        assert anchor_count(32, 32, options) == len(ssd_anchors(32, 32, options)) == 4 * 5

    @given(st.integers(1, 400), st.integers(1, 400), st.lists(st.sampled_from([8, 16, 50, 64]), min_size=1, max_size=3))
    @settings(max_examples=30)
    def test_the_count_is_that_of_the_anchors(self, height, width, strides):
        options = TaskOptions(anchor_strides=tuple(strides))
        assert anchor_count(height, width, options) == len(ssd_anchors(height, width, options))
