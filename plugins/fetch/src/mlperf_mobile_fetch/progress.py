"""Progress of downloads on stderr: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from mlperf_mobile.resources.resource import Resource
from mlperf_mobile_fetch.fetch import Listen, Phase, Step


@contextmanager
def listener(*, quiet: bool) -> Iterator[Listen]:
    """A function to call with every step of a fetch."""
    if quiet:
        yield lambda step: None
    elif sys.stderr.isatty():
        with _bars() as listen:
            yield listen
    else:
        yield _Lines()


@contextmanager
def _bars() -> Iterator[Listen]:
    from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

    from mlperf_mobile.terminal.console import CleanConsole

    columns = (
        TextColumn("{task.fields[name]}", markup=False),
        TextColumn("{task.description}", style="bold", markup=False),
        BarColumn(bar_width=30),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    with Progress(*columns, console=CleanConsole(stderr=True)) as progress:
        bars: dict[Resource, TaskID] = {}

        def listen(step: Step) -> None:
            if step.resource not in bars:
                bars[step.resource] = progress.add_task("", total=None, name=_name(step.resource))
            bar = bars[step.resource]
            if step.phase is Phase.DONE:
                progress.update(bar, description=step.phase, total=progress.tasks[bar].total or 1)
                progress.update(bar, completed=progress.tasks[bar].total)
            else:
                progress.update(bar, description=step.phase, completed=step.done, total=step.total)

        yield listen


class _Lines:
    """A line for every phase of every resource."""

    def __init__(self) -> None:
        self._phases: dict[Resource, Phase] = {}

    def __call__(self, step: Step) -> None:
        if self._phases.get(step.resource) is not step.phase:
            self._phases[step.resource] = step.phase
            print(f"{_name(step.resource)}: {step.phase}", file=sys.stderr, flush=True)


def _name(resource: Resource) -> str:
    return resource.url.rpartition("/")[2]
