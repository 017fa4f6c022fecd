"""A session of one network on one device."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, Self

from mlperf_mobile.contracts import Placement
from mlperf_mobile_neural_networks.execution import Execution


class NetworkSession:
    """Obeys :class:`mlperf_mobile.contracts.ReportingSession`.

    Args:
        execution: What runs the network.
        placement: Where its operations run.
        held: What to close with the session, the execution too.
    """

    def __init__(self, execution: Execution, placement: Placement, held: ExitStack) -> None:
        self.inputs, self.outputs = execution.inputs, execution.outputs
        self.run = execution.run
        self._execution, self._placement, self._held = execution, placement, held

    def placement(self) -> Placement:
        """Where each operator of the model runs, from the driver's own answer."""
        return self._placement

    def report(self) -> Mapping[str, Any]:
        """The durations that the driver measured, and how it was driven."""
        return self._execution.report()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._held.close()
        self.run = self._execution.run
