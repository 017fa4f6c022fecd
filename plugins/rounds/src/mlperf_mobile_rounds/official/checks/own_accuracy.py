"""The accuracy of an own result: one response per sample and, with the data set, the same score."""

from __future__ import annotations

import json
import math
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from mlperf_mobile import loadgen
from mlperf_mobile.contracts import Dataset, Score, Task
from mlperf_mobile.errors import MobileError, described
from mlperf_mobile.loadgen import response_log
from mlperf_mobile.opening import open_dataset, open_task
from mlperf_mobile.plan import Plan
from mlperf_mobile.registry import Registry
from mlperf_mobile.results import store
from mlperf_mobile.results.accuracy import Accuracy
from mlperf_mobile.results.model import Result
from mlperf_mobile.scoring import score_log
from mlperf_mobile_rounds.official.findings import Place, Report
from mlperf_mobile_rounds.official.loadgen_logs import DetailLog

_KEPT = 4
"""Data sets that are kept open; results of one campaign use few."""
_KEPT_SCORES = 64
_MOST_SAMPLES = 100_000_000


@dataclass(frozen=True, slots=True)
class _OpenDataset:
    key: str
    dataset: Dataset
    task: Task


class Scorer:
    """Scores accuracy logs again; data sets that several results share are opened once."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._opened: OrderedDict[str, _OpenDataset | str] = OrderedDict()
        self._scores: OrderedDict[tuple[str, str], Score] = OrderedDict()
        """By data set and digest of the log: runs of one model with the same seeds write the same log."""

    def check(self, folder: Path, result: Result, log: DetailLog | None, digest: str | None, report: Report) -> None:
        """Compare value, details and count of a result with its accuracy log.

        Args:
            folder: Of the result.
            result: What it says.
            log: LoadGen's detail log of the same phase.
            digest: Of the accuracy log.
            report: Takes the findings.
        """
        stored = result.accuracy
        if stored is None:
            return
        path, place = folder / "accuracy" / loadgen.ACCURACY_LOG, Place(folder / store.RESULT, key="accuracy.value")
        if not path.is_file():
            report.error("log-missing", Place(path), "there is no accuracy log")
            return
        if stored.logged == "digests":
            path = folder / "accuracy" / loadgen.RESPONSE_LOG
            if not path.is_file():
                report.error("log-missing", Place(path), "there is no log of responses beside LoadGen's digests")
                return
            try:
                response_log.check(folder / "accuracy", _total(stored, log))
            except MobileError as error:
                report.error("own-answers", Place(path), error.summary)
                return
            report.passed["own-answers"] += 1
        try:
            opened = self._open(store.read_plan(folder))
        except MobileError as error:
            opened = error.summary
        if isinstance(opened, str):
            report.skip("accuracy-recomputed", place, f"the accuracy log cannot be scored here: {opened}")
            _coverage(folder, path, stored, log, report)
            return
        try:
            found = self._scored(opened, path, digest)
        except MobileError as error:
            report.error("accuracy-recomputed", Place(path), error.summary)
            return
        except Exception as error:  # noqa: BLE001  a plugin's metric may do anything
            text = f"the accuracy log cannot be scored here: {described(error)}"[:300]
            report.skip("accuracy-recomputed", place, text)
            return
        wrong = f"the accuracy is {stored.value} {stored.metric}, but {found.value} {found.metric} by the accuracy log"
        same = stored.metric == found.metric and _close(stored.value, found.value)
        report.require("accuracy-recomputed", same, place, wrong)
        wrong = f"{stored.samples} samples, but {found.samples} in the accuracy log"
        key = Place(place.path, key="accuracy.samples")
        report.require("accuracy-recomputed", stored.samples == found.samples, key, wrong)
        for name, value in found.details.items():
            key = Place(place.path, key=f"accuracy.details.{name}")
            if name in stored.details and not _close(stored.details[name], value):
                report.error(
                    "accuracy-recomputed", key, f"{name} is {stored.details[name]}, but {value} by the accuracy log"
                )

    def _scored(self, opened: _OpenDataset, path: Path, digest: str | None) -> Score:
        key = (opened.key, digest or "")
        if digest is None or key not in self._scores:
            self._scores[key] = score_log(path, opened.task.metric(opened.dataset), len(opened.dataset))
            if len(self._scores) > _KEPT_SCORES:
                self._scores.popitem(last=False)
        return self._scores[key]

    def _open(self, plan: Plan) -> _OpenDataset | str:
        """Task and data set of a plan, or why they are not available."""
        key = json.dumps([plan.task, plan.dataset.model_dump(mode="json"), plan.task_options], default=str)
        if key not in self._opened:
            self._opened[key] = self._load(plan, key)
            if len(self._opened) > _KEPT:
                self._opened.popitem(last=False)
        self._opened.move_to_end(key)
        return self._opened[key]

    def _load(self, plan: Plan, key: str) -> _OpenDataset | str:
        try:
            dataset = open_dataset(self._registry, plan.dataset)
            return _OpenDataset(key, dataset, open_task(self._registry, plan.task, plan.task_options))
        except MobileError as error:
            return error.summary
        except Exception as error:  # noqa: BLE001  a plugin's task may do anything
            return described(error)[:300]


def _close(stored: float, found: float) -> bool:
    return math.isclose(stored, found, rel_tol=1e-9, abs_tol=1e-9) or (math.isnan(stored) and math.isnan(found))


def _total(stored: Accuracy, log: DetailLog | None) -> int:
    """The number of samples that LoadGen knew, within what is possible."""
    total = (log.integer("qsl_reported_total_count") if log else None) or stored.samples
    return max(0, min(total, _MOST_SAMPLES))


def _coverage(folder: Path, path: Path, stored: Accuracy, log: DetailLog | None, report: Report) -> None:
    """Without the data set: every sample that LoadGen knew is answered once."""
    place = Place(path)
    total = _total(stored, log)
    wrong = f"{stored.samples} samples were scored, but LoadGen had {total}"
    report.require("own-answers", stored.samples == total, Place(folder / store.RESULT, key="accuracy.samples"), wrong)
    if not 0 < total <= _MOST_SAMPLES:
        report.error("own-answers", place, f"{total} is not a possible sample count")
        return
    seen = bytearray(total)
    try:
        for index, _ in loadgen.read_responses(path):
            if not 0 <= index < total or seen[index]:
                why = "has two responses" if 0 <= index < total else f"is not one of the {total} samples"
                report.error("own-answers", place, f"sample {index} {why}")
                return
            seen[index] = 1
    except MobileError as error:
        report.error("own-answers", place, error.summary)
        return
    answered = sum(seen)
    report.require("own-answers", answered == total, place, f"{answered} of {total} samples have responses")
