"""The best class of outputs of every type, where each class may have a scale of its own."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile.errors import ModelError
from mlperf_mobile_task_image_classification.options import TaskOptions
from mlperf_mobile_task_image_classification.task import ImageClassification

IMAGE = [TensorSpec("image", (1, 8, 8, 3), np.dtype(np.uint8))]
SMALL = ("int8", "uint8", "int16", "uint16")


def best(stored: list[int], dtype: str, offset: int = 0, **scales: object) -> int:
    spec = TensorSpec("scores", (1, len(stored)), np.dtype(dtype), **scales)  # type: ignore[arg-type]
    codec = ImageClassification(TaskOptions.model_validate({"label_offset": offset})).bind(IMAGE, [spec])
    return int(struct.unpack("<i", codec.decode((np.array([stored], dtype),)))[0])


@pytest.mark.parametrize("scales", [{}, {"scale": 0.1, "zero_point": 3}])
@pytest.mark.parametrize("dtype", [*SMALL, "float16", "float32"])
def test_one_scale(dtype: str, scales: dict[str, object]) -> None:
    """The first of several largest: the app's std::sort leaves open which one it is."""
    assert best([1, 9, 4, 9], dtype, **scales) == 1
    assert best([99, 1, 4, 9, 9], dtype, 1, **scales) == 2


@pytest.mark.parametrize("dtype", SMALL)
def test_a_scale_for_each_class(dtype: str) -> None:
    scales = {"scales": (0.5, 0.125, 1.0, 0.25), "zero_points": (0, 0, 1, 2), "axis": 1}
    # 0.5 * 10 = 5, 0.125 * 100 = 12.5, 1 * (8 - 1) = 7, 0.25 * (60 - 2) = 14.5
    assert best([10, 100, 8, 60], dtype, **scales) == 3
    # 0.5 * 10, 0.125 * 40 and 1 * (6 - 1) are 5: the first one
    assert best([10, 40, 6, 22], dtype, **scales) == 0
    assert best([10, 40, 6, 22], dtype, 1, **scales) == 0


def test_invalid_scales() -> None:
    with pytest.raises(ModelError, match="scores int8"):
        best([1, 2], "int8", scale=-1.0)
