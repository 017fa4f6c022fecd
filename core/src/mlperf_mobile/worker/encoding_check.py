"""Whether an encoded sample is what the loaded model takes; if it is not, the task is at fault, and not the backend."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mlperf_mobile.backend_checks import kind_of
from mlperf_mobile.contracts import TensorSpec


class EncodingCheck:
    """Compares encoded samples with the inputs of a model, in about a microsecond each.

    Args:
        specs: The inputs; None if samples are prompts, which may be of any length.
    """

    def __init__(self, specs: Sequence[TensorSpec] | None) -> None:
        self._specs = specs
        self._expected = None if specs is None else [(spec.shape, spec.dtype) for spec in specs]

    def wrong(self, encoded: object) -> str:
        """What is wrong with what ``encode`` returned; empty if nothing is."""
        try:
            found = [(tensor.shape, tensor.dtype) for tensor in encoded]  # type: ignore[attr-defined]  # else described
        except (TypeError, AttributeError):
            return self._described(encoded)
        fits = self._expected is None or found == self._expected
        return "" if fits and isinstance(encoded, (tuple, list)) and _arrays(encoded) else self._described(encoded)

    def _described(self, encoded: object) -> str:
        specs = self._specs
        expected = "arrays" if specs is None else f"{len(specs)} array{'s' * (len(specs) != 1)}"
        if not isinstance(encoded, (tuple, list)):
            return f"encode() returned {kind_of(encoded)}, a tuple of {expected} was expected"
        if specs is not None and len(encoded) != len(specs):
            found = ", ".join(map(kind_of, encoded)) or "nothing"
            return f"encode() returned a tuple of {len(encoded)} ({found}), a tuple of {expected} was expected"
        if specs is None:
            other = next((each for each in encoded if not isinstance(each, np.ndarray)), None)
            return f"encode() returned a tuple with {kind_of(other)}, a tuple of {expected} was expected"
        for spec, tensor in zip(specs, encoded, strict=True):
            if not isinstance(tensor, np.ndarray) or (tensor.shape, tensor.dtype) != (spec.shape, spec.dtype):
                order = " in another byte order" if kind_of(tensor) == str(spec) else ""
                return f"encode() returned {kind_of(tensor)}{order} for input {spec.name}, {spec} was expected"
        return ""


def _arrays(encoded: Sequence[object]) -> bool:
    return all([isinstance(tensor, np.ndarray) for tensor in encoded])  # noqa: C419  a generator takes three times as long
