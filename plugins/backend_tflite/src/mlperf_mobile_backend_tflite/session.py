"""A loaded model, for one sample per call or a batch; preparations are kept out of the timed path."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn, Self

import numpy as np

from mlperf_mobile.backend_checks import batch_misfit, closed, misfit, of_one_sample
from mlperf_mobile.contracts import Placement, Tensors, TensorSpec, check_quantisation
from mlperf_mobile.errors import BackendError, ModelError
from mlperf_mobile_backend_tflite.placement import Partition, place, read_nodes
from mlperf_mobile_backend_tflite.runtime import Array, Interpreter

_INTERNAL_DATA = "reference to internal data"
"""Part of both runtimes' message if an array into their memory is still alive."""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """The parts of a session."""

    interpreter: Interpreter
    """With allocated tensors."""
    name: str
    """The model's name, for messages."""
    external: frozenset[Partition] = frozenset()
    """The partitions of an external delegate."""
    operators: int = 0
    """Number of operations, for a runtime that does not report where they run."""


def specs(details: Iterable[dict[str, Any]], model: str, *, from_file: bool = False) -> tuple[TensorSpec, ...]:
    """Tensor specs from ``get_input_details`` or ``get_output_details``.

    Args:
        details: The interpreter's details.
        model: The model's name.
        from_file: Nothing has been resized yet, so dimensions that are open in the signature are open.

    Raises:
        ModelError: ``model-tensor``: a tensor is not numeric.
    """
    found = []
    for detail in details:
        dtype = np.dtype(detail["dtype"])
        if dtype.kind not in "biufc":
            summary = f"tensor {detail['name']} of {model} holds {dtype.name}, not numbers"
            raise ModelError("model-tensor", summary, "convert the model with numeric inputs and outputs")
        shape = tuple(map(int, detail["shape"]))
        spec = TensorSpec(detail["name"], shape, dtype, **_quantisation(detail))
        if from_file:
            spec = replace(spec, open_axes=_open_axes(detail, shape))
        if spec.scales:
            check_quantisation(spec)
        found.append(spec)
    return tuple(found)


def _open_axes(detail: dict[str, Any], shape: tuple[int, ...]) -> tuple[int, ...]:
    """The axes that are open in the signature; ``shape`` has a placeholder 1 there."""
    signature = tuple(map(int, detail["shape_signature"]))
    return tuple(axis for axis, size in enumerate(signature) if size < 1) if len(signature) == len(shape) else ()


def _quantisation(detail: dict[str, Any]) -> dict[str, Any]:
    """The fields of a spec for the quantisation."""
    parameters = detail["quantization_parameters"]
    scales, zero_points = tuple(map(float, parameters["scales"])), tuple(map(int, parameters["zero_points"])) or (0,)
    if len(scales) == 1:
        return {"scale": scales[0], "zero_point": zero_points[0]}
    if len(zero_points) == 1:
        zero_points *= len(scales)
    return (
        {"scales": scales, "zero_points": zero_points, "axis": int(parameters["quantized_dimension"])} if scales else {}
    )


def placement_of(loaded: LoadedModel, outputs: Sequence[int]) -> Placement:
    """Where each operation of the main subgraph runs; ``unknown`` for all if the runtime does not report it.

    Args:
        loaded: The loaded model.
        outputs: The indices of its output tensors.
    """
    interpreter = loaded.interpreter
    nodes = read_nodes(interpreter)
    if not nodes:
        return Placement({"unknown": loaded.operators})

    def has_memory(tensor: int) -> bool:
        try:
            interpreter.tensor(tensor)()
        except ValueError:
            return False
        return True

    return place(nodes, outputs, loaded.external, has_memory)


class _Session:
    """The common part of both kinds of session."""

    run: Callable[[Tensors], Tensors]
    """See :meth:`mlperf_mobile.contracts.Session.run`; a closure, because that costs less than a method."""

    def __init__(self, loaded: LoadedModel) -> None:
        self._loaded: LoadedModel | None = loaded
        self._name = loaded.name
        inputs, outputs = loaded.interpreter.get_input_details(), loaded.interpreter.get_output_details()
        self.inputs, self.outputs = specs(inputs, loaded.name), specs(outputs, loaded.name)
        self._feeds = [int(detail["index"]) for detail in inputs]
        self._fetches = [int(detail["index"]) for detail in outputs]

    def placement(self) -> Placement:
        """Where each operation of the main subgraph runs; ``unknown`` for all if the runtime does not report it."""
        if self._loaded is None:
            self._closed()
        return placement_of(self._loaded, self._fetches)

    def last_inputs(self) -> list[Array]:
        """Copies of the inputs of the last run, with the slots of a batch: no operation overwrites an input."""
        if self._loaded is None:
            self._closed()
        tensor = self._loaded.interpreter.tensor
        return [np.array(tensor(feed)()) for feed in self._feeds]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._loaded = None
        self.run = self._closed

    def _closed(self, *_: object) -> NoReturn:
        raise closed(self._name)

    def _fail(self, inputs: Tensors, error: Exception) -> NoReturn:
        """Raise the reason why a run on ``inputs`` failed."""
        if wrong := misfit(inputs, self.inputs, self._name):
            raise wrong from error
        text = " ".join(str(error).split())
        if _INTERNAL_DATA in text:
            summary = f"{self._name} cannot run while an output of its previous run is still referenced"
            raise BackendError("outputs-held", summary, "drop outputs before the next run, or copy them") from error
        summary = f"{self._name} failed to run: {text.rstrip('.')}"
        raise BackendError("invoke-failed", summary, "check the inputs' values") from error


class TFLiteSession(_Session):
    """A model loaded for one sample per call."""

    def __init__(self, loaded: LoadedModel) -> None:
        super().__init__(loaded)
        self.run = self._runner(loaded.interpreter)

    def _runner(self, interpreter: Interpreter) -> Callable[[Tensors], Tensors]:
        """``set_tensor`` checks shape and dtype, unlike an assignment to the input's view, at the same cost."""
        set_tensor, invoke, fail = interpreter.set_tensor, interpreter.invoke, self._fail
        feeds, fetches = self._feeds, [interpreter.tensor(index) for index in self._fetches]

        def run(inputs: Tensors) -> Tensors:
            try:
                for feed, tensor in zip(feeds, inputs, strict=True):
                    set_tensor(feed, tensor)
                invoke()
                return tuple([fetch() for fetch in fetches])
            except (RuntimeError, TypeError, ValueError) as error:
                fail(inputs, error)

        if len(feeds) != 1 or len(fetches) != 1:
            return run
        (feed,), (fetch,) = feeds, fetches

        def run_one(inputs: Tensors) -> Tensors:
            try:
                (tensor,) = inputs
                set_tensor(feed, tensor)
                invoke()
                return (fetch(),)
            except (RuntimeError, TypeError, ValueError) as error:
                fail(inputs, error)

        return run_one


class TFLiteBatchSession(_Session):
    """A model loaded for up to ``batch`` samples per call; its tensors have one slot per sample."""

    run_batch: Callable[[Sequence[Tensors]], Sequence[Tensors]]
    """See :meth:`mlperf_mobile.contracts.BatchSession.run_batch`."""

    def __init__(self, loaded: LoadedModel, batch: int) -> None:
        super().__init__(loaded)
        self.inputs, self.outputs = of_one_sample(self.inputs), of_one_sample(self.outputs)
        self.run_batch = run_batch = self._batch_runner(loaded.interpreter, batch)
        self.run = lambda inputs: run_batch((inputs,))[0]

    def _batch_runner(self, interpreter: Interpreter, batch: int) -> Callable[[Sequence[Tensors]], Sequence[Tensors]]:
        """Every sample is copied once, into its slot; the last sample fills unused slots."""
        name, invoke, fail = self._name, interpreter.invoke, self._fail
        feeds = [interpreter.tensor(index) for index in self._feeds]
        fetches = [interpreter.tensor(index) for index in self._fetches]
        expected = [(spec.shape, spec.dtype) for spec in self.inputs]

        def check(sample: Tensors) -> None:  # an assignment would convert and broadcast
            try:
                if [(tensor.shape, tensor.dtype) for tensor in sample] == expected:
                    return
                fail(sample, ValueError("a sample does not fit"))
            except (AttributeError, TypeError) as error:
                fail(sample, error)

        def fill(samples: Sequence[Tensors]) -> None:  # a separate function, so that no view of a slot outlives it
            for position, feed in enumerate(feeds):
                slots = feed()
                for slot, sample in enumerate(samples):
                    slots[slot] = sample[position][0]
                slots[len(samples) :] = samples[-1][position][0]

        def run_batch(samples: Sequence[Tensors]) -> Sequence[Tensors]:
            count = len(samples)
            if not 0 < count <= batch:
                raise batch_misfit(count, batch, name)
            for sample in samples:
                check(sample)
            try:
                fill(samples)
                invoke()
                outputs = [fetch() for fetch in fetches]
            except (RuntimeError, ValueError) as error:
                fail(samples[0], error)
            return [tuple([output[slot : slot + 1] for output in outputs]) for slot in range(count)]

        return run_batch

    def __exit__(self, *exc: object) -> None:
        super().__exit__(*exc)
        self.run_batch = self._closed
