"""Tensors and their specs, which all contracts share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Tensors: TypeAlias = tuple[npt.NDArray[Any], ...]
"""One sample's tensors, in the order of the session's specs, each with the spec's shape and dtype."""

TokenIds: TypeAlias = npt.NDArray[np.int32]
"""The ids of tokens: int32[n], C-contiguous."""


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input or output of a model; ``shape`` is the shape of one sample, including its leading 1.

    Quantised tensors follow ``real = scale * (stored - zero_point)`` (TensorFlow Lite 8-bit quantisation
    specification); ``scale == 0`` and no ``scales`` mean that the tensor is not quantised.
    """

    name: str
    """Its name in the model."""
    shape: tuple[int, ...]
    """The shape of one sample, with a leading 1 where the model has a batch dimension."""
    dtype: np.dtype[np.generic]
    """Of the stored values."""
    scale: float = 0.0
    """For a tensor that is quantised as a whole; 0 otherwise."""
    zero_point: int = 0
    """The stored value of the real number 0."""
    scales: tuple[float, ...] = ()
    """For a tensor quantised by channel: one for each index of ``axis``; then ``scale`` and ``zero_point`` are 0."""
    zero_points: tuple[int, ...] = ()
    """One for each of ``scales``."""
    axis: int = 0
    """The axis of the channels, for a tensor quantised by channel."""
    open_axes: tuple[int, ...] = ()
    """For an input: axes whose size neither the model nor the request fixes; ``shape`` has any number there."""

    def __post_init__(self) -> None:
        """Make tuples of other sequences, such as the shape that a runtime reports as a list: arrays have tuples."""
        for name in ("shape", "scales", "zero_points", "open_axes"):
            if type(value := getattr(self, name)) is not tuple:
                object.__setattr__(self, name, tuple(value))

    @property
    def quantised(self) -> bool:
        """Whether stored values differ from real values."""
        return bool(self.scale or self.scales)

    @property
    def quantisation(self) -> tuple[float | tuple[float, ...], int | tuple[int, ...], int]:
        """Everything that determines how values are stored, for comparing tensors and naming encoded samples."""
        return (self.scales, self.zero_points, self.axis) if self.scales else (self.scale, self.zero_point, 0)

    def scale_arrays(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Scale and zero point as arrays that broadcast against the tensor: 0-dimensional, or along ``axis``."""
        if not self.scales:
            return np.array(self.scale, np.float64), np.array(self.zero_point, np.float64)
        along = [1] * len(self.shape)
        along[self.axis] = len(self.scales)
        scales, zero_points = (np.array(each, np.float64) for each in (self.scales, self.zero_points))
        return scales.reshape(along), zero_points.reshape(along)

    def __str__(self) -> str:
        sizes = ["?" if self._is_open(axis) else str(size) for axis, size in enumerate(self.shape)]
        return f"{self.dtype.name}[{','.join(sizes)}]"

    @property
    def is_open(self) -> bool:
        """Whether any size is still open, other than the first, which counts samples."""
        return any(map(self._is_open, range(len(self.shape))))

    def _is_open(self, axis: int) -> bool:
        return self.shape[axis] < 1 or (axis in self.open_axes and (axis > 0 or len(self.shape) == 1))
