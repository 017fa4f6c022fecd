"""What all contracts speak of: tensors, what a model says of them, and options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Tensors: TypeAlias = tuple[npt.NDArray[Any], ...]
"""One sample's tensors, in the order of the session's specs, each with the spec's shape and dtype."""

Options: TypeAlias = Mapping[str, Any]
"""A plugin's own options, already checked against the model its offer names."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input or output of a model; ``shape`` is that of one sample, its leading 1 included.

    Quantised tensors follow ``real = scale * (stored - zero_point)`` (TensorFlow Lite 8-bit quantisation
    specification); ``scale == 0`` means that the tensor is not quantised.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    scale: float = 0.0
    zero_point: int = 0

    def __str__(self) -> str:
        return f"{self.dtype.name}[{','.join(map(str, self.shape))}]"
