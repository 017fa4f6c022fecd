"""The size of a model's open image input, where it is that of the samples."""

from __future__ import annotations

import numpy as np
import pytest

from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile_images.image import Image
from mlperf_mobile_images.model_input import size_of_samples

OPEN = TensorSpec("image", (1, 1, 1, 3), np.dtype(np.float32), open_axes=(0, 1, 2))
SAMPLE = Image(np.zeros((5, 7, 3), np.uint8), "x.png")


def test_height_and_width_of_the_samples():
    assert size_of_samples([OPEN], SAMPLE) == {"image": (1, 5, 7, 3)}


def test_channels_are_the_models_where_it_fixes_them():
    grey = Image(np.zeros((5, 7, 1), np.uint8), "x.png")
    assert size_of_samples([OPEN], grey) == {"image": (1, 5, 7, 3)}
    all_open = TensorSpec("image", (1, 1, 1, 1), np.dtype(np.float32), open_axes=(0, 1, 2, 3))
    assert size_of_samples([all_open], grey) == {"image": (1, 5, 7, 1)}


@pytest.mark.parametrize(
    ("inputs", "sample"),
    [([OPEN, OPEN], SAMPLE), ([], SAMPLE), ([OPEN], "text"), ([OPEN], Image(np.zeros(105, np.uint8), "x.rgb8")),
     ([TensorSpec("x", (1, 1), np.dtype(np.float32), open_axes=(1,))], SAMPLE)],
)  # fmt: skip
def test_nothing_is_known_of_others(inputs, sample):
    assert size_of_samples(inputs, sample) == {}
