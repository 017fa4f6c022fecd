"""Single edits to a submission: each is found, or is one of the few that no other file can contradict.

Keys of detail logs, lines of a summary, fields of a result file and of descriptions, answers, traces, and files that
are removed, copied, renamed or linked. An edit is found when there is an error or a warning that there was not before.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from datetime import datetime, timedelta

import pytest

from mlperf_mobile_rounds.official import answers, checker, loadgen_logs, rounds, trace_log
from mlperf_mobile_rounds.official.findings import Severity

UNSEEN_KEYS = re.compile(r"logger_\w+|get_sut_name_duration_ns|effective_max_duration_ms|sut_name")
"""Of one detail log of a device with few: how often LoadGen's own log had to wait, how long the name took."""
UNSEEN_FIELDS = re.compile(
    r"build_info\.(build_number|official_release_flag|git_dirty_flag|git_commit|git_branch)"
    r"|environment_info\.value\.android\.(os_version|model_code|model_name|board_code|proc_cpuinfo_soc_name"
    r"|props\[\d\]\.value)|results\[\d\]\.backend_settings\.(delegate|model_path|framework)"
    r"|results\[\d\]\.backend_info\.(accelerator_name|vendor_name|backend_name)"
    r"|results\[\d\]\.\w+_run\.dataset\.(name|data_path|groundtruth_path)|meta\.upload_date"
    r"|results\[1\]\.backend_settings\.batch_size"  # into one that divides the counts as well
)
"""Of a result file: texts that the app alone knows, changed into others like them."""
UNSEEN_DESCRIPTIONS = re.compile(
    r"System|Processor Name|Accelerator|DRAM|OS Version|Vendor SDK|starting_.*|weight_.*|input_.*"
)
"""What only a look at the device, or at the code, can contradict, as long as it says something."""


class Edits:
    """Makes an edit, checks the whole submission, and undoes the edit; files that stay the same are read once."""

    def __init__(self, tree, registry, patch):
        self.tree, self.registry = tree, registry
        known = rounds.all_rounds(registry)
        patch.setattr(rounds, "all_rounds", lambda _: known)
        for module, name in ((loadgen_logs, "read_detail"), (answers, "read"), (trace_log, "read")):
            patch.setattr(module, name, self._once(getattr(module, name)))
        patch.setattr("mlperf_mobile_rounds.official.checks.accuracy.check", lambda *_: None)  # there is no data set
        self._clock = 0
        self.before = self.findings()

    @staticmethod
    def _once(read):
        kept = {}

        def reading(paths):
            key = tuple((str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in paths)
            if key not in kept:
                kept[key] = read(paths)
            return kept[key]

        return reading

    def findings(self):
        report = checker.check(self.tree.root, self.registry)
        return {
            (f.rule, f.place.text(), f.text)
            for f in report.findings
            if f.severity in (Severity.ERROR, Severity.WARNING)
        }

    def new(self, path, data):
        """What is found after the file is overwritten."""
        raw = path.read_bytes()
        assert data != raw
        try:
            self._put(path, data)
            return self.findings() - self.before
        finally:
            self._put(path, raw)

    def _put(self, path, data):
        path.write_bytes(data)
        self._clock += 1
        os.utime(path, ns=(self._clock, self._clock))  # two writes in one tick of the file system's clock differ


@pytest.fixture(scope="module")
def edits(whole_submission, registry):
    with pytest.MonkeyPatch.context() as patch:
        yield Edits(whole_submission, registry, patch)


def test_there_is_nothing_to_find_before(edits):
    """But that the offline run has no trace, and that there are two of the round's six benchmarks."""
    assert sorted(rule for rule, *_ in edits.before) == ["benchmarks", "trace"]


def changed(value):
    """A value of the same type that is another one."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return value * 1.01 if value else 0.5
    if isinstance(value, list):
        return value[:-1]
    if isinstance(value, dict):
        return {"/loadgen.cc": "0" * 40}
    return f"{value}x"


def lines_of(edits, name):
    path = {"single": edits.tree.single, "offline": edits.tree.offline}.get(name)
    path = (path or edits.tree.single.with_name("log_accuracy")) / "mlperf_log_detail.txt"
    return path, path.read_text().splitlines(keepends=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["single", "offline", "accuracy"])
def test_keys_of_a_detail_log(name, edits):
    path, lines = lines_of(edits, name)
    missed = set()
    for number, line in enumerate(lines):
        record = json.loads(line[len(":::MLLOG ") :])
        if name != "single" and re.match(r"logger|loadgen_|(requested|effective)_(acc|perf|print|max)", record["key"]):
            continue  # the same code, as the first log shows
        other = ":::MLLOG " + json.dumps(record | {"value": changed(record["value"])}) + "\n"
        if not edits.new(path, "".join([*lines[:number], other, *lines[number + 1 :]]).encode()):
            missed.add(record["key"])
    assert {key for key in missed if not UNSEEN_KEYS.fullmatch(key)} == set()


@pytest.mark.slow
def test_keys_that_are_taken_out_of_a_detail_log(edits):
    path, lines = lines_of(edits, "single")
    missed = [
        line[:60] for n, line in enumerate(lines) if not edits.new(path, "".join(lines[:n] + lines[n + 1 :]).encode())
    ]
    assert missed == []


@pytest.mark.parametrize(
    ("key", "value"),
    [("time_ms", -5.0), ("time_ms", 1e7), ("namespace", "x"), ("event_type", "x"), ("metadata", {"file": "x"})],
)
def test_what_stands_around_a_value(key, value, edits):
    path, lines = lines_of(edits, "single")
    record = json.loads(lines[40][len(":::MLLOG ") :]) | {key: value}
    lines[40] = ":::MLLOG " + json.dumps(record) + "\n"
    assert edits.new(path, "".join(lines).encode())


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e999", "-5", "1" + "0" * 400, '"1e3"', "true", "[]", "null"])
def test_invalid_numbers(value, edits):
    path, lines = lines_of(edits, "single")
    number = next(n for n, line in enumerate(lines) if "result_99.90" in line)
    lines[number] = re.sub(r'"value": \d+', f'"value": {value}', lines[number])
    assert edits.new(path, "".join(lines).encode())
    text = edits.tree.result.read_text()
    other = re.sub(r'"latency_mean": [\d.e-]+', f'"latency_mean": {value}', text, count=1)
    assert value == "null" or edits.new(edits.tree.result, other.encode())


@pytest.mark.parametrize("key", ["loadgen_version", "requested_min_query_count", "effective_scenario"])
def test_a_line_that_stands_twice(key, edits):
    path, lines = lines_of(edits, "single")
    number = next(n for n, line in enumerate(lines) if f'"{key}"' in line)
    found = edits.new(path, "".join([*lines[: number + 1], *lines[number:]]).encode())
    assert any(rule == "log-rewritten" for rule, *_ in found)


@pytest.mark.parametrize("value", ["25.0", "25e0"])
@pytest.mark.parametrize("key", ["effective_min_duration_ms", "qsl_reported_total_count", "result_min_latency_ns"])
def test_whole_numbers_have_no_point(key, value, edits):
    """``LogDetail`` writes an integer as one (loadgen/logging.cc)."""
    path, lines = lines_of(edits, "single")
    number = next(n for n, line in enumerate(lines) if f'"{key}"' in line)
    (whole,) = re.findall(r'"value": (\d+)', lines[number])
    lines[number] = lines[number].replace(f'"value": {whole}', f'"value": {whole}{value.removeprefix("25")}')
    assert any("a whole number" in text for _, _, text in edits.new(path, "".join(lines).encode()))


@pytest.mark.parametrize("hours", [0, 2])
def test_the_times_of_every_part_of_an_accuracy_run(hours, edits):
    """A large data set is answered in parts, and each begins with the time of day."""
    path, lines = lines_of(edits, "accuracy")
    first, last = (next(n for n, line in enumerate(lines) if key in line) for key in ("loaded_qsl_set", "power_end"))
    added = []
    for line in lines[first : last + 1]:
        record = json.loads(line[len(":::MLLOG ") :])
        record["time_ms"] += 10_000
        if record["key"].startswith("power_"):
            when = datetime.strptime(record["value"], "%m-%d-%Y %H:%M:%S.%f") + timedelta(hours=hours, seconds=10)
            record["value"] = f"{when:%m-%d-%Y %H:%M:%S}.{when.microsecond // 1000:03d}"
        added.append(":::MLLOG " + json.dumps(record) + "\n")
    found = edits.new(path, "".join([*lines[: last + 1], *added, *lines[last + 1 :]]).encode())
    late = [text for _, _, text in found if "off the times of the records" in text]
    assert len(late) == (2 if hours else 0)
    assert all("+7200.0 s" in text for text in late)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["single", "offline"])
def test_lines_of_a_summary(name, edits):
    path = getattr(edits.tree, name) / "mlperf_log_summary.txt"
    lines = path.read_text().splitlines(keepends=True)
    missed = []
    for number, line in enumerate(lines):
        if not line.strip() or line.startswith("==="):
            continue
        digits = re.search(r"\d+(?=\D*$)", line)
        other = line[: digits.start()] + str(int(digits[0]) + 7) + line[digits.end() :] if digits else f"x{line}"
        texts = ("".join([*lines[:number], new, *lines[number + 1 :]]) for new in ("", other))
        missed += [(line, other) for text in texts if not edits.new(path, text.encode())]
    assert missed == []


def leaves(value, path=()):
    if isinstance(value, dict):
        for key, each in value.items():
            yield from leaves(each, (*path, key))
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from leaves(each, (*path, number))
    else:
        yield path, value


def name_of(path):
    return "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in path).lstrip(".")


def with_value(data, path, value):
    copy = json.loads(json.dumps(data))
    place = copy
    for key in path[:-1]:
        place = place[key]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return json.dumps(copy, indent=2).encode()


@pytest.mark.slow
@pytest.mark.parametrize("how", ["changed", "taken out"])
def test_fields_of_a_result_file(how, edits):
    path = edits.tree.result
    data = json.loads(path.read_text())
    missed = []
    for place, value in leaves(data):
        if place[:2] == ("results", 1) and place[-1] not in ("batch_size", "measured_samples", "min_duration", "value"):
            continue
        new = ... if how == "taken out" else changed(value) if value is not None else "1999"
        if not edits.new(path, with_value(data, place, new)):
            missed.append(name_of(place))
    assert [name for name in missed if how == "taken out" or not UNSEEN_FIELDS.fullmatch(name)] == []


@pytest.mark.parametrize("value", [None, {}], ids=["null", "an empty object"])
def test_nothing_where_the_app_writes_something(value, edits):
    data = json.loads(edits.tree.result.read_text())
    for place in (("results", 0, "backend_settings"), ("meta",), ("results", 0, "benchmark_id")):
        assert edits.new(edits.tree.result, with_value(data, place, value))


def test_keys_of_no_version_of_the_app(edits):
    data = json.loads(edits.tree.result.read_text())
    for place in (("results", 0, "remark"), ("results", 0, "performance_run", "min_sample")):
        found = edits.new(edits.tree.result, with_value(data, place, 5))
        assert any("no known version" in text and name_of(place) in where for _, where, text in found), (place, found)


@pytest.mark.parametrize("how", ["changed", "empty", "taken out"])
def test_fields_of_descriptions(how, edits):
    missed = []
    for path in (edits.tree.system, edits.tree.measurement):
        data = json.loads(path.read_text())
        for place, value in leaves(data):
            new = {"changed": f"{value}x", "empty": "", "taken out": ...}[how]
            if not edits.new(path, with_value(data, place, new)):
                missed.append(name_of(place))
    assert [name for name in missed if how != "changed" or not UNSEEN_DESCRIPTIONS.fullmatch(name)] == []


def test_a_key_that_stands_twice(edits):
    for path, key in ((edits.tree.result, '"min_samples"'), (edits.tree.system, '"DRAM"')):
        text = path.read_text().replace(key, f"{key}: 1, {key}", 1)
        (found,) = [each for each in edits.new(path, text.encode()) if each[0] == "duplicate-key"]
        assert key.strip('"') in found[1]


def shifted(text):
    return text.replace('"qsl_idx" : 49999', '"qsl_idx" : 50000')


ANSWERS = {
    "emptied": lambda text: "[\n]\n",
    "no byte": lambda text: "",
    "truncated": lambda text: text[: len(text) // 2],
    "shortened": lambda text: text[: text.rindex(",")] + "\n]\n",
    "duplicated": lambda text: text.replace('"qsl_idx" : 5,', '"qsl_idx" : 6,'),
    "constant": lambda text: re.sub(r'"data" : "\w+"', '"data" : "07000000"', text),
    "blank": lambda text: re.sub(r'"data" : "\w+"', '"data" : ""', text),
    "larger": lambda text: text.replace('"data" : "', '"data" : "00'),
    "one larger": lambda text: text.replace('"data" : "', '"data" : "00', 1),
    "another sample": shifted,
    "renumbered": lambda text: text.replace('"seq_id" : 7,', '"seq_id" : 8,'),
    "no JSON": lambda text: text.replace('"data"', "data", 1),
    "twice": lambda text: text + text,
}


@pytest.mark.parametrize("how", ANSWERS)
def test_answers(how, edits):
    path = edits.tree.single.with_name("log_accuracy") / "mlperf_log_accuracy.json"
    assert edits.new(path, ANSWERS[how](path.read_text()).encode())


def test_answers_in_one_line_are_as_good(edits):
    path = edits.tree.single.with_name("log_accuracy") / "mlperf_log_accuracy.json"
    assert edits.new(path, json.dumps(json.loads(path.read_text())).encode()) == set()


def test_percentiles_that_are_changed_everywhere_but_in_the_trace(edits):
    """The same in detail log, summary and result file: only single latencies say otherwise."""
    tree, kept = edits.tree, {}
    for path in (*tree.single.glob("mlperf_log_[ds]*"), tree.result):
        kept[path] = path.read_text()
    try:
        for path, text in kept.items():
            edits._put(path, text.replace("1100000", "1099000").replace("0.0011", "0.001099").encode())
        edits._put(tree.result, with_value(json.loads(tree.result.read_text()),
            ("results", 0, "performance_run", "throughput", "value"), 1 / 0.001099))  # fmt: skip
        assert {rule for rule, *_ in edits.findings() - edits.before} == {"trace"}
    finally:
        for path, text in kept.items():
            edits._put(path, text.encode())


FILES = {
    "code": lambda t: [t.submitter / "code"],
    "calibration": lambda t: [t.submitter / "calibration.md"],
    "pictures": lambda t: [t.device / "performance.jpg"],
    "system": lambda t: [t.system],
    "measurement": lambda t: [t.measurement],
    "result": lambda t: [t.result],
    "answers": lambda t: [t.single.with_name("log_accuracy") / "mlperf_log_accuracy.json"],
    "trace": lambda t: [t.single / "mlperf_log_trace.json"],
    "detail": lambda t: [t.single / "mlperf_log_detail.txt"],
    "summary": lambda t: [t.single / "mlperf_log_summary.txt"],
    "logs": lambda t: [t.single],
    "accuracy run": lambda t: [t.single.with_name("log_accuracy")],
    "scenario": lambda t: [t.offline.parent],
}


@pytest.mark.parametrize("what", FILES)
def test_files_that_are_removed(what, edits, tmp_path):
    (path,) = FILES[what](edits.tree)
    shutil.move(path, tmp_path / "kept")
    try:
        assert edits.findings() - edits.before
    finally:
        shutil.move(tmp_path / "kept", path)


def test_a_device_that_is_a_copy(edits):
    other = edits.tree.device.with_name("tablet")
    shutil.copytree(edits.tree.device, other)
    try:
        rules = {rule for rule, *_ in edits.findings() - edits.before}
        assert {"copied-log", "system-file", "measurement-file"} <= rules
    finally:
        shutil.rmtree(other)


def test_a_description_that_is_a_copy_or_has_another_name(edits):
    for name, keep in (("tablet.json", True), ("fon.json", False)):
        other = edits.tree.system.with_name(name)
        raw = edits.tree.system.read_bytes()
        other.write_bytes(raw)
        if not keep:
            edits.tree.system.unlink()
        try:
            assert {rule for rule, *_ in edits.findings() - edits.before} >= {"system-file"}
        finally:
            other.unlink()
            edits.tree.system.write_bytes(raw)


def test_a_link_in_the_place_of_a_folder(edits, tmp_path):
    shutil.move(edits.tree.single, tmp_path / "elsewhere")
    edits.tree.single.symlink_to(tmp_path / "elsewhere")
    try:
        assert "symlink" in {rule for rule, *_ in edits.findings() - edits.before}
    finally:
        edits.tree.single.unlink()
        shutil.move(tmp_path / "elsewhere", edits.tree.single)


def test_retraining_in_the_closed_division(edits):
    data = json.loads(edits.tree.measurement.read_text())
    found = edits.new(edits.tree.measurement, with_value(data, ("retraining",), "two epochs on ImageNet"))
    assert {rule for rule, *_ in found} == {"retraining"}
