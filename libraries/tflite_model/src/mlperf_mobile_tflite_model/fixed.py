"""Refuses models with open inputs, for backends that support fixed shapes only."""

from __future__ import annotations

import numpy as np

from mlperf_mobile import backend_checks
from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile_tflite_model.reader import TFLiteModel


def check_fixed(model: TFLiteModel, requested: backend_checks.Shapes, label: str) -> None:
    """Refuse open inputs, and requested shapes that differ from the model's.

    Args:
        model: A model that has been read.
        requested: ``CompileRequest.input_shapes``.
        label: The backend in messages: ``"backend acme"``.

    Raises:
        ModelError: ``open-shape`` or ``input-shapes``.
    """
    ends = [model.tensors[index] for index in model.inputs]
    specs = [TensorSpec(t.name, t.shape, t.dtype or np.dtype(object), open_axes=t.open_axes) for t in ends]
    if requested or any(spec.open_axes for spec in specs):  # compiling refuses sizes of 0
        backend_checks.fixed(specs, requested, model.path.name, label)
