"""Progress on stderr: a bar with the time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mlperf_mobile import events
from mlperf_mobile.terminal.notebook import in_notebook, notebook_bar

if TYPE_CHECKING:
    from mlperf_mobile.campaigns.estimate import Estimate
    from mlperf_mobile.campaigns.run import Show
    from mlperf_mobile.plan import Plan

Listen = Callable[[events.Event], None]

PLAIN_EVERY_S = 5.0


@contextmanager
def listener(title: str, *, quiet: bool) -> Iterator[Listen]:
    """A function to call with every event of one run."""
    if quiet:
        yield lambda event: None
    elif in_notebook():
        with notebook_bar(title) as listen:
            yield listen
    elif sys.stderr.isatty():
        with _bar(title) as listen:
            yield listen
    else:
        yield _Lines(title)


@contextmanager
def _bar(title: str) -> Iterator[Listen]:
    from rich.progress import BarColumn, Progress, TextColumn

    from mlperf_mobile.terminal.console import CleanConsole

    columns = (
        TextColumn("{task.fields[title]}", markup=False),
        TextColumn("{task.description}", style="bold", markup=False),
        BarColumn(bar_width=30),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[left]}"),
    )
    with Progress(*columns, console=CleanConsole(stderr=True), transient=True) as progress:
        bar = progress.add_task("starting", total=None, title=title, left="")

        def listen(event: events.Event) -> None:
            if isinstance(event, events.Phase):
                progress.update(bar, description=_name(event), total=None, completed=0, left="")
            elif isinstance(event, events.Progress) and event.fraction is None:
                progress.update(bar, left=f"for {event.elapsed_s:.0f} s")
            elif isinstance(event, events.Progress):
                left = f"{event.left_s:.0f} s left" if event.left_s is not None else ""
                progress.update(bar, description=event.phase, total=1.0, completed=event.fraction, left=left)

        yield listen


def shown(*, quiet: bool, wrap: Callable[[Listen], Listen] = lambda listen: listen) -> Show:
    """A function that shows one run of a campaign.

    Args:
        quiet: Show nothing.
        wrap: Adds to the listener of a run.
    """

    @contextmanager
    def show(plan: Plan, place: int, runs: int, left: Estimate) -> Iterator[Listen]:
        title = f"{plan.benchmark} {plan.model.name}"
        if runs > 1:
            title += f" ({place} of {runs}, {plan.mode}, at least {left} left)"
        with listener(title, quiet=quiet) as listen:
            yield wrap(listen)

    return show


class _Lines:
    """A line for each phase, and one every few seconds."""

    def __init__(self, title: str) -> None:
        self._title, self._last = title, time.monotonic()

    def __call__(self, event: events.Event) -> None:
        now = time.monotonic()
        if isinstance(event, events.Phase):
            self._print(_name(event))
        elif isinstance(event, events.Progress) and now - self._last >= PLAIN_EVERY_S:
            left = f", {event.left_s:.0f} s left" if event.left_s is not None else ""
            far = f"for {event.elapsed_s:.0f} s" if event.fraction is None else f"{event.fraction * 100:.0f} %"
            self._print(f"{event.phase}: {far}{left}")

    def _print(self, text: str) -> None:
        self._last = time.monotonic()
        print(f"{self._title}: {text}", file=sys.stderr, flush=True)


def _name(phase: events.Phase) -> str:
    return f"{phase.name}: {phase.step}" if phase.step else phase.name
