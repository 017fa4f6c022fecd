"""The dates of a result of ours: its name, its plan, the journal and LoadGen's logs agree."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from mlperf_mobile.results import store
from mlperf_mobile.results.model import Result
from mlperf_mobile.results.recompose import Journal
from mlperf_mobile_rounds.official import verdict
from mlperf_mobile_rounds.official.findings import Place, Report
from mlperf_mobile_rounds.official.loadgen_logs import DetailLog

CLOCK = "clock.ahead_s"
"""The fact of a device by how much its clock was ahead of the host's, which the journal's times are of."""
SLACK_S = 60.0
"""Clocks are set while runs are under way."""


def check(folder: Path, result: Result, journal: Journal, logs: Mapping[str, DetailLog], report: Report) -> None:
    """Compare the run's name with the date of its plan, and this with the times in journal and logs."""
    path = folder / store.RESULT
    try:
        created = datetime.fromisoformat(result.created)
    except ValueError:
        report.error("own-dates", Place(path, key="created"), f"{result.created!r} is not a date")
        return
    created = created if created.tzinfo else created.replace(tzinfo=UTC)
    named = f"{created.astimezone(UTC):%Y%m%dT%H%M%S}"
    wrong = f"the name of a run planned at {result.created} begins with {named}-"
    report.require("own-dates", result.run_id.startswith(f"{named}-"), Place(path, key="run_id"), wrong)
    if folder.resolve().name != result.run_id:
        report.warning("own-dates", Place(folder), f"the folder of {result.run_id} has another name")
    if journal.first is None or journal.last is None:
        return
    if journal.first < created.timestamp() - SLACK_S:
        text = f"it was planned at {result.created}, but had begun before, at {_text(journal.first)}"
        report.error("own-dates", Place(path, key="created"), text)
    ahead = _ahead_s(result)
    for detail in logs.values():
        when = verdict.wall_clock(detail.text("test_datetime"))
        if when is None:
            continue
        claimed = when.replace(tzinfo=UTC).timestamp() - ahead
        ok = journal.first - SLACK_S <= claimed <= journal.last + SLACK_S
        lasted = f"the run lasted from {_text(journal.first)} to {_text(journal.last)}"
        text = f"the test began at {_text(claimed)}, but {lasted}"
        report.require("own-dates", ok, Place(detail.path, detail.line("test_datetime")), text)


def _ahead_s(result: Result) -> float:
    """By how much the clock of LoadGen's logs was ahead of the journal's."""
    known = result.device.more.get(CLOCK) if result.device else None
    return float(known) if isinstance(known, int | float) and abs(known) < 1e12 else 0.0


def _text(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
