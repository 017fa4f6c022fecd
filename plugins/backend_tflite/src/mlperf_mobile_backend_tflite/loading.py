"""Turns a model file into a session: applies the delegate, sizes the tensors, and checks the result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from mlperf_mobile.backend_checks import Shapes, sized
from mlperf_mobile.contracts import Placement, Tensors, TensorSpec
from mlperf_mobile.errors import BackendError, ModelError
from mlperf_mobile_backend_tflite.caches import CopiedCaches, SharedCaches
from mlperf_mobile_backend_tflite.generating import TFLiteTokenSession
from mlperf_mobile_backend_tflite.options import TFLiteOptions
from mlperf_mobile_backend_tflite.placement import Partition, partitions, read_nodes
from mlperf_mobile_backend_tflite.profiled import ProfiledBatchSession, ProfiledSession, Profiler
from mlperf_mobile_backend_tflite.runtime import Array, Interpreter, Runtime, broken
from mlperf_mobile_backend_tflite.session import LoadedModel, TFLiteBatchSession, TFLiteSession, placement_of, specs
from mlperf_mobile_backend_tflite.signatures import CACHE
from mlperf_mobile_tflite_model import model_file
from mlperf_mobile_tflite_model.in_place import updates_slices

Slots = list[tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Loader:
    """Loads one model."""

    runtime: Runtime
    options: TFLiteOptions
    model: Path
    delegate: str | None
    """The external delegate's library; None without one."""
    batch: int
    input_shapes: Shapes = field(default_factory=dict)
    """Shapes of one sample, for inputs with open dimensions."""

    def session(self) -> TFLiteSession | TFLiteBatchSession:
        """Load the model.

        Raises:
            ModelError: The file is missing, damaged or rejected by the runtime, has an input of unknown size, or does
                not support the batch size.
            BackendError: The delegate or the runtime fails.
        """
        operators = model_file.check(self.model).operators
        interpreter = self._interpreter(xnnpack=self.options.xnnpack)
        details = interpreter.get_output_details()
        self._check_inputs(interpreter)
        specs(details, self.model.name)
        # XNNPACK is applied when tensors are allocated, so all partitions before that are the external delegate's.
        external = partitions(read_nodes(interpreter)) if self.delegate else frozenset()
        if self.batch == 1:
            if self._resize(interpreter, 1) and external and not partitions(read_nodes(interpreter)):
                external = self._partitions_after_resize()
            self._allocate(interpreter)
            loaded = LoadedModel(interpreter, self.model.name, external, operators)
            return ProfiledSession(loaded, self._profiler()) if self.options.profile else TFLiteSession(loaded)
        self._resize(interpreter, self.batch)
        if external and not partitions(read_nodes(interpreter)):
            external = self._partitions_after_resize()
        self._allocate(interpreter)
        self._check_slots(self._of_one_sample(details), _shapes(interpreter.get_output_details()))
        loaded = LoadedModel(interpreter, self.model.name, external, operators)
        if self.options.profile:
            return ProfiledBatchSession(loaded, self.batch, self._profiler())
        return TFLiteBatchSession(loaded, self.batch)

    def token_session(self) -> TFLiteTokenSession:
        """Load a language model; LiteRT compiles it for the CPU, an interpreter runs it otherwise.

        Raises:
            ModelError: The file is missing, damaged or rejected by the runtime, or no language model of the reference
                app's form: ``no-signature`` or ``cache-layout``.
            BackendError: The delegate or the runtime fails.
        """
        operators, name, options = model_file.check(self.model).operators, self.model.name, self.options
        if self.delegate is None and self.runtime.compiles:
            with self._load_errors():
                shared = SharedCaches(
                    str(self.model), name, options.threads, xnnpack=options.xnnpack,
                    in_place=updates_slices(self.model, CACHE),
                )  # fmt: skip
            return TFLiteTokenSession(shared, name, Placement({"cpu": operators}))
        interpreter = self._interpreter(xnnpack=options.xnnpack)
        external = partitions(read_nodes(interpreter)) if self.delegate else frozenset()
        self._allocate(interpreter)
        with self._load_errors():
            copied = CopiedCaches(interpreter, name)
        fetches = [int(detail["index"]) for detail in interpreter.get_output_details()]
        return TFLiteTokenSession(
            copied, name, placement_of(LoadedModel(interpreter, name, external, operators), fetches)
        )

    def trace(self, inputs: Tensors) -> Iterator[tuple[TensorSpec, Array]]:
        """Run one sample on the built-in kernels; every tensor that an operation computes, in order of execution.

        Raises:
            BackendError: ``no-trace``: the runtime does not report its operations, or the run failed.
        """
        model_file.check(self.model)
        with self._load_errors():
            interpreter = self.runtime.interpreter(
                model_path=str(self.model), threads=self.options.threads, xnnpack=False, keep_tensors=True
            )
        self._resize(interpreter, 1)
        self._allocate(interpreter)
        nodes = read_nodes(interpreter)
        if not nodes:
            raise BackendError("no-trace", f"{self.runtime} does not report its operations", "use LiteRT")
        try:
            for detail, tensor in zip(interpreter.get_input_details(), inputs, strict=True):
                interpreter.set_tensor(detail["index"], tensor)
            interpreter.invoke()
        except (RuntimeError, TypeError, ValueError) as error:
            raise BackendError("no-trace", f"{self.model} failed on the built-in kernels: {_text(error)}") from error
        details = {int(detail["index"]): detail for detail in interpreter.get_tensor_details()}
        for index in dict.fromkeys(index for node in nodes for index in node.outputs if index in details):
            with suppress(ValueError):  # a tensor without data, such as a resource
                value = np.array(interpreter.tensor(index)())
                if value.dtype.kind in "biufc":
                    (spec,) = specs([details[index]], self.model.name)
                    yield replace(spec, shape=value.shape), value

    def _profiler(self) -> Profiler:
        return Profiler(self.runtime, self.model, self.options.threads)

    def _interpreter(self, *, xnnpack: bool) -> Interpreter:
        """The interpreter with the external delegate applied."""
        options = self.options
        delegates = [self.runtime.delegate(self.delegate, options.delegate_options)] if self.delegate else []
        with self._load_errors():
            return self.runtime.interpreter(
                model_path=str(self.model), threads=options.threads, xnnpack=xnnpack, delegates=delegates
            )

    def _allocate(self, interpreter: Interpreter) -> None:
        """Allocate the tensors, and run once on zeros if an output's shape is known only after a run."""
        with self._load_errors():
            interpreter.allocate_tensors()
        if not any(map(_is_unsure, interpreter.get_output_details())):
            return
        try:
            for detail in interpreter.get_input_details():
                interpreter.tensor(detail["index"])().fill(0)
            interpreter.invoke()
            interpreter.reset_all_variables()
        except (RuntimeError, ValueError) as error:
            summary = f"output shapes of {self.model} need a run, but a run on zeros failed: {_text(error)}"
            raise ModelError("model-shape", summary, "convert the model with fixed shapes") from error

    def _check_inputs(self, interpreter: Interpreter) -> None:
        """Reject inputs of unknown size, and requested shapes that the model does not support."""
        sized(
            specs(interpreter.get_input_details(), self.model.name, from_file=True), self.input_shapes, self.model.name
        )

    def _resize(self, interpreter: Interpreter, batch: int) -> bool:
        """Resize every input to its requested shape with ``batch`` slots; returns whether any changed."""
        resized = False
        for detail in interpreter.get_input_details():
            current = [int(n) for n in detail["shape"]]
            shape = list(self.input_shapes.get(detail["name"], current))
            if batch > 1:
                if shape[:1] != [1]:
                    raise self._no_batch(f"input {detail['name']} has the shape {shape}, with no leading 1")
                shape[0] = batch
            if shape != current:
                with self._load_errors():
                    interpreter.resize_tensor_input(detail["index"], shape, strict=batch == 1)
                resized = True
        return resized

    def _of_one_sample(self, details: Sequence[dict[str, Any]]) -> Slots:
        """The outputs' shapes for one sample: the file's, or with sized inputs those of a separate interpreter."""
        if not self.input_shapes:
            return _shapes(details)
        alone = self._interpreter(xnnpack=False)
        self._resize(alone, 1)
        with self._load_errors():
            alone.allocate_tensors()
        return _shapes(alone.get_output_details())

    def _partitions_after_resize(self) -> frozenset[Partition]:
        """The external delegate's partitions of the resized model, seen without XNNPACK.

        A delegate for static tensors only is undone when an input is resized, and applied again right before
        XNNPACK, so its partitions cannot be distinguished from XNNPACK's.
        """
        alone = self._interpreter(xnnpack=False)
        self._resize(alone, self.batch)
        with self._load_errors():
            alone.allocate_tensors()
        return partitions(read_nodes(alone))

    def _check_slots(self, before: Slots, after: Slots) -> None:
        """Check that every output has one slot per sample and is otherwise unchanged."""
        for one, many in zip(before, after, strict=True):
            known = one and 0 not in one  # in the file; empty if known only after a run
            if many[:1] != (self.batch,) or (known and one != (1, *many[1:])):
                raise self._no_batch(f"an output of shape {list(one)} becomes {list(many)}")

    def _no_batch(self, reason: str) -> ModelError:
        summary = f"{self.model} cannot be resized to a batch of {self.batch}: {reason}"
        return ModelError("model-batch", summary, "use batch 1, or convert the model with a variable batch size")

    @contextmanager
    def _load_errors(self) -> Iterator[None]:
        """Turn the runtime's exceptions into errors of the model, the delegate or the runtime."""
        try:
            yield
        except RuntimeError as error:
            if self.batch > 1:
                with replace(self, batch=1).session():  # raises if the batch is not the cause
                    raise self._no_batch(_text(error)) from error
            if self.delegate:
                summary = f"{self.model} cannot be loaded with delegate {self.delegate}: {_text(error)}"
                raise BackendError("delegate-failed", summary, "use accelerator cpu, or another model") from error
            raise self._refused(error) from error
        except ValueError as error:
            raise self._refused(error) from error
        except (AttributeError, SystemError, TypeError) as error:  # raised by a module compiled for another numpy
            raise broken(self.runtime, error) from error

    def _refused(self, error: Exception) -> ModelError:
        summary = f"{self.runtime} cannot load {self.model}: {_text(error)}"
        return ModelError("model-refused", summary, "use operations that this runtime supports, or a newer runtime")


def _shapes(details: Sequence[dict[str, Any]]) -> Slots:
    return [tuple(map(int, detail["shape"])) for detail in details]


def _is_unsure(output: dict[str, Any]) -> bool:
    """Whether the shape may change in a run: dynamic tensors have none before it."""
    shape = output["shape"]
    return not len(shape) or 0 in shape or -1 in output["shape_signature"]


def _text(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".") or "no reason given (see its log on stderr)"
