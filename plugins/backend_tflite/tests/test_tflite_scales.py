"""Scales of inputs and outputs, as the interpreter's ``quantization_parameters`` have them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mlperf_mobile.errors import ModelError
from mlperf_mobile_backend_tflite.session import specs


def detail(scales: list[float], zero_points: list[int], axis: int = 0) -> dict[str, Any]:
    told = {"scales": np.float32(scales), "zero_points": np.int32(zero_points), "quantized_dimension": axis}
    return {"name": "t", "shape": np.int32([1, 2]), "dtype": np.int8, "quantization_parameters": told}


def test_by_tensor_and_by_channel() -> None:
    plain, tensor, channel, broadcast = specs(
        [detail([], []), detail([0.5], [3]), detail([0.5, 2], [3, -1], 1), detail([0.5, 2], [7], 1)], "m"
    )
    assert not plain.quantised
    assert (tensor.scale, tensor.zero_point, tensor.scales) == (0.5, 3, ())
    assert (channel.scale, channel.scales, channel.zero_points, channel.axis) == (0, (0.5, 2.0), (3, -1), 1)
    assert broadcast.zero_points == (7, 7)
    assert all(type(each) is float for each in channel.scales) and all(type(n) is int for n in channel.zero_points)


@pytest.mark.parametrize(
    "wrong", [detail([0.5, 2, 1], [0, 0, 0], 1), detail([0.5, 2], [0, 0], 7), detail([1, 0], [0, 0], 1)]
)
def test_scales_that_do_not_fit_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="tensor t int8") as caught:
        specs([wrong], "m")
    assert caught.value.code == "model-tensor"
