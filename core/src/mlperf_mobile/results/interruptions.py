"""Whether a timed run was paused: the observations of worker and launcher combined, and the rule about it.

A gap alone proves nothing, for a busy machine makes gaps, too. A stop is what the kernel told the launcher. A suspend
is a difference between the clock that goes on in it and the one that does not. A frozen container is a gap of launcher
and worker at the same time, in which neither used a processor.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from mlperf_mobile.results.rule import RuleResult

RULE = "uninterrupted"
STARVED = 0.05
"""Share of the time that its threads were ready to run; a worker that waited longer for a CPU is starved."""
_MOST = 2000
_SHORTEST_S = 0.05
"""Stands for a stop that was too short to be measured."""

_Seen = list[list[FiniteFloat]]


class Interruptions(BaseModel):
    """Pauses of the timed run, and events that may have changed its numbers; in seconds."""

    model_config = ConfigDict(extra="forbid")
    stopped_s: FiniteFloat = Field(default=0.0, ge=0)
    """Stopped by a signal or a debugger; an estimate, because the launcher polls twice a second."""
    stops: int = Field(default=0, ge=0)
    suspended_s: FiniteFloat = Field(default=0.0, ge=0)
    """The machine was suspended."""
    frozen_s: FiniteFloat = Field(default=0.0, ge=0)
    """Launcher and worker were paused at the same time."""
    clock_jumps_s: list[FiniteFloat] = Field(default_factory=list)
    """Jumps of the wall clock, by which LoadGen measures."""
    waiting: FiniteFloat | None = Field(default=None, ge=0, le=1)
    """Share of the time that its threads were ready to run in which they waited for a CPU; None if unknown."""

    @property
    def total_s(self) -> float:
        """Seconds in which the run was paused."""
        return self.stopped_s + self.suspended_s + self.frozen_s

    @property
    def warnings(self) -> list[str]:
        """Observations that make numbers doubtful but no run invalid."""
        told = []
        if self.waiting is not None and self.waiting >= STARVED:
            told.append(
                f"starved: the worker's threads waited for a CPU in {self.waiting:.0%} of the time they were runnable"
            )
        if self.clock_jumps_s:
            sizes = ", ".join(f"{jump:+.3f} s" for jump in self.clock_jumps_s[:5])
            told.append(f"the wall clock jumped by {sizes}; LoadGen measures by it")
        return told


class _Worker(BaseModel):
    start: FiniteFloat = Field(alias="from")
    until: FiniteFloat
    gaps: _Seen = Field(max_length=_MOST)
    suspends: _Seen = Field(max_length=_MOST)
    jumps: _Seen = Field(max_length=_MOST)
    waiting: FiniteFloat | None = Field(ge=0, le=1)


class _Launcher(BaseModel):
    stopped: _Seen = Field(max_length=_MOST)
    gaps: _Seen = Field(max_length=_MOST)


def found(worker: object, launcher: object) -> Interruptions | None:
    """What both observed of the timed region; None if one of them has no usable observations.

    Args:
        worker: ``from`` and ``until`` of the timed region, and ``[from, until, what]`` of gaps, suspends and jumps.
        launcher: ``[from, until]`` of stops of the worker, and of the launcher's own gaps. All are seconds of the
            machine's monotonic clock.
    """
    try:
        inside, outside = _Worker.model_validate(worker), _Launcher.model_validate(launcher)
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


def _overlap(seen: list[float], region: _Worker) -> float:
    return _common(seen, [region.start, region.until])


def _common(one: list[float], other: list[float]) -> float:
    return max(0.0, min(one[1], other[1]) - max(one[0], other[0]))


def _estimate(stop: list[float]) -> float:
    """The length of a stop that left no gap: it began and ended within half a second of being seen."""
    return max(_SHORTEST_S, stop[1] - stop[0] - 0.5)


def rule(seen: Interruptions) -> RuleResult:
    """The timed region was neither stopped nor suspended; starvation and clock jumps are only noted."""
    parts = {"stopped": seen.stopped_s, "suspended": seen.suspended_s, "frozen": seen.frozen_s}
    told = [f"{what} {seconds:g} s" for what, seconds in parts.items() if seconds]
    if seen.stops:
        told.append("stopped once" if seen.stops == 1 else f"stopped {seen.stops} times")
    note = "; ".join(["seconds that the timed run was paused", *told, *seen.warnings])
    return RuleResult(name=RULE, ok=seen.total_s == 0, observed=round(seen.total_s, 3), required=0, note=note)
