"""The data set: generated inputs, or those in a file, before the model's tensors are known."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from mlperf_mobile.errors import DataError
from mlperf_mobile_task_any_model.archive import Arrays, read_arrays
from mlperf_mobile_task_any_model.options import Bounds, InputsOptions


@dataclass(frozen=True, slots=True)
class MadeUp:
    """A sample to be generated for the model's tensors."""

    seed: int
    index: int
    ranges: dict[str, Bounds] = field(hash=False)
    """By the inputs' names."""


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """A sample from a file."""

    source: str
    """For messages: the file, and the sample in it."""
    arrays: Arrays
    """By the inputs' names, without the axis that counts samples."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Given) and self._content() == other._content()

    def __hash__(self) -> int:
        return hash(self.source)

    def _content(self) -> dict[str, tuple[tuple[int, ...], str, bytes]]:
        return {name: (each.shape, each.dtype.str, each.tobytes()) for name, each in self.arrays.items()}


Sample: TypeAlias = MadeUp | Given


class Inputs:
    """Inputs of any model.

    Args:
        path: An ``.npz`` file with one array for each input, whose first axis counts the samples; None for generated
            inputs.
        options: Number, seed and ranges of generated inputs.

    Raises:
        DataError: The file is missing or damaged, is too large, or holds anything but arrays of numbers.
    """

    def __init__(self, path: Path | None, options: InputsOptions) -> None:
        self._path, self._options = path, options
        self._arrays: Arrays = read_arrays(path) if path else {}
        self._length = len(next(iter(self._arrays.values()))) if self._arrays else options.samples
        if path and options != InputsOptions():
            hint = "leave samples, seed and ranges out; they apply to generated inputs"
            raise DataError("inputs-options", f"the inputs come from {path}, and are not generated", hint)

    def __len__(self) -> int:
        return self._length

    def sample(self, index: int) -> Sample:
        """One sample, for the task to turn into tensors.

        Raises:
            IndexError: There is no such sample.
        """
        if not 0 <= index < self._length:
            raise IndexError(f"sample {index} of {self._length}")
        if self._path is None:
            return MadeUp(self._options.seed, index, self._options.ranges)
        return Given(f"sample {index} of {self._path}", {name: each[index] for name, each in self._arrays.items()})

    def truth(self, index: int) -> object:
        """Not available.

        Raises:
            DataError: Always.
        """
        hint = "measure with --mode performance, or name the task that the model solves"
        raise DataError("no-labels", "inputs of any model have no correct answers", hint)
