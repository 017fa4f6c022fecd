"""The models of the fake backend: products with factors or with a matrix, as arrays in an .npz file."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
_NAMES = ("shape", "factors", "weights", "bias", "quantisation")


def save_model(
    path: Path,
    shape: Sequence[int] = (1, 4),
    factors: Sequence[float] = (2.0,),
    weights: Array | None = None,
    bias: Array | None = None,
    quantisation: Sequence[float] = (),
) -> Path:
    """Write a model of one input, and return its path.

    Args:
        path: The file, ``.npz``.
        shape: Of the input; -1 for an open size.
        factors: One output each: the input times the factor.
        weights: Instead of factors: one output, the input times this matrix.
        bias: Added to that product.
        quantisation: For int8: the input's scale and zero point, then the output's.
    """
    arrays: dict[str, Array] = {"shape": np.array(shape, np.int64), "factors": np.array(factors, np.float32)}
    if weights is not None:
        arrays["weights"] = np.asarray(weights, np.float32)
        arrays["bias"] = np.zeros(weights.shape[1], np.float32) if bias is None else np.asarray(bias, np.float32)
    if quantisation:
        arrays["quantisation"] = np.array(quantisation, np.float64)
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


@dataclass(frozen=True, slots=True)
class Model:
    """A model in memory."""

    shape: tuple[int, ...]
    factors: Array
    weights: Array | None
    bias: Array | None
    quantisation: tuple[float, ...]

    def compute(self, x: Array) -> tuple[Array, ...]:
        """The outputs for one sample."""
        if self.weights is not None and self.bias is not None:
            return ((x @ self.weights + self.bias).astype(np.float32),)
        if self.quantisation:
            scale, zero, to_scale, to_zero = self.quantisation
            real = self.factors[0] * scale * (x.astype(np.float64) - zero)
            return (np.clip(np.rint(real / to_scale) + to_zero, -128, 127).astype(np.int8),)
        return tuple((x * factor).astype(np.float32) for factor in self.factors)

    @property
    def output_shapes(self) -> list[tuple[int, ...]]:
        """The shape of each output."""
        if self.weights is not None:
            return [(*self.shape[:-1], self.weights.shape[1])]
        return [self.shape] * len(self.factors)


def read_model(path: Path) -> Model:
    """A model from its file.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no such model.
    """
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays: Mapping[str, Array] = {name: file[name] for name in _NAMES if name in file}
    except (zipfile.BadZipFile, EOFError, KeyError, TypeError) as error:
        raise ValueError(str(error)) from error
    if "shape" not in arrays or "factors" not in arrays:
        raise ValueError("it has no arrays 'shape' and 'factors'")
    quantisation = tuple(float(each) for each in arrays.get("quantisation", ()))
    shape = tuple(int(each) for each in arrays["shape"])
    return Model(shape, arrays["factors"], arrays.get("weights"), arrays.get("bias"), quantisation)
