"""A pytest plugin that writes each test's start and outcome to a file, so that a crash loses nothing."""

from __future__ import annotations

import inspect
import json
import os
import re
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

JOURNAL = "MLPERF_MOBILE_AUTHORING_JOURNAL"
"""The variable with the file's path."""
DONE = "MLPERF_MOBILE_AUTHORING_DONE"
"""The variable with the number of tests that are left out, because they were run before."""
LONGEST = 600
_ADVICE = re.compile(r"^Use -v to get |, use '-vv' to show$")
"""What pytest says about its own flags, which nobody can give here."""


def _write(**record: str) -> None:
    with open(os.environ[JOURNAL], "a", encoding="utf-8") as file:  # noqa: PTH123
        file.write(f"{json.dumps(record)}\n")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out the tests that earlier processes have run; the order is always the same."""
    del items[: int(os.environ[DONE])]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: Any) -> None:
    """Record that a test starts."""
    about = " ".join((inspect.getdoc(item.function) or "").split())
    _write(started=item.name, offer=item.cls.label, about=about)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: Any, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Record how a test ended: by its first phase that did not pass, else by its teardown."""
    report = yield
    if report.outcome == "passed" and report.when != "teardown":
        return report
    if getattr(item, "recorded", False):
        return report
    item.recorded = True
    _write(ended=item.name, outcome=report.outcome, detail=_detail(report, call)[:LONGEST])
    return report


def _detail(report: pytest.TestReport, call: pytest.CallInfo[None]) -> str:
    """In one line: why a test was skipped, or what it raised, and where."""
    if report.outcome == "skipped":
        if isinstance(report.longrepr, tuple):
            return str(report.longrepr[2]).removeprefix("Skipped: ")
        return f"expected failure: {getattr(report, 'wasxfail', '')}"
    if report.outcome == "passed" or call.excinfo is None:
        return ""
    lines = [line.strip() for line in call.excinfo.exconly().splitlines()]
    text = " ".join(line for line in lines if line and not _ADVICE.search(line))
    if isinstance(call.excinfo.value, pytest.fail.Exception):
        return text.removeprefix("Failed: ")
    entry = call.excinfo.traceback[-1]
    return f"{text} ({Path(entry.path).name}:{entry.lineno + 1})"
