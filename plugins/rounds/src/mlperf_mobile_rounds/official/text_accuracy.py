"""Accuracies from text files next to the logs, for submissions without a result file of the app.

Devices without a screen run the app's program from a command line, whose output is kept as ``accuracy_results.txt`` of
the device; others score their logs with scripts, which write ``accuracy.txt`` beside the accuracy log.
"""

from __future__ import annotations

import re
from pathlib import Path

from mlperf_mobile_rounds import benchmarks
from mlperf_mobile_rounds.official.app_results import Accuracy, accuracy_of_text
from mlperf_mobile_rounds.official.checks.context import LoggedRun

MAX_BYTES = 4 << 20
_SECTION = re.compile(r"#+\s*([A-Za-z0-9_]{3,60})\s*#+\s*")
_ACCURACY = re.compile(r".*\bAccuracy: ([^\r\n]{1,40})")
_SCRIPTS = (
    (re.compile(r"^accuracy=([\d.]{1,20})%", re.MULTILINE), "top-1"),
    (re.compile(r"^mAP=([\d.]{1,20})%", re.MULTILINE), "mAP"),
    (re.compile(r"^mIoU is ([\d.]{1,20})%", re.MULTILINE), "mIoU"),
    (re.compile(r'"f1": ([\d.]{1,20})[,}]'), "F1"),
)
"""What scripts of mlcommons/inference and of submitters print last, in per cent."""


def of(run: LoggedRun) -> tuple[Accuracy, Path] | None:
    """The accuracy of an accuracy run and the file that says it; None without one."""
    beside = run.folder.path / "accuracy.txt"
    if (found := _of_script(_text(beside), run.benchmark)) is not None:
        return found, beside
    for folder in list(run.folder.path.parents)[:4]:
        path = folder / "accuracy_results.txt"
        if (claimed := _of_app(_text(path), run.benchmark)) is not None:
            return claimed, path
        if folder.name.lower() == "results":
            break
    return None


def _of_script(text: str, benchmark: str) -> Accuracy | None:
    for pattern, metric in _SCRIPTS:
        found = pattern.findall(text)
        if found and benchmarks.metric_of(benchmark) == metric:
            value = _number(found[-1])
            return None if value is None else Accuracy(value / 100, f"{found[-1]}%", metric)
    return None


def _of_app(text: str, benchmark: str) -> Accuracy | None:
    """The section of the benchmark; of its only version, where the program does not name the version."""
    name, same_task = "", []
    for line in text.splitlines():
        if found := _SECTION.fullmatch(line.strip()):
            name = benchmarks.canonical(found[1]) or ""
        elif claimed := _ACCURACY.match(line):
            if name == benchmark:
                return accuracy_of_text(claimed[1].strip(), benchmark)
            if benchmarks.task_of(name) == benchmarks.task_of(benchmark) and "offline" not in name + benchmark:
                same_task.append(claimed[1].strip())
    return accuracy_of_text(same_task[0], benchmark) if name and len(same_task) == 1 else None


def _text(path: Path) -> str:
    try:
        if not path.is_file():
            return ""
        with path.open("rb") as file:
            return file.read(MAX_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
