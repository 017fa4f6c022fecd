"""Checks the descriptions of systems and models: present, JSON, and complete."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mlperf_mobile_rounds import benchmarks
from mlperf_mobile_rounds.official import json_files, json_places
from mlperf_mobile_rounds.official.checks.context import Context
from mlperf_mobile_rounds.official.findings import Place, Report, Severity
from mlperf_mobile_rounds.official.submission import DescriptionFile, part_of

TO_FILL_IN = "TO FILL IN"
"""The marker of an exported description for facts that only a person knows."""

SYSTEM: Mapping[str, tuple[str, ...]] = {
    "system": ("system", "systemname", "phonesummary", "socproductinformation", "phone", "device"),
    "processor": ("processorname", "hostprocessormodelname", "soc", "processor"),
    "accelerator": ("accelerator", "acceleratortype", "acceleratortype1", "acceleratortype2", "acceleratormodelname"),
    "memory": ("dram", "memory", "hostmemorycapacity"),
    "operating system": ("osversion", "os", "operatingsystem"),
    "framework or vendor SDK": ("vendorsdk", "framework", "vendorsdknameandversion", "tfliteversion"),
}
"""The required facts of a system's description, and the keys that hold them, in lower case without punctuation."""

REQUIRED = ("division", "submitter", "status", "system_name", "number_of_nodes")
"""Keys that a description of a system in the form of MLPerf's inference benchmarks has, besides these facts; the other
published form, whose first key is ``System``, has none of them."""

MEASUREMENT = (
    "input_data_types",
    "retraining",
    "starting_weights_filename",
    "weight_data_types",
    "weight_transformations",
)
"""The keys of a measurement file (mobile_open, rules/submissionRuleV3_0.adoc)."""

_NOT_RETRAINED = re.compile(r"(no|none|n/?a|false|not? .*|we (don.t|do not) retrain.*)\.?$", re.IGNORECASE)
_STATUS = re.compile(
    r"(commercially )?available|research|preview|rdi|r&d( soc)?|soc (r&d|integration)|TO FILL IN.*", re.IGNORECASE
)
_TYPE = re.compile(r"(u|q)?int\W?\d+|fp\W?\d+|float|bit|no change", re.IGNORECASE)


def check(context: Context) -> None:
    """Check all descriptions, and that none is missing."""
    report, submission = context.report, context.submission
    for described in submission.systems:
        data = _read(described, report)
        if data is not None:
            _system(described, data, report)
    for described in submission.measurements:
        data = _read(described, report)
        if data is not None:
            _measurement(described, data, report)
    submitters = {(run.folder.system.division, run.folder.system.submitter) for run in context.runs}
    place = Place(submission.root)
    for division, submitter in sorted(submitters):
        name = " ".join(part for part in (division, submitter) if part) or "the logs"
        if not division or part_of(report.root) != "all":
            report.skip("system-file", place, f"{name}: only results were given, so descriptions were not checked")
            continue
        known = [d for d in submission.systems if (d.system.division, d.system.submitter) == (division, submitter)]
        report.require("system-file", bool(known), place, f"{name} has no description of a system in systems/")


def _read(described: DescriptionFile, report: Report) -> dict[str, Any] | None:
    try:
        text = json_files.text(described.path)
        data = json_files.parse(described.path, text)
    except json_files.JsonError as error:
        report.error("bad-json", Place(described.path, error.row, error.column), error.what)
        return None
    if not isinstance(data, dict):
        report.error("bad-json", Place(described.path), "not an object")
        return None
    report.passed["bad-json"] += 1
    for problem in json_places.scan(text).problems:
        rule = "bad-number" if "number" in problem.text else "duplicate-key"
        report.error(rule, Place(described.path, problem.line, key=problem.key), problem.text)
    return data


def _system(described: DescriptionFile, data: dict[str, Any], report: Report) -> None:
    values = dict(_flat(data))
    keys = {benchmarks.squeezed(key.rpartition(".")[2]) for key, value in values.items() if str(value).strip()}
    everything = " ".join(keys)
    place = Place(described.path)
    for what, names in SYSTEM.items():
        ok = bool(keys.intersection(names)) or any(name in everything for name in names if len(name) > 4)
        report.require("system-keys", ok, place, f"it does not name the {what}", Severity.WARNING)
    if keys.intersection(map(benchmarks.squeezed, REQUIRED)):
        for name in REQUIRED:
            wrong = f"{name} is missing or empty"
            report.require("system-keys", benchmarks.squeezed(name) in keys, Place(place.path, key=name), wrong)
    by_name = {benchmarks.squeezed(key.rpartition(".")[2]): (key, str(value)) for key, value in values.items()}
    for name, expected in (
        ("division", described.system.division), ("submitter", benchmarks.squeezed(described.system.submitter)),
        ("numberofnodes", "1"), ("hostprocessorspernode", "1"),
    ):  # fmt: skip
        key, text = by_name.get(name, ("", ""))
        if not key or not expected or TO_FILL_IN in text:
            continue
        ok = text == expected or (name == "submitter" and benchmarks.squeezed(text).startswith(expected))
        wrong = f"{key} is {text[:60]!r}, but should be {expected!r}"
        report.require("system-keys", ok, Place(place.path, key=key), wrong)
    key, status = by_name.get("status", ("", ""))
    wrong = f"{key} is {status[:40]!r}; the rules allow available, SoC R&D and SoC integration"
    report.require("system-keys", not key or bool(_STATUS.fullmatch(status)), Place(place.path, key=key), wrong)
    _finished(values, place, report)


def _measurement(described: DescriptionFile, data: dict[str, Any], report: Report) -> None:
    place = Place(described.path)
    for key in MEASUREMENT:
        ok = isinstance(data.get(key), str) and bool(data[key].strip())
        report.require("measurement-keys", ok, Place(place.path, key=key), f"{key} is missing, empty or not a string")
    unknown = sorted(set(data) - set(MEASUREMENT))
    wrong = f"keys that no measurement file has: {', '.join(unknown[:5])}"
    report.require("measurement-keys", not unknown, place, wrong, Severity.WARNING)
    retrained = data.get("retraining")
    if described.system.division == "closed" and isinstance(retrained, str) and TO_FILL_IN not in retrained:
        ok = bool(_NOT_RETRAINED.match(retrained.strip()))
        wrong = f"{retrained[:60]!r}; the closed division allows no retraining"
        report.require("retraining", ok, Place(place.path, key="retraining"), wrong)
    text = data.get("weight_transformations")
    if isinstance(text, str) and re.fullmatch(r"code/[\w./+-]{1,200}", text.strip()) and described.system.tree:
        branch = Path(described.system.tree, described.system.division, described.system.submitter)
        if (branch / "code").is_dir() and ".." not in text:
            wrong = f"{text[:80]} does not exist"
            key_place = Place(place.path, key="weight_transformations")
            report.require("measurement-keys", (branch / text.strip()).exists(), key_place, wrong, Severity.WARNING)
    for key in ("input_data_types", "weight_data_types"):
        text = data.get(key)
        if isinstance(text, str) and text.strip() and TO_FILL_IN not in text:
            ok = bool(_TYPE.search(text))
            wrong = f"{text[:60]!r} is not a data type"
            report.require("measurement-keys", ok, Place(place.path, key=key), wrong, Severity.WARNING)
    _finished(dict(_flat(data)), place, report)


def _finished(values: Mapping[str, Any], place: Place, report: Report) -> None:
    for key, value in values.items():
        if TO_FILL_IN in str(value):
            report.error("unfinished", Place(place.path, key=key), "still to be filled in")


def _flat(data: Any, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Nested data by dotted keys, bounded."""
    if isinstance(data, dict) and depth < 6:
        for key, value in list(data.items())[:500]:
            yield from _flat(value, f"{prefix}.{key}".lstrip("."), depth + 1)
    elif isinstance(data, list) and depth < 6:
        for number, value in enumerate(data[:100]):
            yield from _flat(value, f"{prefix}[{number}]", depth + 1)
    else:
        yield prefix, data
