"""Runs a compiled network, with everything that can be done before the timed call done before it."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Any, NoReturn

from mlperf_mobile.backend_checks import closed, misfit
from mlperf_mobile.contracts import Tensors, TensorSpec
from mlperf_mobile_neural_networks.driver import Driver, Handle
from mlperf_mobile_neural_networks.durations import Durations, report
from mlperf_mobile_neural_networks.memory import TensorMemory

ON_HARDWARE, IN_DRIVER = 0, 1
"""ANEURALNETWORKS_DURATION_* (NeuralNetworksTypes.h of LiteRT, 2026-08-21)."""


@dataclass(frozen=True, slots=True)
class Running:
    """How a network runs."""

    burst: bool = True
    """Keep the driver ready between runs, where it can."""
    timing: bool = True
    """Record the driver's duration of each run, if it measures it."""
    timeout_ns: int = 0
    """The driver gives a run up after this time; 0: never."""
    calls: tuple[tuple[str, tuple[Any, ...]], ...] = ()
    """More settings of an execution: ``("Execution_setBoostHint", (100,))``."""


class Execution:
    """A compiled network with inputs and outputs of its own; used by one thread at a time.

    Args:
        driver: The open library.
        compilation: A finished compilation; it must outlive this.
        inputs: What :attr:`run` takes.
        outputs: What it returns: views, overwritten by the next run.
        running: Options.
        name: The model's, for messages.

    Raises:
        BackendError: The driver failed.
    """

    run: Callable[[Tensors], Tensors]
    """Infer one sample; a closure, because that costs less than a method."""

    def __init__(
        self,
        driver: Driver,
        compilation: ctypes.c_void_p,
        inputs: Sequence[TensorSpec],
        outputs: Sequence[TensorSpec],
        running: Running,
        name: str,
    ) -> None:
        self._driver, self._compilation, self._running, self._name = driver, compilation, running, name
        self.inputs, self.outputs = tuple(inputs), tuple(outputs)
        self._durations: dict[str, Durations] = {}
        with ExitStack() as stack:
            self._feeds = stack.enter_context(closing(TensorMemory(driver, inputs, "Input")))
            self._fetches = stack.enter_context(closing(TensorMemory(driver, outputs, "Output")))
            self._burst: Handle | None = None
            if running.burst and driver.has("Burst_create"):
                self._burst = stack.enter_context(closing(driver.create("Burst", compilation)))
            self.reused = driver.dialect.reusable or driver.has("Execution_setReusable")
            self.run = self._reusing(stack) if self.reused else self._renewing()
            self._stack = stack.pop_all()

    @property
    def shared_memory(self) -> bool:
        """Whether the driver reads inputs and writes outputs where Python does."""
        return self._feeds.shared and self._fetches.shared

    def report(self) -> dict[str, Any]:
        """How the network was driven, and how long the driver says it took.

        ``{"burst": True, "shared_memory": True, "reused": True, "on_hardware": {"count": 100, "p50_ns": 900000, …}}``
        """
        driven = {"burst": self._burst is not None, "shared_memory": self.shared_memory, "reused": self.reused}
        return driven | report(self._durations)

    def close(self) -> None:
        """Free everything but arrays that are still referenced."""
        self.run = self._closed
        self._stack.close()

    def _settings(self) -> list[tuple[str, tuple[Any, ...]]]:
        """The calls that make a new execution ready to run, without the execution."""
        driver, running = self._driver, self._running
        calls: list[tuple[str, tuple[Any, ...]]] = []
        if driver.has("Execution_setReusable"):
            calls.append(("Execution_setReusable", (True,)))
        if running.timing and driver.has("Execution_getDuration"):
            calls.append(("Execution_setMeasureTiming", (True,)))
        if running.timeout_ns:
            calls.append(("Execution_setTimeout", (running.timeout_ns,)))
        return [*calls, *running.calls, *self._feeds.calls(), *self._fetches.calls()]

    def _compute(self) -> Callable[[ctypes.c_void_p], None]:
        """Runs a prepared execution."""
        name = "Execution_burstCompute" if self._burst else "Execution_compute"
        compute, fail = self._driver.function(name), self._driver.failure
        burst = (self._burst.pointer,) if self._burst else ()

        def once(execution: ctypes.c_void_p) -> None:
            if result := compute(execution, *burst):
                raise fail(name, result)

        return once

    def _measure(self) -> Callable[[ctypes.c_void_p], None] | None:
        """A function that records an execution's duration; None if it is not requested or not measured."""
        if not (self._running.timing and self._driver.has("Execution_getDuration")):
            return None
        self._durations = {"on_hardware": Durations(), "in_driver": Durations()}
        keep_hardware, keep_driver = (kept.add for kept in self._durations.values())
        ask, answer = self._driver.function("Execution_getDuration"), ctypes.c_uint64()
        place = ctypes.byref(answer)

        def measure(execution: ctypes.c_void_p) -> None:
            if ask(execution, ON_HARDWARE, place) == 0:
                keep_hardware(answer.value)
            if ask(execution, IN_DRIVER, place) == 0:
                keep_driver(answer.value)

        return measure

    def _reusing(self, stack: ExitStack) -> Callable[[Tensors], Tensors]:
        """One execution for all runs."""
        execution = stack.enter_context(closing(self._driver.create("Execution", self._compilation))).pointer
        for name, arguments in self._settings():
            self._driver.call(name, execution, *arguments)
        compute, measure, fill, outputs = self._compute(), self._measure(), self._fill(), self._fetches.arrays

        def run(inputs: Tensors) -> Tensors:
            fill(inputs)
            compute(execution)
            if measure is not None:
                measure(execution)
            return outputs

        return run

    def _renewing(self) -> Callable[[Tensors], Tensors]:
        """An execution for each run, as libraries before feature level 5 want it."""
        compute, measure, fill, outputs = self._compute(), self._measure(), self._fill(), self._fetches.arrays
        bind, fail, compilation = self._driver.function, self._driver.failure, self._compilation
        create, free = bind("Execution_create"), bind("Execution_free")
        settings = [(name, bind(name), arguments) for name, arguments in self._settings()]
        execution = ctypes.c_void_p()
        place = ctypes.byref(execution)

        def run(inputs: Tensors) -> Tensors:
            fill(inputs)
            if result := create(compilation, place):
                raise fail("Execution_create", result)
            try:
                for name, function, arguments in settings:
                    if result := function(execution, *arguments):
                        raise fail(name, result)
                compute(execution)
                if measure is not None:
                    measure(execution)
            finally:
                free(execution)
            return outputs

        return run

    def _fill(self) -> Callable[[Tensors], None]:
        """Copies a sample into the inputs."""
        specs, name = self.inputs, self._name
        slots = [(array, spec.shape, spec.dtype) for array, spec in zip(self._feeds.arrays, specs, strict=True)]

        def fill(inputs: Tensors) -> None:
            try:
                for (slot, shape, dtype), tensor in zip(slots, inputs, strict=True):
                    if tensor.shape != shape or tensor.dtype != dtype:
                        raise ValueError  # assigning would convert and broadcast what does not fit
                    slot[...] = tensor
            except (AttributeError, TypeError, ValueError) as error:
                if wrong := misfit(inputs, specs, name):
                    raise wrong from error
                raise

        return fill

    def _closed(self, _: Tensors) -> NoReturn:
        raise closed(self._name)
