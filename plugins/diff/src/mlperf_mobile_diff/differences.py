"""How far two tensors of the same sample are apart, in real values."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt

from mlperf_mobile.contracts import TensorSpec, real_values

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Apart:
    """Two tensors compared. Values that are not finite on either side are counted, and left out of the rest."""

    identical: bool
    """Bit by bit, with the same type and quantisation."""
    largest: float
    """The largest absolute difference."""
    relative: float
    """``largest`` as a share of the largest absolute value of either side."""
    mean: float
    """The mean absolute difference."""
    cosine: float
    """Cosine similarity; 1 for two tensors of zeros, 0 if only one is zero."""
    snr_db: float
    """Signal-to-noise ratio, ``10 log10(sum a^2 / sum (a - b)^2)``, in decibels; infinite without a difference."""
    unequal: float
    """The share of the values that are not equal."""
    not_finite: int
    """How many values are NaN or infinite on either side, but not the same on both."""


def comparable(a: TensorSpec, b: TensorSpec) -> str:
    """Why two tensors cannot be compared value by value; empty if they can."""
    if a.shape != b.shape:
        return f"shapes differ: {a} and {b}"
    return ""


def comparing(a: TensorSpec, b: TensorSpec) -> Callable[[Array, Array], Apart]:
    """A function that compares tensors of two specs with the same shape."""
    real_a, real_b = _real(a), _real(b)
    alike = a.dtype == b.dtype and a.quantisation == b.quantisation

    def compare(first: Array, second: Array) -> Apart:
        if alike and first.tobytes() == second.tobytes():
            return Apart(True, 0.0, 0.0, 0.0, 1.0, math.inf, 0.0, 0)
        left, right = real_a(first), real_b(second)
        finite = np.isfinite(left) & np.isfinite(right)
        unequal = (left != right) & ~(np.isnan(left) & np.isnan(right))
        share = float(unequal.mean()) if unequal.size else 0.0
        return _apart(left[finite], right[finite], share, int(np.count_nonzero(~finite & unequal)))

    return compare


def _real(spec: TensorSpec) -> Callable[[Array], npt.NDArray[np.float64]]:
    if not spec.quantised:
        return lambda stored: stored.astype(np.float64)
    real = real_values(spec)
    return lambda stored: real(stored).astype(np.float64)


def _apart(left: npt.NDArray[np.float64], right: npt.NDArray[np.float64], unequal: float, not_finite: int) -> Apart:
    if not left.size:
        return Apart(False, 0.0, 0.0, 0.0, 1.0, math.inf, unequal, not_finite)
    reach = float(max(np.abs(left).max(), np.abs(right).max())) or 1.0
    # Scaled first: squares of large values would be infinite, those of small ones zero.
    a, b = left / reach, right / reach
    gap = np.abs(a - b)
    noise, signal, other = float(np.sum(gap**2)), float(np.sum(a**2)), float(np.sum(b**2))
    cosine = float(np.sum(a * b)) / math.sqrt(signal * other) if signal and other else float(signal == other)
    snr = math.inf if not noise else 10 * math.log10(signal / noise) if signal else -math.inf
    relative = float(gap.max())
    mean = float(gap.mean()) * reach
    return Apart(False, relative * reach, relative, mean, min(1.0, cosine), snr, unequal, not_finite)


@dataclass(frozen=True, slots=True)
class Summary:
    """One output over all samples."""

    largest: float
    relative: float
    median_relative: float
    cosine: float
    """The smallest."""
    snr_db: float
    """The smallest."""
    identical: int
    """How many samples are identical."""
    unequal: float
    """The largest share of unequal values."""
    not_finite: int


def summarised(found: Sequence[Apart]) -> Summary:
    """The worst of each measure."""
    return Summary(
        largest=max(each.largest for each in found),
        relative=max(each.relative for each in found),
        median_relative=median(each.relative for each in found),
        cosine=min(each.cosine for each in found),
        snr_db=min(each.snr_db for each in found),
        identical=sum(each.identical for each in found),
        unequal=max(each.unequal for each in found),
        not_finite=sum(each.not_finite for each in found),
    )
