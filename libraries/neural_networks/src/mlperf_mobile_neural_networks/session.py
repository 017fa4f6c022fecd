"""A session of one network on one device."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from typing import Any, Self

from mlperf_mobile.contracts import Placement
from mlperf_mobile_neural_networks.build import Model
from mlperf_mobile_neural_networks.compilation import Call, compile_network
from mlperf_mobile_neural_networks.driver import Driver
from mlperf_mobile_neural_networks.execution import Execution, Running
from mlperf_mobile_neural_networks.graph import Graph


class NetworkSession:
    """Obeys :class:`mlperf_mobile.contracts.ReportingSession`.

    Args:
        graph: What the network was built from.
        execution: What runs it.
        placement: Where its operations run.
        held: What to close with the session.
    """

    def __init__(self, graph: Graph, execution: Execution, placement: Placement, held: ExitStack) -> None:
        self.inputs, self.outputs = graph.input_specs, graph.output_specs
        self.run = execution.run
        self._execution, self._placement, self._held = execution, placement, held

    def placement(self) -> Placement:
        """Where each operator of the model runs, from the driver's own answer."""
        return self._placement

    def report(self) -> Mapping[str, Any]:
        """The durations that the driver measured."""
        return self._execution.report()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._held.close()
        self.run = self._execution.run


def open_session(
    driver: Driver,
    graph: Graph,
    devices: Sequence[ctypes.c_void_p],
    placement: Placement,
    *,
    name: str,
    allow_fp16: bool = False,
    calls: Iterable[Call] = (),
    running: Running = Running(),  # noqa: B008  frozen
) -> NetworkSession:
    """Build, compile and load a network.

    Args:
        driver: The open library.
        graph: What to build.
        devices: Where it runs; empty leaves it to the library.
        placement: What the session tells.
        name: The model's, for messages.
        allow_fp16: See :class:`Model`.
        calls: Settings of the compilation.
        running: Settings of executions.

    Raises:
        BackendError: The driver refused it, or failed.
    """
    with ExitStack() as stack:
        model = stack.enter_context(closing(Model(driver, graph, allow_fp16=allow_fp16)))
        compilation = stack.enter_context(closing(compile_network(driver, model, devices, calls)))
        execution = Execution(driver, compilation.pointer, graph.input_specs, graph.output_specs, running, name)
        stack.enter_context(closing(execution))
        return NetworkSession(graph, execution, placement, stack.pop_all())
