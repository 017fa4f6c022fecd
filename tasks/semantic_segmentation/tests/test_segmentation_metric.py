"""mIoU against a plain loop over the classes, against other definitions where they agree, and the app's own quirk."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from mlperf_mobile.errors import DataError
from mlperf_mobile_task_semantic_segmentation.metric import MeanIoU


class Truths:
    def __init__(self, *truths, classes=31):
        self._truths, self.classes = truths, classes

    def __len__(self):
        return len(self._truths)

    def truth(self, index):
        return self._truths[index]


def scored(truths, found, classes=31):
    metric = MeanIoU(Truths(*(labels.astype(np.uint8) for labels in truths), classes=classes))
    for index, labels in enumerate(found):
        metric.update(index, np.ascontiguousarray(labels, np.uint8).tobytes())
    return metric.score()


def by_the_app(truths, found, classes):
    """flutter/cpp/datasets/ade20k.cc, read as a formula: class by class, pixel by pixel in effect."""
    total, with_pixels = 0.0, 0
    for c in range(1, classes + 1):
        tp = fp = fn = 0
        for g, p in zip(truths, found, strict=True):
            tp += int(((p == c) & (g == c)).sum())
            fp += int(((p == c) & (g != c) & (g > 0) & (g <= classes)).sum())
            fn += int(((p != c) & (g == c)).sum())
        if tp + fp + fn:
            total += tp / (tp + fp + fn)
            with_pixels += 1
    return total / classes, total / max(1, with_pixels), with_pixels


maps = npst.arrays(np.uint8, (3, 6, 5), elements=st.one_of(st.integers(0, 4), st.integers(0, 255)))


@given(maps, maps, st.sampled_from([1, 3, 31, 254]))
def test_equals_a_plain_loop(truths, found, classes):
    score = scored(truths, found, classes)
    miou, mean_of_present, present = by_the_app(truths, found, classes)
    assert score.value == pytest.approx(miou, abs=1e-9)
    assert score.details["mean_of_present"] == pytest.approx(mean_of_present, abs=1e-9)
    assert score.details["classes_present"] == present
    counted = (truths > 0) & (truths <= classes)
    right = float((truths == found)[counted].mean()) if counted.any() else 0.0
    assert score.details["pixel_accuracy"] == pytest.approx(right, abs=1e-9)
    assert score.samples == 3


@given(
    npst.arrays(np.uint8, (2, 8, 8), elements=st.integers(1, 6)),
    npst.arrays(np.uint8, (2, 8, 8), elements=st.integers(1, 6)),
)
def test_equals_the_sets_definition_where_all_pixels_are_classes(truths, found):
    """Jaccard's index of the sets of pixels, as other libraries define it."""
    score = scored(truths, found, 6)
    indices = []
    for c in range(1, 7):
        one, other = (set(np.flatnonzero(labels == c).tolist()) for labels in (truths, found))
        if one | other:
            indices.append(len(one & other) / len(one | other))
            assert score.details[f"iou_{c}"] == pytest.approx(indices[-1], abs=1e-9)
        else:
            assert f"iou_{c}" not in score.details
    assert score.details["mean_of_present"] == pytest.approx(math.fsum(indices) / len(indices), abs=1e-9)


def test_equals_scikit_learn_and_keras():
    """jaccard_score(average="macro") of scikit-learn; keras.metrics.MeanIoU gives 0.076982, in float32."""
    y, x = np.mgrid[:40, :40]
    score = scored([(y * y + 3 * x) % 11 % 7 + 1], [(y * x + 2 * y) % 13 % 7 + 1], 7)
    assert score.value == pytest.approx(0.07698194354742453, abs=1e-12)


def test_a_perfect_answer_is_not_1_where_classes_are_absent():
    """The reference app divides by 31 also when a class occurs nowhere: both numbers are told."""
    truth = np.array([[1, 2, 31], [1, 2, 31]], np.uint8)
    score = scored([truth], [truth])
    assert score.value == pytest.approx(3 / 31, abs=1e-12)
    assert score.details["mean_of_present"] == 1.0
    assert score.details["classes_present"] == 3
    assert {key: value for key, value in score.details.items() if key.startswith("iou_")} == {
        "iou_1": 1.0, "iou_2": 1.0, "iou_31": 1.0,
    }  # fmt: skip


def test_by_hand():
    """Class 1: 2 of 4 pixels right, 1 wrong among classes and 1 over background; class 2: 1 right, 1 taken for 1."""
    truth = np.array([[1, 1, 1, 1], [2, 2, 0, 255]], np.uint8)
    found = np.array([[1, 1, 2, 0], [2, 1, 1, 2]], np.uint8)
    score = scored([truth], [found], 2)
    assert score.details["iou_1"] == pytest.approx(2 / (4 + 1))
    assert score.details["iou_2"] == pytest.approx(1 / (2 + 1))
    assert score.value == pytest.approx((2 / 5 + 1 / 3) / 2)
    assert score.details["pixel_accuracy"] == pytest.approx(3 / 6)


def test_what_is_found_outside_of_the_classes_counts_for_nothing():
    """Of 32 to 255, and where the truth is no class: neither right nor wrong."""
    truth = np.array([[0, 32, 255, 40]], np.uint8)
    score = scored([truth], [np.array([[1, 32, 7, 31]], np.uint8)])
    assert (score.value, score.details["classes_present"], score.details["pixel_accuracy"]) == (0.0, 0, 0.0)


def test_nothing_scored_is_zero():
    assert MeanIoU(Truths(np.ones((2, 2), np.uint8))).score().value == 0.0


@pytest.mark.parametrize("factor", [2, 4, 16])
def test_lower_resolutions_stand_for_the_pixels_they_cover(factor):
    small = np.random.default_rng(factor).integers(1, 5, (32 // factor, 64 // factor)).astype(np.uint8)
    truth = np.kron(small, np.ones((factor, factor), np.uint8))
    assert scored([truth], [small], 4).details["mean_of_present"] == 1.0


def test_a_resolution_that_is_no_whole_fraction():
    """Two pixels for three: centres at 1/6, 1/2, 5/6 of the width lie in the first, the second and the second."""
    truth = np.array([[1, 2, 2], [3, 4, 4], [3, 4, 4]], np.uint8)
    assert scored([truth], [np.array([[1, 2], [3, 4]], np.uint8)], 4).value == 1.0


def test_higher_resolutions_are_compared_too():
    """A model for larger images, on a set prepared for smaller ones."""
    large = np.kron(np.array([[1, 2], [3, 4]], np.uint8), np.ones((3, 3), np.uint8))
    assert scored([np.array([[1, 2], [3, 4]], np.uint8)], [large], 4).value == 1.0


@pytest.mark.parametrize("size", [0, 1, 4, 13, 31 * 32, 32 * 33, 16 * 64])
def test_responses_of_other_tasks_are_refused(size):
    """For a truth of 64x64 the least is 4x4."""
    sizes = [n * n for n in range(4, 65)]
    metric = MeanIoU(Truths(np.ones((64, 64), np.uint8)))
    if size in sizes:
        metric.update(0, bytes(size))
        return
    with pytest.raises(DataError, match="sample 0") as caught:
        metric.update(0, bytes(size))
    assert caught.value.code == "response"


@pytest.mark.parametrize(
    "truth", [None, 3, np.ones((2, 2)), np.ones(4, np.uint8), np.ones((2, 2, 3), np.uint8), np.ones((0, 2), np.uint8)]
)
def test_truths_that_are_no_label_maps_name_the_sample(truth):
    with pytest.raises(DataError, match="sample 0") as caught:
        MeanIoU(Truths(truth))
    assert caught.value.code == "label"


def test_data_sets_that_do_not_name_their_classes():
    class Bare:
        def truth(self, index):
            return np.ones((2, 2), np.uint8)

    with pytest.raises(DataError, match="Bare") as caught:
        MeanIoU(Bare())
    assert caught.value.code == "classes"
    assert MeanIoU(Bare(), classes=2).score().value == 0.0


def test_counts_do_not_overflow():
    """ADE20K's validation set has 524 million pixels; more are counted exactly."""
    truth = np.ones((512, 512), np.uint8)
    metric = MeanIoU(Truths(truth))
    for _ in range(20):
        metric.update(0, truth.tobytes())
    assert metric.score().details["iou_1"] == 1.0
    assert metric.score().samples == 20
