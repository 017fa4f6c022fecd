"""Scales by channel, which come from the model file, not from the library."""

from __future__ import annotations

import numpy as np

from mlperf_mobile_backend_capi.shapes import TensorDescription, specs


def test_by_channel() -> None:
    known = TensorDescription((1, 2), "boxes", by_channel=((0.5, 2.0), (3, -1), 1))
    (spec,) = specs("output", [(np.dtype(np.int8), 2)], (), [known], "m.tflite")
    assert (spec.scale, spec.scales, spec.zero_points, spec.axis) == (0, (0.5, 2.0), (3, -1), 1)
    assert spec.quantised


def test_by_tensor() -> None:
    (spec,) = specs("output", [(np.dtype(np.int8), 2)], ("scores:1x2@0.5,3",), [], "m.tflite")
    assert (spec.scale, spec.zero_point, spec.scales) == (0.5, 3, ())
