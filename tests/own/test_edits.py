"""Every single edit of a result folder is noticed: each leaf of the result and of the plan, each line, each file."""

from __future__ import annotations

import copy
import json
import shutil
import time

import pytest

from mlperf_mobile.errors import OutputError
from mlperf_mobile.results import store
from mlperf_mobile_rounds.follows import doubts
from mlperf_mobile_rounds.official.checks.own import Checker
from mlperf_mobile_rounds.official.findings import Report, Severity

KINDS = ("both", "performance", "accuracy", "offline", "failed", "crashed", "interrupted")
NO_FILE_CONTRADICTS = set()
"""Fields of a result that nothing in its folder can contradict, by their places."""


def places(data, path=()):
    """Every place in a piece of JSON, containers first."""
    if path:
        yield path
    for key in data if isinstance(data, dict) else range(len(data)) if isinstance(data, list) else ():
        yield from places(data[key], (*path, key))


def changed(value):
    """Other values for one."""
    if isinstance(value, bool):
        return [not value, None]
    if isinstance(value, int | float):
        return [value + 1, None]
    if isinstance(value, str):
        return [f"{value}x", None]
    if value is None:
        return [1]
    return [[*value, 1]] if isinstance(value, list) else [{**value, "added": 1}]


def edited(data, path, value=...):
    """A copy with another value at a place, or without the place."""
    made = copy.deepcopy(data)
    inner = made
    for key in path[:-1]:
        inner = inner[key]
    if value is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return made


def edits(data, every=True):
    """Every single edit: a name, the place and the data; or one for each place."""
    yield "a key more", ("added",), {**data, "added": 1}
    for path in places(data):
        value = data
        for key in path:
            value = value[key]
        if every:
            yield "removed", path, edited(data, path)
        for other in changed(value) if every else changed(value)[:1]:
            yield f"{value!r} -> {other!r}"[:80], path, edited(data, path, other)


def noticed(folder):
    """The quick look at a folder, in one text; ``check`` reports the same and more."""
    try:
        return " | ".join(doubts(folder, *store.read_both(folder)))
    except OutputError as error:
        return error.summary


@pytest.mark.parametrize("kind", KINDS)
def test_every_edit_of_the_result(kind, made, copied):
    folder = copied(made[kind])
    assert noticed(folder) == ""
    path = folder / "result.json"
    data = json.loads(path.read_text())
    missed = []
    for what, place, other in edits(data, every=kind == "both"):
        path.write_text(json.dumps(other))
        told = noticed(folder)
        names = [key for key in place if isinstance(key, str)]
        damaged = "result.json: " in told  # the reader names the part of the result that it cannot be
        if not any(name in told for name in (names if damaged else names[-1:])):
            missed.append((place, what, told))
    assert {place for place, _, _ in missed} == NO_FILE_CONTRADICTS, missed[:5]


@pytest.mark.parametrize("kind", ["accuracy", "crashed"])
def test_every_edit_of_the_plan(kind, made, copied):
    folder = copied(made[kind])
    path = folder / "plan.json"
    data = json.loads(path.read_text())
    for what, place, other in edits(data, every=kind == "accuracy"):
        path.write_text(json.dumps(other))
        assert "plan.json" in noticed(folder), (place, what)


@pytest.mark.parametrize("kind", KINDS)
def test_every_line_of_the_journal(kind, made, copied):
    folder = copied(made[kind])
    path = folder / "events.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    for number, line in enumerate(lines):
        for other in (b"", line + line, line.replace(b'"time":1', b'"time":2', 1), line.replace(b"}", b',"a":1}', 1)):
            path.write_bytes(b"".join([*lines[:number], other, *lines[number + 1 :]]))
            assert "events.jsonl" in noticed(folder), (number, other)


def test_every_file(made, copied):
    """Shorter, longer, one bit changed, emptied, gone, a link, and one more."""
    for kind in ("both", "interrupted"):
        folder = copied(made[kind])
        files = [
            path for path in folder.rglob("*") if path.is_file() and path.name not in ("result.json", "worker.log")
        ]
        assert {"latencies.bin", "telemetry.jsonl", "plan.json", "events.jsonl"} <= {path.name for path in files}
        for path in files:
            data = path.read_bytes()
            others = [data + b" ", data + data, data[:-1], bytes([data[0] ^ 1]) + data[1:] if data else b"x", b""]
            for other in others:
                path.write_bytes(other)
                assert other == data or path.name in noticed(folder), path
            path.unlink()
            assert path.name in noticed(folder), path
            path.symlink_to("/dev/zero")  # never ends
            assert path.name in noticed(folder), path
            path.unlink()
            outside = folder.parent / path.name
            outside.write_bytes(data)
            path.symlink_to(outside)  # the same content, but not in the folder
            assert path.name in noticed(folder), path
            path.unlink()
            outside.unlink()
            path.write_bytes(data)
        (folder / "performance" / "more").write_text("")
        assert "performance/more" in noticed(folder)
        (folder / "performance" / "more").unlink()
        assert noticed(folder) == ""


@pytest.fixture
def checker(registry):
    return Checker(registry)


def errors(checker, folder):
    """Rule and place of every error that ``check`` reports."""
    report = Report(folder)
    checker.check(folder, report)
    return [(f.rule, f.place.text(folder), f.text) for f in report.findings if f.severity is Severity.ERROR]


def test_check_names_a_link_to_a_file_outside(made, copied, checker, tmp_path):
    folder = copied(made["both"])
    for name in ("performance/mlperf_log_detail.txt", "accuracy/mlperf_log_accuracy.json", "latencies.bin"):
        outside = tmp_path / "outside"
        (folder / name).rename(outside)
        (folder / name).symlink_to(outside)
        told = errors(checker, folder)
        assert any(rule == "own-digests" and where == name for rule, where, _ in told), told
        (folder / name).unlink()
        outside.rename(folder / name)
    assert not errors(checker, folder)


@pytest.mark.parametrize("name", ["latencies.bin", "telemetry.jsonl", "performance/mlperf_log_detail.txt", "more"])
@pytest.mark.parametrize("kind", ["both", "interrupted"])
def test_a_file_that_no_run_can_write_is_not_read(kind, name, made, copied, checker):
    """A sparse file of 200 GB takes no space, and minutes to hash."""
    folder = copied(made[kind])
    with (folder / name).open("ab") as file:
        file.truncate(200 << 30)
    began = time.monotonic()
    assert ("own-digests", name) in {(rule, where) for rule, where, _ in errors(checker, folder)}
    assert name in noticed(folder)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("kind", ["both", "performance", "accuracy", "offline"])
def test_what_was_not_edited_has_no_findings(kind, made, checker):
    report = Report(made[kind])
    checker.check(made[kind], report)
    assert (report.findings, report.unchecked) == ([], [])


SINGLE = {
    "the model's name": ("model", "name"),
    "a checksum": ("model", "sha256"),
    "a rule's requirement": ("rules", 0, "required"),
    "a target": ("accuracy", "target"),
    "the rule set": ("rule_set",),
    "the suite": ("suite",),
    "the session": ("session",),
    "the date": ("created",),
    "a version": ("versions", "numpy"),
    "the machine": ("environment", "cpu.model"),
}


@pytest.mark.parametrize("name", SINGLE)
def test_check_names_the_field(name, made, copied, checker):
    folder, place = copied(made["both"]), SINGLE[name]
    data = json.loads((folder / "result.json").read_text())
    value = data
    for key in place:
        value = value[key]
    other = {"id": "x", "mode": "submission", "position": 1, "runs": 1} if name == "the session" else changed(value)[0]
    other = "suite" if name == "the suite" else other
    (folder / "result.json").write_text(json.dumps(edited(data, place, other)))
    assert any(rule == "own-fields" and str(place[-1]) in where for rule, where, _ in errors(checker, folder))


def test_emptied_digests_and_missing_files(made, copied, checker):
    folder = copied(made["both"])
    data = json.loads((folder / "result.json").read_text())
    (folder / "result.json").write_text(json.dumps(data | {"logs": {}}))
    told = errors(checker, folder)
    assert {where for rule, where, _ in told if rule == "own-digests"} >= {"plan.json", "latencies.bin"}
    for name in ("plan.json", "events.jsonl"):
        shutil.copy(made["both"] / "result.json", folder)
        (folder / name).unlink()
        assert any(rule == "own-fields" and name in text for rule, _, text in errors(checker, folder))
        shutil.copy(made["both"] / name, folder)


def test_a_key_that_is_there_twice(made, copied, checker):
    folder = copied(made["both"])
    path = folder / "result.json"
    path.write_text(path.read_text().replace('"schema": 2,', '"schema": 2, "valid": false,', 1))
    ((rule, _, text),) = errors(checker, folder)
    assert rule == "own-result"
    assert "duplicate key 'valid'" in text


def test_a_result_of_an_earlier_version_is_noted_and_still_compared(made, copied, checker):
    """It had no digest of plan, journal and telemetry, and no end of the journal."""
    folder = copied(made["both"])
    path, journal = folder / "result.json", folder / "events.jsonl"
    data = json.loads(path.read_text())
    for name in ("plan.json", "events.jsonl", "telemetry.jsonl"):
        del data["logs"][name]
    del data["program"]
    path.write_text(json.dumps(data))
    journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:-1]))
    report = Report(folder)
    checker.check(folder, report)
    assert not errors(checker, folder)
    assert "own-vouched" in {f.rule for f in report.findings if f.severity is Severity.NOTE}
    data["rules"][0]["note"] = "as another version said it"
    path.write_text(json.dumps(data))
    assert not errors(checker, folder)
    data["rules"][0]["ok"] = False
    path.write_text(json.dumps(data))
    assert errors(checker, folder)
    data["rules"][0]["ok"] = True
    data["model"]["name"] = "another"
    path.write_text(json.dumps(data))
    assert any("model.name" in where for _, where, _ in errors(checker, folder))
    path.write_text(json.dumps(data | {"logs": {}}))
    assert any(rule == "own-digests" for rule, _, _ in errors(checker, folder))


def test_nobody_passes_for_an_earlier_version_by_one_edit(made, copied, checker):
    folder = copied(made["both"])
    data = json.loads((folder / "result.json").read_text())
    del data["logs"]["plan.json"]
    (folder / "result.json").write_text(json.dumps(data))
    assert errors(checker, folder)
    del data["program"]
    (folder / "result.json").write_text(json.dumps(data))
    assert errors(checker, folder)
