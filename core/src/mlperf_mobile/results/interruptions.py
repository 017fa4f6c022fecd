"""Whether a timed run was paused: the observations of worker and launcher combined, and the rule about it.

A gap alone proves nothing, because a busy machine or a backend that holds the interpreter causes gaps, too. A stop is
reported to the launcher by the kernel. A suspend is a difference between the clock that counts suspended time and the
one that does not. A frozen container is a gap of launcher and worker at the same time, in which neither used a CPU.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from mlperf_mobile.results.rule import RuleResult

RULE = "uninterrupted"
STARVED = 0.05
"""A worker whose threads waited for a CPU in this share of their runnable time is starved."""
_MOST = 2000
_SHORTEST_S = 0.05
"""The length assumed for a stop that was too short to measure."""

_Spans = list[list[FiniteFloat]]


class Interruptions(BaseModel):
    """Pauses of the timed run, and events that may have changed its numbers; in seconds."""

    model_config = ConfigDict(extra="forbid", defer_build=True)
    stopped_s: FiniteFloat = Field(default=0.0, ge=0)
    """Stopped by a signal or a debugger; an estimate, because the launcher polls twice a second."""
    stops: int = Field(default=0, ge=0)
    suspended_s: FiniteFloat = Field(default=0.0, ge=0)
    """The machine was suspended."""
    frozen_s: FiniteFloat = Field(default=0.0, ge=0)
    """Launcher and worker were paused at the same time."""
    clock_jumps_s: list[FiniteFloat] = Field(default_factory=list)
    """Jumps of the wall clock, which LoadGen measures with."""
    waiting: FiniteFloat | None = Field(default=None, ge=0, le=1)
    """Share of their runnable time in which the worker's threads waited for a CPU; None if unknown."""

    @property
    def total_s(self) -> float:
        """Seconds in which the run was paused."""
        return self.stopped_s + self.suspended_s + self.frozen_s

    @property
    def warnings(self) -> list[str]:
        """Observations that cast doubt on the numbers without making the run invalid."""
        texts = []
        if self.waiting is not None and self.waiting >= STARVED:
            texts.append(
                f"starved: the worker's threads waited for a CPU in {self.waiting:.0%} of the time they were runnable"
            )
        if self.clock_jumps_s:
            sizes = ", ".join(f"{jump:+.3f} s" for jump in self.clock_jumps_s[:5])
            texts.append(f"the wall clock jumped by {sizes}; LoadGen measures by it")
        return texts


class _Worker(BaseModel):
    model_config = ConfigDict(defer_build=True)
    start: FiniteFloat = Field(alias="from")
    until: FiniteFloat
    gaps: _Spans = Field(max_length=_MOST)
    suspends: _Spans = Field(max_length=_MOST)
    jumps: _Spans = Field(max_length=_MOST)
    waiting: FiniteFloat | None = Field(ge=0, le=1)
    gaps_prove: bool | None = None
    """Whether an idle gap can only be a pause, as in the native runner; None in journals of earlier versions."""


class _Launcher(BaseModel):
    model_config = ConfigDict(defer_build=True)
    stopped: _Spans = Field(max_length=_MOST)
    gaps: _Spans = Field(max_length=_MOST)


def found(worker: object, launcher: object) -> Interruptions | None:
    """The interruptions of the timed region by both observers; None if there are no usable observations.

    No launcher watches a run on a device. Suspends are known there without one, and pauses if gaps prove them.

    Args:
        worker: ``from`` and ``until`` of the timed region, and ``[from, until, what]`` of gaps, suspends and jumps.
        launcher: ``[from, until]`` of stops of the worker, and of the launcher's own gaps. All are seconds of the
            monotonic clock. None if no launcher on the same machine watched the run.
    """
    try:
        inside = _Worker.model_validate(worker)
        if launcher is None:
            if inside.gaps_prove is None or inside.waiting is None:
                return None
            launcher = {"stopped": [], "gaps": [[inside.start, inside.until]] if inside.gaps_prove else []}
        outside = _Launcher.model_validate(launcher)
        stops = [each for each in outside.stopped if _overlap(each, inside) > 0]
        idle = [gap for gap in inside.gaps if gap[2] and _overlap(gap, inside) > 0]
        stopped = sum(max([_common(stop, gap) for gap in idle], default=0.0) or _estimate(stop) for stop in stops)
        frozen = sum(
            max([_common(gap, other) for other in outside.gaps], default=0.0)
            for gap in idle
            if not any(_common(gap, stop) for stop in stops)
        )
        return Interruptions(
            stopped_s=round(stopped, 3), stops=len(stops), frozen_s=round(frozen, 3), waiting=inside.waiting,
            suspended_s=round(sum(max(0.0, each[2]) for each in inside.suspends if _overlap(each, inside) > 0), 3),
            clock_jumps_s=[round(each[2], 3) for each in inside.jumps if _overlap(each, inside) > 0],
        )  # fmt: skip
    except (ValidationError, IndexError):
        return None


def _overlap(span: list[float], region: _Worker) -> float:
    return _common(span, [region.start, region.until])


def _common(one: list[float], other: list[float]) -> float:
    return max(0.0, min(one[1], other[1]) - max(one[0], other[0]))


def _estimate(stop: list[float]) -> float:
    """The length of a stop that left no gap: it began and ended within half a second of being observed."""
    return max(_SHORTEST_S, stop[1] - stop[0] - 0.5)


def rule(seen: Interruptions) -> RuleResult:
    """The timed region was neither stopped nor suspended; starvation and clock jumps are only mentioned."""
    parts = {"stopped": seen.stopped_s, "suspended": seen.suspended_s, "frozen": seen.frozen_s}
    texts = [f"{what} {seconds:g} s" for what, seconds in parts.items() if seconds]
    if seen.stops:
        texts.append("stopped once" if seen.stops == 1 else f"stopped {seen.stops} times")
    note = "; ".join(["seconds that the timed run was paused", *texts, *seen.warnings])
    return RuleResult(name=RULE, ok=seen.total_s == 0, observed=round(seen.total_s, 3), required=0, note=note)
