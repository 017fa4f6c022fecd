"""The inputs and outputs that a file declares, for checking a plan before a runtime loads the model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile_tflite_model.reader import Tensor, read

Specs = Sequence[TensorSpec]


def declared_tensors(path: Path) -> tuple[Specs, Specs] | None:
    """The inputs and outputs of a model; None if only a runtime knows them.

    That is so with open sizes, with custom operators, which may decide the shapes of their outputs, and with types that
    NumPy lacks.

    Raises:
        ModelError: The file is no TensorFlow Lite model, or is damaged.
    """
    model = read(path)
    ends = [[_spec(model.tensors[index]) for index in indices] for indices in (model.inputs, model.outputs)]
    known = [[spec for spec in specs if spec is not None] for specs in ends]
    if known != ends or any(operator.is_custom for operator in model.operators):
        return None
    return known[0], known[1]


def _spec(tensor: Tensor) -> TensorSpec | None:
    if tensor.dtype is None or tensor.open_axes or not tensor.shape or min(tensor.shape) < 1:
        return None
    one = len(tensor.scales) == 1
    return TensorSpec(
        tensor.name,
        tensor.shape,
        tensor.dtype,
        scale=tensor.scales[0] if one else 0.0,
        zero_point=tensor.zero_points[0] if one else 0,
        scales=() if one else tensor.scales,
        zero_points=() if one else tensor.zero_points,
        axis=0 if one else tensor.quantized_dimension,
    )
