"""Tensor specs: the library reports only types and sizes, so shapes come from an option or the model, or are flat."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlperf_mobile.backend_checks import Shapes
from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile.errors import BackendError

_SHAPE = re.compile(
    r"(?:(?P<name>[\w./:-]+):)?(?P<shape>[1-9]\d{0,8}(?:x[1-9]\d{0,8}){0,7})"
    r"(?:@(?P<scale>\d*\.?\d+(?:[eE][+-]?\d+)?),(?P<zero>-?\d{1,10}))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class TensorDescription:
    """A tensor as an option or the model describes it."""

    shape: tuple[int, ...]
    """Shape of one sample."""
    name: str = ""
    scale: float = 0.0
    zero_point: int = 0
    dtype: np.dtype[np.generic] | None = None
    by_channel: tuple[tuple[float, ...], tuple[int, ...], int] = ((), (), 0)
    """Scales, zero points and axis of a tensor quantised by channel."""


def parse(text: str) -> TensorDescription:
    """Parse ``"1x224x224x3"``, or ``"images:1x224x224x3@0.5,128"`` with name, scale and zero point.

    Raises:
        ValueError: The syntax is wrong.
    """
    found = _SHAPE.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is not a shape such as 1x224x224x3 or images:1x224x224x3@0.5,128")
    shape = tuple(map(int, found["shape"].split("x")))
    return TensorDescription(shape, found["name"] or "", float(found["scale"] or 0), int(found["zero"] or 0))


def specs(
    kind: str,
    reported: Sequence[tuple[np.dtype[np.generic], int]],
    option: Sequence[str],
    of_model: Sequence[TensorDescription],
    model: str,
) -> tuple[TensorSpec, ...]:
    """The library's types and sizes, with shapes from the option or the model, or flat: (1, size).

    Raises:
        BackendError: ``capi-shape``: they contradict each other.
    """
    described, source = ([parse(text) for text in option], f"the option {kind}s") if option else (of_model, model)
    if not described:
        return tuple([TensorSpec(f"{kind}{i}", (1, size), dtype) for i, (dtype, size) in enumerate(reported)])
    if len(described) != len(reported):
        raise _contradiction(f"{source} describes {len(described)} {kind}s, but the library has {len(reported)}")
    found = []
    for i, ((dtype, size), tensor) in enumerate(zip(reported, described, strict=True)):
        name = tensor.name or f"{kind}{i}"
        spec = TensorSpec(name, tensor.shape, dtype, tensor.scale, tensor.zero_point, *tensor.by_channel)
        if math.prod(tensor.shape) != size or tensor.dtype not in (None, dtype):
            known = TensorSpec(name, tensor.shape, tensor.dtype or dtype)
            raise _contradiction(
                f"{kind} {i} is {known} in {source}, but {size} elements of {dtype.name} in the library"
            )
        found.append(spec)
    return tuple(found)


def of_model(path: Path, requested: Shapes | None = None) -> tuple[list[TensorDescription], list[TensorDescription]]:
    """Inputs and outputs of a .tflite file; empty for other formats, or without the extra ``tflite``.

    Args:
        path: The model.
        requested: ``CompileRequest.input_shapes``; None if an option describes the inputs, including open ones.

    Raises:
        ModelError: The file is damaged, or leaves the size of an input open.
    """
    if path.suffix.lower() != ".tflite":
        return [], []
    try:
        from mlperf_mobile_tflite_model.fixed import check_fixed
        from mlperf_mobile_tflite_model.reader import read
    except ImportError:
        return [], []
    model = read(path)
    if requested is not None:
        check_fixed(model, requested, "backend capi")

    def described(index: int) -> TensorDescription:
        tensor = model.tensors[index]
        scale, zero = (tensor.scales[0], tensor.zero_points[0]) if len(tensor.scales) == 1 else (0.0, 0)
        several = (
            (tensor.scales, tensor.zero_points, tensor.quantized_dimension) if len(tensor.scales) > 1 else ((), (), 0)
        )
        return TensorDescription(tensor.shape, tensor.name, scale, zero, tensor.dtype, several)

    return [*map(described, model.inputs)], [*map(described, model.outputs)]


def _contradiction(summary: str) -> BackendError:
    return BackendError("capi-shape", summary, "use the model that the library expects, or correct the shapes")
