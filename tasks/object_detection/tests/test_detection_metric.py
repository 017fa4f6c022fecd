"""mAP against a plain implementation of the reference app's definition, against pycocotools, and by hand."""

from __future__ import annotations

import io
import json
import struct
from contextlib import redirect_stdout

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mlperf_mobile.errors import DataError
from mlperf_mobile_task_object_detection.coco import Coco
from mlperf_mobile_task_object_detection.coco_evaluation import NAMES
from mlperf_mobile_task_object_detection.metric import MeanAveragePrecision
from mlperf_mobile_task_object_detection.options import CocoOptions, TaskOptions
from mlperf_mobile_task_object_detection.task import ObjectDetection
from mlperf_mobile_task_object_detection.truth import NOTHING, CocoObjects, Truth

F = np.float32
WHOLE = (0.0, 0.0, 1.0, 1.0)


class Images:
    """A data set of what is known of images."""

    def __init__(self, *truths):
        self._truths = truths

    def __len__(self):
        return len(self._truths)

    def truth(self, index):
        return self._truths[index]


def objects(*rows):
    """(class, box) each."""
    return Truth(np.array([box for _, box in rows], F).reshape(-1, 4), np.array([c for c, _ in rows], np.int64))


def response(*rows, sample=0.0):
    """(class, score, box) each, as the app writes them."""
    return b"".join(struct.pack("<7f", sample, *box, score, category) for category, score, box in rows)


def scored(truths, responses, classes=91):
    metric = MeanAveragePrecision(Images(*truths), classes)
    for index, each in enumerate(responses):
        metric.update(index, each)
    return metric.score()


def plain_map(truths, found):
    """The mean over thresholds and classes, one detection at a time; all numbers float32.

    ``truths`` has a list of (class, box) for each image, ``found`` one of (class, score, box).
    """
    total, number = F(0), 0
    for step in range(10):
        threshold = F(0.5 + step * 0.05)
        named = {c for image in truths for c, _ in image} | {c for image in found for c, _, _ in image}
        for category in sorted(named):
            left = [[box for c, box in image if c == category] for image in truths]
            count = sum(map(len, left))
            answers = [(s, n, box) for n, image in enumerate(found) for c, s, box in image if c == category]
            answers.sort(key=lambda answer: -answer[0])
            value = F(0)
            if count:
                curve, correct = [], 0
                for place, (_, image, box) in enumerate(answers):
                    shares = [plain_iou(box, other) for other in left[image]]
                    if shares and max(shares) >= threshold:
                        del left[image][shares.index(max(shares))]
                        correct += 1
                    curve.append((F(correct) / F(place + 1), F(correct) / F(count)))
                for level in range(100, -1, -1):
                    value += max((p for p, r in curve if r * F(100) >= F(level)), default=F(0))
                value /= F(101)
            total += value
            number += 1
    return float(total / F(number)) if number else 0.0


def plain_iou(a, b):
    a, b = [F(v) for v in a], [F(v) for v in b]
    height = max(F(0), min(a[2], b[2]) - max(a[0], b[0]))
    width = max(F(0), min(a[3], b[3]) - max(a[1], b[1]))
    areas = [max(F(0), box[3] - box[1]) * max(F(0), box[2] - box[0]) for box in (a, b)]
    union = areas[0] + areas[1] - width * height
    return width * height / union if union > 0 else F(0)


EDGES = st.sampled_from([0.0, 0.1, 0.125, 0.2, 0.5, 0.55, 0.6, 0.9, 1.0])
CORNERS = st.tuples(EDGES, EDGES, EDGES, EDGES)  # also empty and turned over
BOXES = st.one_of(CORNERS.map(lambda c: (*np.minimum(c[:2], c[2:]), *np.maximum(c[:2], c[2:]))), CORNERS)
BOXES |= st.sampled_from([(0.0, 0.0, 1.0, right) for right in (0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 1.0)])  # much alike
CLASSES = st.integers(1, 3)
SCORES = st.one_of(st.integers(1, 5).map(lambda n: n / 8), st.floats(0, 1, width=32))
TRUTHS = st.lists(st.tuples(CLASSES, BOXES), max_size=6)
FOUND = st.lists(st.tuples(CLASSES, SCORES, BOXES), max_size=8)


@pytest.mark.slow
@given(st.lists(st.tuples(TRUTHS, FOUND), min_size=1, max_size=5))
@settings(max_examples=150)
def test_the_same_as_the_plain_definition(images):
    truths, found = zip(*images, strict=True)
    if not any(truths):
        return
    score = scored([objects(*rows) for rows in truths], [response(*rows) for rows in found])
    assert score.value == plain_map(truths, found)
    assert score.samples == len(images)
    assert score.details["detections"] == sum(map(len, found))
    assert score.details["objects"] == sum(map(len, truths))


class TestByHand:
    def test_all_right(self):
        score = scored([objects((5, WHOLE))], [response((5, 0.1, WHOLE))])
        assert (score.metric, score.value, score.samples) == ("mAP", 1.0, 1)
        assert (score.details["AP50"], score.details["AP75"]) == (1.0, 1.0)

    def test_nothing_found(self):
        assert scored([objects((5, WHOLE))], [b""]).value == 0

    def test_half_of_the_objects_are_51_of_101_levels(self):
        score = scored([objects((5, WHOLE)), objects((5, WHOLE))], [response((5, 0.9, WHOLE)), b""])
        assert score.value == pytest.approx(51 / 101, abs=1e-6)

    def test_a_class_that_is_only_detected_counts_as_nought(self):
        """Unlike COCO's evaluation, which leaves it out."""
        score = scored([objects((5, WHOLE))], [response((5, 0.9, WHOLE), (6, 0.1, WHOLE))])
        assert score.value == 0.5

    def test_an_image_without_objects_has_wrong_detections(self):
        """The better one is wrong: precision is a half wherever recall is looked at."""
        score = scored([objects((5, WHOLE)), NOTHING], [response((5, 0.5, WHOLE)), response((5, 0.9, WHOLE))])
        assert score.value == 0.5

    def test_an_object_is_found_once(self):
        half = (0.0, 0.0, 1.0, 0.5)
        twice = response((5, 0.9, WHOLE), (5, 0.8, WHOLE))
        score = scored([objects((5, WHOLE), (5, half))], [twice])
        assert score.details["AP50"] == pytest.approx(1.0)  # the second one overlaps the half by exactly 0.5
        assert score.details["AP75"] == pytest.approx(51 / 101, abs=1e-6)

    def test_boxes_without_area_are_never_found_and_count(self):
        line = (0.5, 0.0, 0.5, 1.0)
        score = scored([objects((5, WHOLE), (5, line))], [response((5, 0.9, WHOLE), (5, 0.8, line))])
        assert score.value == pytest.approx(51 / 101, abs=1e-6)

    def test_only_images_that_were_answered_count(self):
        """As in the reference app: a log of the first images is scored by itself."""
        metric = MeanAveragePrecision(Images(objects((5, WHOLE)), objects((5, WHOLE))), 91)
        metric.update(1, response((5, 0.9, WHOLE)))
        assert (metric.score().value, metric.score().samples) == (1.0, 1)

    def test_nothing_answered(self):
        assert scored([objects((5, WHOLE))], []).value == 0


class TestResponses:
    @pytest.mark.parametrize("sample", [-1.0, 0.0, 4952.0, float("nan")])
    def test_the_sample_is_the_logs(self, sample):
        """The reference app writes the index into the response as well; another one there changes nothing."""
        answer = response((5, 0.9, WHOLE), sample=sample)
        assert scored([NOTHING, objects((5, WHOLE))], [b"", answer]).value == 1.0

    def test_classes_are_cut_off(self):
        """As static_cast<int> does."""
        assert scored([objects((5, WHOLE))], [response((5.9, 0.9, WHOLE))]).value == 1.0

    @pytest.mark.parametrize("length", [1, 4, 27, 29, 55])
    def test_lengths_that_no_detections_have(self, length):
        with pytest.raises(DataError, match=f"sample 0 has {length} bytes") as caught:
            scored([objects((5, WHOLE))], [bytes(length)])
        assert caught.value.code == "response"

    @pytest.mark.parametrize("category", [91, -1, -7, 1e30, float("nan"), float("inf"), float("-inf")])
    def test_classes_that_are_not_there(self, category):
        """The reference app answers N/A, or reads memory that is not its own."""
        metric = MeanAveragePrecision(Images(NOTHING, objects((5, WHOLE))), 91)
        with pytest.raises(DataError, match="sample 1 names class") as caught:
            metric.update(1, response((5, 0.9, WHOLE), (category, 0.9, WHOLE)))
        assert caught.value.code == "class-range"

    @pytest.mark.parametrize("index", [-1, 2])
    def test_samples_that_are_not_there(self, index):
        metric = MeanAveragePrecision(Images(NOTHING, objects((5, WHOLE))), 91)
        with pytest.raises(DataError, match=f"sample {index}, the data set has 2 samples"):
            metric.update(index, b"")

    @pytest.mark.parametrize("broken", [float("nan"), float("inf"), float("-inf")])
    @pytest.mark.parametrize("place", range(5))
    def test_what_is_no_number_is_wrong_and_last(self, place, broken):
        numbers = [*WHOLE, 0.9]
        numbers[place] = broken
        answer = response((5, numbers[4], numbers[:4]), (5, 0.1, WHOLE))
        assert scored([objects((5, WHOLE))], [answer]).value == 1.0
        alone = response((5, numbers[4], numbers[:4]))
        assert scored([objects((5, WHOLE))], [alone]).value == 0.0

    @given(st.binary(max_size=90))
    def test_any_bytes_are_scored_or_refused(self, answer):
        try:
            score = scored([objects((5, WHOLE))], [answer])
        except DataError:
            return
        assert 0 <= score.value <= 1


class TestTruths:
    def test_data_without_objects(self):
        with pytest.raises(DataError, match="contain no objects") as caught:
            MeanAveragePrecision(Images(NOTHING, NOTHING), 91)
        assert caught.value.code == "no-labels"

    @pytest.mark.parametrize("label", [None, 3, "cat"])
    def test_truths_of_another_task(self, label):
        with pytest.raises(DataError, match="sample 1 has the label") as caught:
            MeanAveragePrecision(Images(NOTHING, label), 91)
        assert caught.value.code == "label"

    def test_classes_out_of_range(self):
        with pytest.raises(DataError, match="sample 1 shows class 91, classes are 0 to 90") as caught:
            MeanAveragePrecision(Images(NOTHING, objects((91, WHOLE))), 91)
        assert caught.value.code == "class-range"
        assert MeanAveragePrecision(Images(objects((91, WHOLE))), 92)

    def test_missing_annotations_are_reported_before_the_first_response(self, tmp_path):
        Pillow.new("RGB", (8, 8)).save(tmp_path / "a.png")
        with pytest.raises(DataError) as caught:
            ObjectDetection(TaskOptions()).metric(Coco(tmp_path, CocoOptions()))
        assert caught.value.code == "no-labels"


def by_pycocotools(annotations, results):
    """pycocotools as everybody uses it: two files' contents in, twelve numbers out."""
    with redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = json.loads(json.dumps(annotations))
        truth.createIndex()
        found = truth.loadRes(results) if results else COCO()
        if not results:
            found.dataset = {"images": truth.dataset["images"], "annotations": [], "categories": []}
            found.createIndex()
        evaluation = COCOeval(truth, found, "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return {name: value for name, value in zip(NAMES, evaluation.stats, strict=True) if value > -1}


SIZES = [(80, 8 * rows) for rows in range(3, 14)] + [(32, 32), (96, 96), (40, 32), (0, 8), (8, 104)]
PLACES = [(0, 0)] * 4 + [(8, 0), (0, 8), (160, 16)]


def many_boxes(rng, count):
    """Of few places and sizes, so that they often overlap; among them COCO's limits of sizes, 32x32 and 96x96."""
    return [(*map(float, PLACES[rng.integers(7)]), *map(float, SIZES[rng.integers(16)])) for _ in range(count)]


@pytest.mark.slow
@given(st.integers(0, 2**32), st.integers(1, 3), st.integers(1, 12), st.integers(0, 40))
@settings(max_examples=150)
def test_details_are_those_of_pycocotools(seed, classes, count, detections):
    """Crowds, areas, limits of detections, ties and all; boxes are in steps that float32 holds exactly."""
    rng = np.random.default_rng(seed)

    def some(values, count):
        return rng.choice(values, count).tolist()

    annotations = zip(
        some([0, 0, 1, 2], count), some(range(1, classes + 1), count), many_boxes(rng, count),
        some([1.0, 1.0, 0.5], count), some([False, False, True], count), strict=True,
    )  # fmt: skip
    results = zip(
        some([0, 0, 1, 2], detections), some(range(1, classes + 2), detections),
        (rng.integers(1, 40, detections) / 64).tolist(), many_boxes(rng, detections), strict=True,
    )  # fmt: skip
    width, height = 256, 128
    told = {
        "images": [{"id": n + 7, "width": width, "height": height, "file_name": str(n)} for n in range(3)],
        "categories": [{"id": n, "name": str(n)} for n in range(1, 5)],
        "annotations": [
            {"id": n + 1, "image_id": i + 7, "category_id": c, "bbox": list(box), "iscrowd": int(crowd)}
            | {"area": box[2] * box[3] * share}
            for n, (i, c, box, share, crowd) in enumerate(annotations)
        ],
    }
    results = sorted(results, key=lambda each: each[0])
    listed = [
        {"image_id": i + 7, "category_id": c, "score": float(F(score)), "bbox": list(box)}
        for i, c, score, box in results
    ]
    truths = []
    for image in range(3):
        mine = [each for each in told["annotations"] if each["image_id"] == image + 7]
        known = CocoObjects(
            width, height,
            np.array([each["bbox"] for each in mine], float).reshape(-1, 4),
            np.array([each["category_id"] for each in mine], np.int64),
            np.array([each["area"] for each in mine], float),
            np.array([each["iscrowd"] for each in mine], bool),
        )  # fmt: skip
        truths.append(Truth(np.array([WHOLE] * len(mine), F).reshape(-1, 4), known.classes, known))
    responses = []
    for image in range(3):
        mine = [each for each in results if each[0] == image]
        shares = [
            (c, score, (y / height, x / width, (y + h) / height, (x + w) / width)) for _, c, score, (x, y, w, h) in mine
        ]
        responses.append(response(*shares))
    details = scored(truths, responses).details
    expected = by_pycocotools(told, listed)
    assert {name: details[name] for name in NAMES if name in details} == pytest.approx(expected, abs=1e-12)


def test_more_than_a_hundred_detections_of_a_class():
    """COCO looks at the best hundred alone; the reference app at all."""
    box = (0.0, 0.0, 0.5, 0.5)
    known = CocoObjects(64, 64, np.array([[0.0, 0, 64, 64]]), np.array([1]), np.array([4096.0]), np.array([False]))
    truth = Truth(np.array([WHOLE], F), np.array([1]), known)
    rows = [(1, 1 - n / 200, box) for n in range(100)] + [(1, 0.01, WHOLE)]
    score = scored([truth], [response(*rows)])
    assert score.details["COCO AP"] == 0
    assert score.value == pytest.approx(1 / 101, rel=1e-5)


def test_details_print_nothing(capfd):
    known = CocoObjects(64, 64, np.array([[0.0, 0, 64, 64]]), np.array([1]), np.array([4096.0]), np.array([False]))
    scored([Truth(np.array([WHOLE], F), np.array([1]), known)], [response((1, 0.5, WHOLE))])
    assert capfd.readouterr() == ("", "")


def test_numbers_that_pycocotools_cannot_tell_are_left_out():
    """There is no small and no medium object."""
    known = CocoObjects(256, 256, np.array([[0.0, 0, 256, 256]]), np.array([1]), np.array([65536.0]), np.array([False]))
    details = scored([Truth(np.array([WHOLE], F), np.array([1]), known)], [response((1, 0.5, WHOLE))]).details
    absent = {f"COCO {value} {size}" for value in ("AP", "AR") for size in ("small", "medium")}
    assert {name for name in NAMES if name not in details} == absent
    assert details["COCO AP"] == pytest.approx(1.0)


def test_without_pixels_there_are_the_apps_numbers_alone():
    assert not [name for name in scored([objects((5, WHOLE))], [b""]).details if name.startswith("COCO")]
