"""Checks a result of this program against its folder: derived again, compared with its sources, and by signature."""

from __future__ import annotations

from pathlib import Path

from mlperf_mobile import loadgen
from mlperf_mobile.errors import MobileError
from mlperf_mobile.registry import Registry
from mlperf_mobile.results import observed, store
from mlperf_mobile.results.digests import file_digest, folder_digests
from mlperf_mobile.results.model import Result, Status
from mlperf_mobile.results.parts import LoadGenFacts
from mlperf_mobile.results.recompose import program
from mlperf_mobile_rounds import signature, sizes
from mlperf_mobile_rounds.follows import DerivedResult, FieldDifference, follow, imported
from mlperf_mobile_rounds.official import loadgen_logs
from mlperf_mobile_rounds.official.checks import own_dates, own_journal, own_sources
from mlperf_mobile_rounds.official.checks.own_accuracy import Scorer
from mlperf_mobile_rounds.official.checks.own_plan import Planner
from mlperf_mobile_rounds.official.checks.own_scenarios import LOADGEN_SCENARIOS
from mlperf_mobile_rounds.official.findings import Place, Report, Severity, printable
from mlperf_mobile_rounds.official.loadgen_logs import DetailLog

_OF_MOBILE = ("single-stream", "offline")


class Checker:
    """Checks any number of results; shared data is read once.

    Args:
        registry: The installed plugins, whose data sets score responses again.
        signers: A file of allowed signers; None to check intact signatures only.
    """

    def __init__(self, registry: Registry, signers: Path | None = None) -> None:
        self._registry = registry
        self._scorer, self._planner = Scorer(registry), Planner(registry)
        self._signers = signers

    def check(self, folder: Path, report: Report) -> None:
        """Check one result folder of this program."""
        path = folder / store.RESULT
        try:
            raw, result = store.read_both(folder)
        except MobileError as error:
            report.error("own-result", Place(path), error.summary)
            return
        report.passed["own-result"] += 1
        self._signature(folder, report)
        if not result.valid:
            report.error("valid", Place(path), f"the result is {result.verdict}")
        _verdict(result, Place(path), report)
        task = self._registry.tasks.get(result.task)
        if task and not task.info.has_metric:
            text = f"task {result.task} has no metric: the result belongs to no round, and cannot be submitted"
            report.add("own-no-round", Severity.ERROR if result.submittable else Severity.WARNING, Place(path), text)
        if result.scenario not in _OF_MOBILE:
            text = f"scenario {result.scenario} is not one of MLPerf Mobile's, which are single-stream and offline: "
            report.warning("not-of-mobile", Place(path), text + "the result cannot be part of a submission")
        if imported(result) and not (folder / store.PLAN).exists():
            _origin(folder, result, report)
            return
        if large := sizes.too_large(folder):
            for name, wrong in large.items():
                report.error("own-digests", Place(folder / name), wrong)
            return
        digests, logs = folder_digests(folder), _logs(folder, result, report)
        try:
            derived = follow(folder, raw, result, digests)
        except MobileError as error:
            report.error("own-fields", Place(path), f"the result cannot be derived from its folder: {error.summary}")
            _digests(folder, result, digests, report)
        else:
            _fields(folder, derived, report)
            own_dates.check(folder, result, derived.journal, logs, report)
            own_journal.check(folder, store.read_plan(folder), result, derived.journal, report)
        own_sources.check(folder, result, logs.get("performance"), report)
        _observers(self._registry, folder, result, report)
        self._planner.check(folder, report)
        own = result.accuracy and result.accuracy.logged == "digests"
        answers = digests.get(f"accuracy/{loadgen.RESPONSE_LOG if own else loadgen.ACCURACY_LOG}")
        self._scorer.check(folder, result, logs.get("accuracy"), answers, report)

    def _signature(self, folder: Path, report: Report) -> None:
        """Whether it is signed, and by whom; with signers given, a missing signature is an error like a wrong one."""
        place = Place(folder / store.SIGNATURE)
        if not signature.is_signed(folder):
            state = "unsigned"
            if self._signers:
                report.error("unsigned", Place(folder / store.RESULT), "the result is not signed")
        elif self._signers:
            name, wrong = signature.signer(folder, self._signers)
            state = f"by {printable(name)}" if name else "wrong"
            report.require("signature", bool(name), place, wrong)
        else:
            try:
                wrong, state = signature.unbroken(folder), "signed; --signers says by whom"
            except MobileError as error:
                report.skip("signature", place, error.summary)
                return
            report.require("signature", not wrong, place, wrong)
            state = "wrong" if wrong else state
        name = folder.relative_to(report.root).as_posix() if folder.is_relative_to(report.root) else str(folder)
        report.signatures.setdefault(state, []).append(printable(name))


def _logs(folder: Path, result: Result, report: Report) -> dict[str, DetailLog]:
    """LoadGen's detail logs of the phases that have numbers."""
    performance = result.performance if result.status is Status.COMPLETED else None
    found = {}
    if performance and performance.loadgen == LoadGenFacts() and result.scenario not in LOADGEN_SCENARIOS:
        wrong = f"scenario {result.scenario} is timed by the clock of its process, and has no log of LoadGen"
        report.skip("own-logs", Place(folder / "performance"), wrong)
        performance = None
    for name, numbers in (("performance", performance), ("accuracy", result.accuracy)):
        if numbers is not None and (log := _log(folder / name, report)) is not None:
            found[name] = log
    return found


def _log(folder: Path, report: Report) -> DetailLog | None:
    try:
        paths = loadgen_logs.parts(folder, loadgen.DETAIL_LOG) if folder.is_dir() else []
        log = loadgen_logs.read_detail(paths) if paths else None
    except (MobileError, OSError) as error:
        report.error("unreadable", Place(folder), str(error))
        return None
    if log is None or not log.records:
        report.error("log-missing" if log is None else "log-empty", Place(folder), "there is no LoadGen log")
        return None
    for line in (*log.damaged, *log.rewritten):
        report.error("own-logs", Place(log.path, line), "LoadGen does not write this line")
    for odd in log.odd:
        report.error("own-logs", Place(log.path, odd.line), str(odd.value))
    return log


def _fields(folder: Path, derived: DerivedResult, report: Report) -> None:
    """Every field, compared with the derived one."""
    path = folder / store.RESULT
    for each in derived.differences:
        severity = Severity.WARNING if each.doubt else Severity.ERROR
        if (name := _digested(each)) and not each.doubt:
            report.add("own-digests", severity, Place(folder / name), _of_file(each, name))
        report.add("own-fields", severity, Place(path, key=each.key), each.text)
    if not derived.differences:
        report.passed["own-fields"] += 1
    if not any(_digested(each) for each in derived.differences):
        report.passed["own-digests"] += 1
    for line in derived.journal.unknown:
        report.error("own-journal", Place(folder / store.EVENTS, line or None), "no run writes this line")
    if not derived.vouched:
        text = "it is from an earlier version, which stored no digests of plan and journal"
        report.note("own-vouched", Place(path), text)


def _digested(difference: FieldDifference) -> str:
    """The file that a difference is about."""
    key = difference.key
    return key.removeprefix("logs[").removesuffix("]") if key.startswith("logs[") else ""


def _of_file(difference: FieldDifference, name: str) -> str:
    if not isinstance(difference.stored, str):
        return f"{name} was added after the result was written, or its digest was removed"
    if not isinstance(difference.derived, str):
        return f"{name} is missing or cannot be read"
    return f"{name} has changed since the result was written"


def _digests(folder: Path, result: Result, digests: dict[str, str], report: Report) -> None:
    """The digests alone, if the result cannot be derived again."""
    for name, digest in result.logs.items():
        wrong = "is missing or cannot be read" if name not in digests else "has changed since the result was written"
        report.require("own-digests", digests.get(name) == digest, Place(folder / name), f"{name} {wrong}")


def _origin(folder: Path, result: Result, report: Report) -> None:
    """An imported result names its source files; those that still exist must be unchanged."""
    place = Place(folder / store.RESULT, key="origin.files")
    for name, expected in result.origin.files.items() if result.origin else ():
        found = file_digest(Path(name))
        if found is None:
            report.skip("own-origin", place, "it was imported, and one of its source files is missing")
        else:
            report.require("own-origin", found == expected, place, f"{name} has changed since it was imported")
    report.skip("own-fields", place, "it was imported; check its source files")


def _verdict(result: Result, place: Place, report: Report) -> None:
    """The verdict follows from the rules."""
    expected = all(rule.ok for rule in result.rules if rule.scope == "result")
    wrong = f"valid is {result.valid}, but by the rules it is {expected}"
    report.require("own-verdict", result.valid == expected, Place(place.path, key="valid"), wrong)
    if result.submittable and not all(rule.ok for rule in result.rules):
        report.error("own-verdict", Place(place.path, key="submittable"), "submittable, but a rule is not met")
    if result.valid and result.status is not Status.COMPLETED:
        report.error("own-verdict", Place(place.path, key="status"), f"valid, but {result.status.value}")


def _observers(registry: Registry, folder: Path, result: Result, report: Report) -> None:
    """Every number that an observer recorded, compared with its own file."""
    severity = Severity.ERROR if result.program == program() else Severity.WARNING  # others may sum up otherwise
    for name, part in result.observed.items():
        code = f"own-{name}"
        offer = registry.observers.get(name)
        if offer is None:
            report.skip(code, Place(folder / store.RESULT), f"the observer {name} is not installed")
            continue
        path = folder / offer.info.file
        try:
            found = observed.make(offer, store.read_plan(folder), folder)
        except MobileError:
            return  # said already
        except (RuntimeError, TimeoutError) as error:
            report.add(code, severity, Place(path), str(error))
            continue
        if found is None:
            if any(part.values()):
                report.error(code, Place(path), "it has no readings")
            continue
        wrong = [(key, f"{name}.{key}") for key in found.read & part.keys() if part[key] != found.data[key]]
        wrong += [(rule.name, f"the rule {rule.name}") for rule in found.rules if rule not in result.rules]
        for key, what in wrong:
            report.add(code, severity, Place(path, key=key), f"{what} does not match the readings")
        if not wrong:
            report.passed[code] += 1
