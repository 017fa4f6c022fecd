"""The task: any tensors in, any out; there is nothing to score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np
import numpy.typing as npt

from mlperf_mobile.contracts import Codec, Dataset, Metric, Tensors, TensorSpec, check_quantisation, stored_values
from mlperf_mobile.errors import DataError, ModelError
from mlperf_mobile_task_any_model.dataset import Given, MadeUp
from mlperf_mobile_task_any_model.made_up import OTHERS, made_up

_HEAD = 4
"""Values of each output that a response keeps; enough to show that a call was answered, and nothing to be scored."""


class AnyModel:
    """Runs any model whose tensors are numbers."""

    def __init__(self, options: None) -> None:
        pass

    def bind(self, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> Codec:
        """Check that there are inputs and outputs, and that all are numbers."""
        return _Codec(inputs, outputs)

    def input_shapes(self, inputs: Sequence[TensorSpec], dataset: Dataset) -> Mapping[str, tuple[int, ...]]:
        """Open inputs get the shapes of the arrays in a file; generated inputs have no shapes of their own."""
        sample = dataset.sample(0)
        if not isinstance(sample, Given):
            return {}
        arrays = _by_input(sample, inputs)
        return {
            spec.name: _with_leading_one(arrays[spec.name].shape, len(spec.shape)) for spec in inputs if spec.is_open
        }

    def metric(self, dataset: Dataset) -> Metric:
        """Not available.

        Raises:
            ModelError: Always.
        """
        hint = "measure with --mode performance, or name the task that the model solves"
        raise ModelError("no-metric", "the task any_model has no metric", hint)


class _Codec:
    """The task bound to one model."""

    takes_infinity = True  # generated inputs may well lead to an infinite output

    def __init__(self, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> None:
        for specs, what in ((inputs, "input"), (outputs, "output")):
            if not specs:
                hint = "only models with at least one input and one output are measured"
                raise ModelError(f"model-{what}", f"the model has no {what}s", hint)
            for spec in specs:
                if spec.dtype.kind not in "biuf":
                    hint = "convert the model to numbers"
                    raise ModelError(f"model-{what}", f"{what} {spec.name} is {spec}, not numbers", hint)
                if spec.quantised:
                    check_quantisation(spec)
        if any(size < 1 for spec in inputs for size in spec.shape):
            empty = next(spec for spec in inputs if any(size < 1 for size in spec.shape))
            raise ModelError("model-input", f"input {empty.name} {empty} holds nothing", "set input_shapes")
        self._inputs = tuple(inputs)

    def encode(self, sample: object) -> Tensors:
        """The sample as the model's inputs.

        Raises:
            DataError: It is not one of the data set ``tensors``, or does not fit the model.
        """
        if isinstance(sample, MadeUp):
            unknown = sample.ranges.keys() - {OTHERS, *(spec.name for spec in self._inputs)}
            if unknown:
                raise DataError("inputs-range", f"the model has no input {min(unknown)!r}", _names(self._inputs))
            return tuple(
                made_up(spec, sample.ranges, sample.seed, sample.index, place)
                for place, spec in enumerate(self._inputs)
            )
        if isinstance(sample, Given):
            arrays = _by_input(sample, self._inputs)
            return tuple(_fitted(spec, arrays[spec.name], sample.source) for spec in self._inputs)
        reason = f"the data set gives {type(sample).__name__}, the task any_model takes tensors"
        raise DataError("inputs-file", reason, "leave --dataset out, or name the task that the model solves")

    def decode(self, outputs: Tensors) -> bytes:
        """The first values of each output."""
        return b"".join(tensor.ravel(order="K")[:_HEAD].tobytes() for tensor in outputs)


def _by_input(sample: Given, inputs: Sequence[TensorSpec]) -> dict[str, npt.NDArray[Any]]:
    """The sample's arrays by the model's inputs: by name; by position as ``arr_0``, ``arr_1``; or the only one.

    Raises:
        DataError: ``inputs-names``: an input has no array, or an array no input.
    """
    arrays, names = sample.arrays, [spec.name for spec in inputs]
    positional = [f"arr_{place}" for place in range(len(names))]
    if set(arrays) == set(names):
        return arrays
    if set(arrays) == set(positional):
        return {name: arrays[key] for name, key in zip(names, positional, strict=True)}
    if len(arrays) == len(names) == 1:
        return {names[0]: next(iter(arrays.values()))}
    missing, unknown = [name for name in names if name not in arrays], [name for name in arrays if name not in names]
    near = get_close_matches(unknown[0], names, 1) if unknown else []
    what = f"has no array for input {missing[0]!r}" if missing else f"has an array {unknown[0]!r} without an input"
    raise DataError("inputs-names", f"{sample.source} {what}", f"did you mean {near[0]}?" if near else _names(inputs))


def _names(inputs: Sequence[TensorSpec]) -> str:
    return f"the inputs are {', '.join(f'{spec.name} {spec}' for spec in inputs)}"


def _with_leading_one(shape: tuple[int, ...], rank: int) -> tuple[int, ...]:
    return (1, *shape) if len(shape) == rank - 1 else shape


def _fitted(spec: TensorSpec, array: npt.NDArray[Any], source: str) -> npt.NDArray[Any]:
    """The array as the input's tensor: its shape may lack the leading 1; floats for a quantised input are real values.

    Raises:
        DataError: ``inputs-shape`` or ``inputs-type``: it does not fit.
    """
    if _with_leading_one(array.shape, len(spec.shape)) != spec.shape:
        shape = ",".join(map(str, array.shape))
        hint = "the first axis of the array counts samples; the rest is the shape of one of them"
        raise DataError("inputs-shape", f"{source} has [{shape}] for input {spec.name} {spec}", hint)
    if spec.quantised and array.dtype.kind == "f":
        array = stored_values(spec)(array.reshape(spec.shape))
    if array.dtype != spec.dtype:
        also = ", or give real values as float32" if spec.quantised else ""
        hint = f"convert it: array.astype({spec.dtype.name!r}){also}"
        raise DataError("inputs-type", f"{source} has {array.dtype} for input {spec.name} {spec}", hint)
    return np.ascontiguousarray(array).reshape(spec.shape)
