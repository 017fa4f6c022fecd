"""Checks that each device has a description and measurement files of its own, not those of another device."""

from __future__ import annotations

import difflib
import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

from mlperf_mobile_rounds import benchmarks
from mlperf_mobile_rounds.official import deliverables, json_files
from mlperf_mobile_rounds.official.checks.context import Context
from mlperf_mobile_rounds.official.findings import Place, Report, Severity
from mlperf_mobile_rounds.official.submission import DescriptionFile, System, part_of

_ALIKE = 0.8
"""Names of published results that mean the same device are this much alike: SDCX8G3_AC and SD8CXG3."""
_POWER = re.compile(r"[_-](ac|dc)$", re.IGNORECASE)


def check(context: Context) -> None:
    """Check the devices of every submitter; only whole branches of a submission are looked at."""
    report = context.report
    if part_of(report.root) != "all":
        return
    by_submitter: dict[tuple[str, str], set[str]] = defaultdict(set)
    for run in context.runs:
        if run.folder.system.division:
            by_submitter[run.folder.system.division, run.folder.system.submitter].add(run.folder.system.device)
    for (division, submitter), devices in sorted(by_submitter.items()):
        systems = _of(context.submission.systems, division, submitter)
        measured = _of(context.submission.measurements, division, submitter)
        place = Place(context.submission.root)
        _named(report, devices, {d.system.device for d in systems}, "system-file", "systems/{}.json", place)
        _named(report, devices, {d.system.device for d in measured}, "measurement-file", "measurements/{}/", place)
        _strangers(report, devices, systems, "system-file")
        _strangers(report, devices, measured, "measurement-file")
        if "" in devices:
            _paired(report, systems, measured)
        _twins(report, systems)
        _file_names(report, measured)
        _weights(report, measured)
        _measured_runs(context, division, submitter, measured)
        _delivered(context, division, submitter, devices)


def _of(described: list[DescriptionFile], division: str, submitter: str) -> list[DescriptionFile]:
    return [d for d in described if (d.system.division, d.system.submitter) == (division, submitter)]


def like(device: str, name: str) -> float:
    """The similarity of two device names: 1 if equal but for case and punctuation, 0 if different."""
    a, b = benchmarks.squeezed(device), benchmarks.squeezed(name)
    if not device or a == b:
        return 1.0
    short = benchmarks.squeezed(_POWER.sub("", device))
    ratio = 1.0 if sorted(short) == sorted(b) else difflib.SequenceMatcher(None, a, b).ratio()
    return min(ratio, 0.99) if ratio >= _ALIKE and sorted(short) == sorted(b) else 0.0


def _named(report: Report, devices: set[str], names: set[str], rule: str, form: str, place: Place) -> None:
    for device in sorted(devices):
        best = max((like(device, name) for name in names), default=0.0)
        wrong = f"there is no {form.format(device or '<device>')}"
        if best:
            wrong += f"; {', '.join(sorted(name for name in names if like(device, name)))} has another name"
        report.require(rule, best == 1.0, place, wrong, Severity.WARNING if best else Severity.ERROR)


def _strangers(report: Report, devices: set[str], described: list[DescriptionFile], rule: str) -> None:
    """Descriptions of devices without results."""
    if "" in devices:  # results without a folder of their device
        return
    for each in described:
        ok = any(like(device, each.system.device) for device in devices)
        wrong = f"there are no results of a device {each.system.device!r}"
        report.require(rule, ok, Place(each.path), wrong)


def _paired(report: Report, systems: list[DescriptionFile], measured: list[DescriptionFile]) -> None:
    """Without folders of devices among the results, systems and measurements must be of the same devices."""
    for ours, others, rule, what in (
        (systems, measured, "measurement-file", "measurements/{}/"),
        (measured, systems, "system-file", "systems/{}.json"),
    ):
        names = {each.system.device for each in others}
        for device, path in {each.system.device: each.path for each in ours}.items():
            ok = not names or any(like(device, name) for name in names)
            report.require(rule, ok, Place(path), f"there is no {what.format(device)}")


def _twins(report: Report, systems: list[DescriptionFile]) -> None:
    """Two devices with one description."""
    seen: dict[str, DescriptionFile] = {}
    for each in systems:
        data = load(each.path)
        if not isinstance(data, dict) or not data:
            continue
        first = seen.setdefault(json.dumps(data, sort_keys=True), each)
        if first is not each:
            report.error("system-file", Place(each.path), f"it is a copy of {first.path.name}")


def _file_names(report: Report, measured: list[DescriptionFile]) -> None:
    """``<device>_<backend>_<scenario>.json`` in ``<device>/<benchmark>/<scenario>/``."""
    for each in measured:
        scenario = benchmarks.SCENARIOS.get(benchmarks.squeezed(each.path.parent.name))
        named = [name for name in benchmarks.SCENARIOS.values() if name.lower() in each.path.stem.lower()]
        wrong = f"the file name says {', '.join(named)}, its folder {scenario}"
        report.require("measurement-file", not named or scenario is None or scenario in named, Place(each.path), wrong)
        if part := _benchmark_folder(each.path):
            known = benchmarks.canonical(part) is not None
            report.require("unknown-benchmark", known, Place(each.path), f"no benchmark is called {part!r}")


def _benchmark_folder(path: Path) -> str:
    """The folder between those of the device and of the scenario; empty in another layout."""
    parts = path.parts
    return parts[-3] if len(parts) > 3 and benchmarks.squeezed(parts[-2]) in benchmarks.SCENARIOS else ""


def _weights(report: Report, measured: list[DescriptionFile]) -> None:
    """One file of starting weights for one model."""
    seen: dict[tuple[System, str], tuple[str, Path]] = {}
    for each in measured:
        task = benchmarks.task_of(benchmarks.canonical(_benchmark_folder(each.path)) or "")
        data = load(each.path)
        weights = data.get("starting_weights_filename") if isinstance(data, dict) else None
        if task is None or not isinstance(weights, str) or "/" not in weights:
            continue
        first, path = seen.setdefault((each.system, weights), (task, each.path))
        wrong = f"the starting weights are those of {first} in {path.name}"
        report.require("measurement-file", first == task, Place(each.path, key="starting_weights_filename"), wrong)


def _measured_runs(context: Context, division: str, submitter: str, measured: list[DescriptionFile]) -> None:
    """A measurement file for each benchmark and scenario of each device."""
    there: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for each in measured:
        scenario = benchmarks.SCENARIOS.get(benchmarks.squeezed(each.path.parent.name))
        name = benchmarks.canonical(_benchmark_folder(each.path), scenario)
        if scenario and name:
            there[each.system.device].add((name, scenario))
    ran = {
        (run.folder.system.device, run.benchmark, run.scenario)
        for run in context.runs
        if (run.folder.system.division, run.folder.system.submitter) == (division, submitter)
    }
    if not there:
        return
    for device, benchmark, scenario in sorted(ran):
        names = [name for name in there if like(device, name)]
        if not names:
            continue  # reported as a whole
        ok = any((benchmark, scenario) in there[name] for name in names)
        wrong = f"measurements/{device or names[0]} has no description of {benchmark} ({scenario})"
        context.report.require("measurement-file", ok, Place(context.submission.root), wrong)


def _delivered(context: Context, division: str, submitter: str, devices: set[str]) -> None:
    """Code, calibration and screenshots; a tree with none of them is an excerpt."""
    report, root = context.report, context.submission.root
    found = deliverables.of(root, division, submitter)
    place = Place(root)
    if not found.some:
        text = f"{division} {submitter}: no code/, no calibration write-up, no screenshots of the app"
        report.warning("deliverables", place, f"{text}; this is an excerpt of a submission")
        return
    report.require("deliverables", found.code, place, f"{division} {submitter} has no code/, or it is empty")
    wrong = f"{division} {submitter} has no calibration.md, or it is empty"
    report.require("deliverables", found.calibration, place, wrong)
    for device in sorted(devices):
        ok = device in found.pictures or (not device and bool(found.pictures))
        wrong = f"{division} {submitter} {device} has no screenshots of the results in the app"
        report.require("deliverables", ok, place, wrong)


def load(path: Path) -> Any:
    """The content of a description; None if it is not JSON, which is reported elsewhere."""
    try:
        return json_files.read(path)
    except json_files.JsonError:
        return None
