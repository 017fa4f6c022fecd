"""Carries a session out: each run in a process of its own, with the rest before it; what is done stays done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mlperf_mobile import events
from mlperf_mobile.contracts import Baseline
from mlperf_mobile.errors import MobileError, OutputError
from mlperf_mobile.launch.local import launch
from mlperf_mobile.plan import Plan, SessionRef
from mlperf_mobile.registry import Registry
from mlperf_mobile.results import store
from mlperf_mobile.results.model import Result, Status
from mlperf_mobile.sessions import cooldown, estimate
from mlperf_mobile.sessions.session import Session, State, again
from mlperf_mobile.sessions.settle import STATES, settle
from mlperf_mobile.terms import Cooldown

Listen = Callable[[events.Event], None]
Show = Callable[[Plan, int, int, estimate.Estimate], AbstractContextManager[Listen]]
"""Shows one run: its plan, its place from 1 on, how many there are, what is left of the session with it."""

REST = "cool-down"
"""The phase between runs."""


@dataclass
class Sitting:
    """One go at a session, from its start or after an interruption.

    Args:
        session: Its runs; saved after each of them where there are several.
        show: Shows a run.
        keep: Whether the session is kept in a file.
    """

    session: Session
    show: Show
    keep: bool = True

    @cached_property
    def _registry(self) -> Registry:
        return Registry()

    def carry_out(self, told: Callable[[Result], None]) -> list[Result]:
        """Run everything that is left, and return its results; ``told`` is called with each as it comes.

        Raises:
            OutputError: A result cannot be stored.
        """
        results = []
        for result in self.tries():
            results.append(result)
            told(result)
        return results

    def tries(self) -> Iterator[Result]:
        """The results of everything that is left, one after the other; ends with the first that the user interrupts.

        Raises:
            OutputError: A result cannot be stored.
        """
        session, results = self.session, self._earlier()
        rested = False
        needs_rest = session.cooldown_s > 0 and sum(step.plan.has_performance for step in session.steps) > 1
        looks = needs_rest and session.cooldown is Cooldown.BASELINE
        baseline = cooldown.look(self._registry) if looks else {}
        places = session.pending
        for done, place in enumerate(places):
            step = session.steps[place]
            remaining = estimate.left(session, results, is_first=not rested, places=places[done:])
            with self.show(step.plan, place + 1, len(session.steps), remaining) as listen:
                try:
                    if step.plan.has_performance and rested and needs_rest:
                        self._rest(place, baseline, listen)
                    result = launch(self._planned(place), session.output, listen)
                except KeyboardInterrupt:
                    settle(session)  # it may have come when the result was stored already
                    if step.state is State.PENDING:
                        step.state = State.INTERRUPTED
                    self._save()
                    raise
            rested = rested or step.plan.has_performance
            step.result = Path(result.directory).name
            step.state, unsaved = STATES[result.status], None
            try:
                self._save()
            except OutputError as error:
                unsaved = error
            yield result
            if unsaved:  # the result is stored, and shown; the record will find it
                raise unsaved
            if result.status is Status.INTERRUPTED:
                return
            if result.status is Status.COMPLETED:
                results[result.benchmark] = result

    def _rest(self, place: int, baseline: Mapping[str, Baseline], listen: Listen) -> None:
        step, session = self.session.steps[place], self.session
        listen(events.Phase(name=REST, step=session.cooldown.value))

        def tick(waited_s: float, limit_s: float) -> None:
            listen(
                events.Progress(
                    phase=REST,
                    done=int(waited_s),
                    total=int(limit_s),
                    fraction=waited_s / limit_s,
                    elapsed_s=waited_s,
                    left_s=limit_s - waited_s,
                )
            )

        def now() -> Mapping[str, Baseline]:
            return cooldown.look(self._registry, baseline)

        rested = cooldown.rest(session.cooldown, session.cooldown_s, baseline, tick, now)
        step.rested_s, step.rested_until = rested.seconds, rested.reason

    def _planned(self, place: int) -> Plan:
        """The plan of a run, with its place in the session, and a name of its own each time it is tried."""
        session, step = self.session, self.session.steps[place]
        reference = SessionRef(
            id=session.id,
            mode=session.mode,
            position=place + 1,
            runs=len(session.steps),
            resumed=session.interruptions > 0,
            cooldown_s=step.rested_s,
        )
        plan = step.plan if step.state is State.PENDING else again(step.plan)
        step.plan = plan.model_copy(update={"session": reference if self.keep else None})
        step.state = State.PENDING
        self._save()  # before it begins, so that its folder can be found by whoever resumes the session
        return step.plan

    def _save(self) -> None:
        if self.keep:
            self.session.save()

    def _earlier(self) -> dict[str, Result]:
        """Results of runs that are done, by benchmark."""
        return {result.benchmark: result for result in results_of(self.session) if result.status is Status.COMPLETED}


def results_of(session: Session) -> list[Result]:
    """The last result of each run of a session, in order; those that are gone cannot tell anything."""
    found = []
    for step in session.steps:
        if step.result:
            with suppress(MobileError):
                found.append(store.read(session.output / step.result))
    return found
