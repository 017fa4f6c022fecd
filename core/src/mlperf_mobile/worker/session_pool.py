"""The sessions of a run: their accelerators, placements, shares of the work and reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from mlperf_mobile.contracts import MeteredSession, Placement, ReportingSession, Session
from mlperf_mobile.errors import BackendError, ModelError
from mlperf_mobile.worker.blame import blame
from mlperf_mobile.worker.channel import Channel
from mlperf_mobile.worker.prepare import PreparedModel


class SessionPool:
    """The sessions on all accelerators of a plan; they close with the stack."""

    def __init__(self, ready: PreparedModel, stack: ExitStack) -> None:
        self._ready, self._stack = ready, stack
        self.sessions: list[Session] = []
        self._on: list[str] = []
        """The accelerator of each session."""

    def load(self, *, all_of_them: bool) -> None:
        """Load the missing sessions: all of each accelerator, or only one on the first; loaded ones stay.

        Raises:
            ModelError: The model's tensors differ between accelerators.
        """
        for accelerator in self._ready.plan.accelerators:
            required = self._ready.share(accelerator) if all_of_them else int(not self.sessions)
            more = required - self._on.count(accelerator)
            if more > 0:
                self.sessions += self._ready.sessions(accelerator, more, self._stack)
                self._on += [accelerator] * more
        first = self.sessions[0]
        for accelerator, session in zip(self._on, self.sessions, strict=True):
            for here, there in ((first.inputs, session.inputs), (first.outputs, session.outputs)):
                if [(s.shape, s.dtype, s.quantisation) for s in here] != [
                    (s.shape, s.dtype, s.quantisation) for s in there
                ]:
                    detail = (
                        f"{', '.join(map(str, here))} on {self._on[0]}, {', '.join(map(str, there))} on {accelerator}"
                    )
                    raise ModelError("accelerators-differ", f"the model's tensors differ: {detail}", "use one of them")

    @property
    def accelerators(self) -> list[str]:
        """The accelerator of each session."""
        return list(self._on)

    def counts(self) -> dict[str, int]:
        """The number of sessions on each accelerator."""
        return {name: self._on.count(name) for name in dict.fromkeys(self._on)}

    def placements(self) -> dict[str, Placement]:
        """The placement of each accelerator's first session."""
        return {name: session.placement() for name, session in self._first().items()}

    def summed(self, shares: Sequence[Mapping[str, Any]], duration_s: float) -> dict[str, dict[str, float]]:
        """The totals of each accelerator's sessions; empty if the scenario does not report shares.

        Args:
            shares: ``samples`` and ``busy_s`` of each session.
            duration_s: The duration of the timed run.
        """
        return summed(self._on, shares, duration_s)

    def counters(self) -> dict[str, MeteredSession]:
        """Each accelerator's first session, for those that measure energy."""
        return {name: one for name, one in self._first().items() if isinstance(one, MeteredSession)}

    def report(self, channel: Channel) -> None:
        """Send the backend's own reports on its runs."""
        with blame("backend", self._ready.plan.backend):
            reports = {
                name: dict(session.report())
                for name, session in self._first().items()
                if isinstance(session, ReportingSession)
            }
        try:
            channel.measured("report", reports or None)
        except (TypeError, ValueError) as error:
            summary = f"backend {self._ready.plan.backend} reports data that are not JSON: {error}"
            raise BackendError("plugin-broken", summary, "report it to the backend's vendor") from error

    def _first(self) -> dict[str, Session]:
        """The first session of each accelerator."""
        return {name: self.sessions[self._on.index(name)] for name in dict.fromkeys(self._on)}


def summed(on: Sequence[str], shares: Sequence[Mapping[str, Any]], duration_s: float) -> dict[str, dict[str, float]]:
    """See :meth:`SessionPool.summed`; ``on`` is the accelerator of each session."""
    if len(shares) != len(on):
        return {}
    found = {}
    for name in dict.fromkeys(on):
        mine = [share for place, share in zip(on, shares, strict=True) if place == name]
        samples = sum(int(share["samples"]) for share in mine)
        busy_s = sum(float(share["busy_s"]) for share in mine)
        found[name] = {
            "sessions": len(mine),
            "samples": samples,
            "throughput": samples / duration_s,
            "busy": busy_s / len(mine) / duration_s,
        }
    return found
