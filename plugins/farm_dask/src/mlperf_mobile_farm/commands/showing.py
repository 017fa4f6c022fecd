"""The progress and the results of a job on the terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from typing import Any

from mlperf_mobile.results.model import Result
from mlperf_mobile.terminal.console import CleanConsole, text
from mlperf_mobile_farm.job_file import Session
from mlperf_mobile_farm.work import SessionEnd

EVERY_S = 5.0
"""Seconds between two lines about everything."""


class Lines:
    """A line on standard error for each change, and one about everything from time to time."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet, self._seen = quiet, dict[str, str]()
        self._last, self._text = 0.0, ""

    def progress(self, session: Session, where: dict[str, Any], host: str) -> None:
        phase = str(where.get("phase", "begins"))
        runs = f" ({where['place']} of {where['runs']})" if where.get("runs", 1) > 1 else ""
        line = f"{_short(session)} on {where['device']} of {host}: {where.get('benchmark', '')}{runs} {phase}"
        if self._seen.get(session.id) != line:
            self._seen[session.id] = line
            self._print(" ".join(line.split()))

    def ended(self, session: Session, end: SessionEnd | None) -> None:
        self._seen.pop(session.id, None)
        error = (end.error if end else None) or session.error or {}
        why = f": {error['summary']}" if error else ""
        if end is None:
            self._print(f"{_short(session)} is given up{why}")
        else:
            self._print(f"{_short(session)} on {end.device} of {end.host}: {end.state}{why}")

    def tick(self, waiting: int, running: int, done: int, reasons: list[str]) -> None:
        line = "; ".join((f"{done} done, {running} running, {waiting} waiting", *reasons))
        if line != self._text and time.monotonic() - self._last >= EVERY_S:
            self._text, self._last = line, time.monotonic()
            self._print(line)

    def note(self, line: str) -> None:
        self._print(f"note: {line}")

    def _print(self, line: str) -> None:
        if not self._quiet:
            print(f"farm: {line}", file=sys.stderr, flush=True)


def _short(session: Session) -> str:
    return f"session {session.id.rpartition('-')[2]}"


def print_sessions(session: Session, results: Iterable[Result]) -> None:
    """Print a line for each result of a session, or why it has none."""
    last = session.attempts[-1] if session.attempts else None
    where = f"{last.device} of {last.host}" if last else "no device"
    tries = f" (attempt {len(session.attempts)})" if len(session.attempts) > 1 else ""
    if session.error:
        error = session.error
        hint = f"; {error['hint']}" if error.get("hint") else ""
        line = f"mlperf-mobile: error[{error['code']}]: {_short(session)}: {error['summary']}{hint}"
        print(line, file=sys.stderr)
    for result in results:
        score = result.performance.score.text if result.performance and result.performance.score else ""
        accuracy = f"{result.accuracy.value:.4g}" if result.accuracy else ""
        numbers = "  ".join(filter(None, (score, accuracy)))
        line = f"{_short(session)}  {where}{tries}  {result.benchmark}  {numbers}  {result.verdict}"
        CleanConsole().print(text(line), soft_wrap=True)
