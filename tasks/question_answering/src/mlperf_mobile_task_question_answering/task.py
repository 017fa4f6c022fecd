"""The task: a question and a passage in, scores of the answer's start and end out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from mlperf_mobile.contracts import (
    Codec,
    Dataset,
    Metric,
    Tensors,
    TensorSpec,
    real_values,
    stored_values,
)
from mlperf_mobile.errors import DataError, ModelError
from mlperf_mobile_task_question_answering.metric import F1
from mlperf_mobile_task_question_answering.options import TaskOptions
from mlperf_mobile_task_question_answering.tensors import find_inputs, find_outputs
from mlperf_mobile_task_question_answering.window import Integers, Window


class QuestionAnswering:
    """MobileBERT's tensors, the reference app's response, and F1."""

    def __init__(self, options: TaskOptions) -> None:
        self._options = options

    def bind(self, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> Codec:
        """Check that the model has three input and two output vectors of the same length."""
        roles, length = find_inputs(inputs, self._options.input_order)
        ends = find_outputs(outputs, length, self._options.output_order)
        return _Codec(
            _Encoder(roles, inputs, length, self._options.vocabulary_size),
            _Scores(outputs[ends.index("start")], ends.index("start")),
            _Scores(outputs[ends.index("end")], ends.index("end")),
            length,
        )

    def input_shapes(self, inputs: Sequence[TensorSpec], dataset: Dataset) -> Mapping[str, tuple[int, ...]]:
        """Open inputs get the length of the data set's windows, ``max_seq_length``."""
        window = dataset.sample(0)
        vectors = [spec for spec in inputs if len(spec.shape) == 2]
        return {spec.name: (1, len(window.ids)) for spec in vectors} if isinstance(window, Window) else {}

    def metric(self, dataset: Dataset) -> Metric:
        """F1 and exact match against the references of ``dataset``."""
        return F1(dataset, self._options.f1)


class _Encoder:
    """Turns a window into a model's inputs.

    Raises:
        ModelError: An input cannot hold all ids of the vocabulary, if ``size`` is not 0.
    """

    def __init__(self, roles: tuple[str, ...], specs: Sequence[TensorSpec], length: int, size: int) -> None:
        self._roles, self._length, self._size = roles, length, size
        self._inputs = [_Whole(role, spec) for role, spec in zip(roles, specs, strict=True)]
        ids = self._inputs[roles.index("ids")]
        if size and not ids.holds(size - 1):
            reason = f"the input {ids.label} cannot hold token {size - 1} of the vocabulary"
            raise ModelError("model-input", reason, "export the model with wider token inputs")
        tensors = " ".join(each.recipe for each in self._inputs)
        self.recipe = f"question_answering 1: {tensors} [1,{length}] below {size}"

    def encode(self, sample: object) -> Tensors:
        """The window as the model's input tensors.

        Raises:
            DataError: It is not a window, has another length than the model, or a token that the model does not know.
        """
        if not isinstance(sample, Window):
            reason = f"the data set gives {type(sample).__name__}, the task needs windows of a question and its passage"
            raise DataError("not-a-window", reason, "choose a data set that fits the task, with --dataset")
        if len(sample.ids) != self._length:
            reason = f"{sample.source} has windows of {len(sample.ids)} tokens, the model takes {self._length}"
            raise DataError("window-length", reason, f"set max_seq_length={self._length}, or give another --model")
        if self._size and int(sample.ids.max()) >= self._size:
            reason = f"{sample.source} has token {int(sample.ids.max())}, the model's vocabulary has {self._size}"
            raise DataError("token-range", reason, "give the model's own vocabulary with --set vocabulary=FILE")
        parts = {"ids": sample.ids, "mask": sample.mask, "segments": sample.segments}
        return tuple(each.stored(parts[each.role], sample.source) for each in self._inputs)


class _Whole:
    """One input for integers, in any type: numbers that it cannot hold are an error, and never changed."""

    def __init__(self, role: str, spec: TensorSpec) -> None:
        self.role, self.label = role, f"{spec.name} {spec}"
        self._dtype, self._length = spec.dtype, spec.shape[-1]
        self._store, self._real = stored_values(spec), real_values(spec)
        self._scaled = spec.quantised and spec.dtype.kind in "iu"
        self.recipe = f"{role}:{spec.dtype.name}" + (f"{spec.quantisation}" if self._scaled else "")

    def stored(self, numbers: Integers, source: str) -> npt.NDArray[np.generic]:
        """The tensor, [1, L].

        Raises:
            DataError: It cannot hold one of the numbers; the message names both.
        """
        stored, lost = self._converted(numbers)
        if lost is not None:
            what = "token" if self.role == "ids" else f"the {self.role} value"
            reason = f"{source} has {what} {lost}, which the input {self.label} cannot hold"
            raise DataError(
                "token-range", reason, "give a model with wider inputs, or a vocabulary that fits the model"
            )
        return stored

    def holds(self, number: int) -> bool:
        """Whether the tensor can hold the number at every place."""
        return self._converted(np.full(self._length, number, np.int32))[1] is None

    def _converted(self, numbers: Integers) -> tuple[npt.NDArray[np.generic], int | None]:
        """The tensor, and the first number that it cannot hold."""
        with np.errstate(over="ignore"):
            stored = self._store(numbers[None]) if self._scaled else numbers[None].astype(self._dtype)
        back = self._real(stored).astype(np.float64) if self._scaled else stored.astype(np.float64)
        wrong = np.flatnonzero(back != numbers)
        return stored, int(numbers[wrong[0]]) if wrong.size else None


class _Scores:
    """One output as float32: copied, or dequantised as ``scale * (stored - zero_point)``."""

    def __init__(self, spec: TensorSpec, place: int) -> None:
        self.place, self.is_float32 = place, spec.dtype == np.dtype("<f4")
        self._quantised = spec.dtype.kind in "iu"
        wide = np.float32 if spec.dtype.itemsize <= 2 else np.float64  # exact for every stored value
        self._scale, self._zero_point = (each.reshape(-1).astype(wide) for each in spec.scale_arrays())

    def write(self, outputs: Tensors, into: npt.NDArray[np.float32]) -> None:
        values = outputs[self.place].reshape(-1)
        if self._quantised:
            real = np.subtract(values, self._zero_point, dtype=self._scale.dtype)
            np.multiply(real, self._scale, out=into)
        else:
            into[:] = values


class _Codec:
    """The task bound to one model."""

    def __init__(self, encoder: _Encoder, start: _Scores, end: _Scores, length: int) -> None:
        self.encode, self.recipe = encoder.encode, encoder.recipe
        self._start, self._end, self._length = start, end, length
        self.decode = self._join if start.is_float32 and end.is_float32 else self._convert

    def _join(self, outputs: Tensors) -> bytes:
        """The scores of the start and then those of the end, little-endian float32, as the reference app logs them."""
        start, end = outputs[self._start.place], outputs[self._end.place]
        return b"".join((np.ascontiguousarray(start).data, np.ascontiguousarray(end).data))

    def _convert(self, outputs: Tensors) -> bytes:
        """The same for outputs of other types."""
        response = np.empty(2 * self._length, "<f4")
        self._start.write(outputs, response[: self._length])
        self._end.write(outputs, response[self._length :])
        return response.tobytes()
