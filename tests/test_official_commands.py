"""check, import and export as a user meets them: the installed command, on results that it made itself."""

from __future__ import annotations

import json
import shutil
import struct

import pytest

DETAIL = "performance/mlperf_log_detail.txt"


@pytest.fixture(scope="module")
def made(shared_command):
    """A result folder."""
    result, done = shared_command.run()
    assert done.returncode == 0
    return shared_command.results / result["run_id"]


@pytest.fixture
def folder(made, tmp_path):
    """A copy of it, to be spoilt."""
    return shutil.copytree(made, tmp_path / "results" / made.name)


def edit(path, *keys, value):
    data = json.loads(path.read_text())
    place = data
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value(place[keys[-1]]) if callable(value) else value
    path.write_text(json.dumps(data))


def replace(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_result_as_it_was_made_is_clean(shared_command, folder):
    told, done = shared_command.json("check", folder.parent)
    assert done.returncode == 0, told
    assert (told["clean"], told["findings"], told["not_checked"]) == (True, [], [])
    assert {"own-digests", "own-latencies", "own-logs", "own-verdict", "accuracy-recomputed"} <= set(told["passed"])


def told(*keys, value):
    """Change a value of the result."""
    return lambda folder: edit(folder / "result.json", *keys, value=value)


EDITS = {
    "a better p90": ("own-logs", told("performance", "latency_ns", "p90", value=lambda ns: ns * 0.9)),
    "a better throughput": ("own-latencies", told("performance", "throughput", value=lambda rate: rate * 2)),
    "more samples": ("own-latencies", told("performance", "samples", value=lambda count: count + 1)),
    "a shorter run": ("own-latencies", told("performance", "duration_s", value=0.001)),
    "a better accuracy": ("accuracy-recomputed", told("accuracy", "value", value=lambda share: share / 2)),
    "another seed": ("own-logs", told("load", "seeds", "qsl", value=5)),
    "another verdict": ("own-verdict", told("valid", value=False)),
    "a rule that is met": ("own-verdict", told("rules", 0, "required", value=10**9)),
    "LoadGen's verdict": ("own-logs", told("performance", "loadgen", "valid", value=False)),
    "other latencies": ("own-digests", lambda f: (f / "latencies.bin").write_bytes(struct.pack("<8q", *[1] * 8))),
    "no latencies": ("own-digests", lambda f: (f / "latencies.bin").unlink()),
    "another log": ("own-digests", lambda f: replace(f / DETAIL, '"result_validity"', '"result_validity "')),
    "no log": ("log-missing", lambda f: (f / DETAIL).unlink()),
    "a log of zero bytes": ("log-empty", lambda f: (f / DETAIL).write_bytes(b"")),
    "a file more": ("own-digests", lambda f: (f / "performance" / "more.txt").write_text("x")),
    "no JSON": ("own-result", lambda f: (f / "result.json").write_text("{")),
    "another schema": ("own-result", told("schema", value=3)),
    "missing keys": ("own-result", lambda f: (f / "result.json").write_text('{"schema": 1, "run_id": "x"}')),
}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", EDITS)
def test_an_edited_result_is_noticed(name, shared_command, folder):
    rule, spoil = EDITS[name]
    spoil(folder)
    report, done = shared_command.json("check", folder.parent)
    assert done.returncode == 1
    errors = {finding["rule"] for finding in report["findings"] if finding["severity"] == "error"}
    assert rule in errors, report
    assert "Traceback" not in done.stderr


def test_what_cannot_be_checked_is_an_error_in_one_line(shared_command, tmp_path):
    told, done = shared_command.json("check", tmp_path / "nowhere")
    assert (done.returncode, told["error"]["code"]) == (4, "no-submission")
    told, done = shared_command.json("check", tmp_path, "--round", "v9")
    assert (done.returncode, told["error"]["code"]) == (2, "unknown-round")


def test_a_file_that_is_no_result(shared_command, tmp_path):
    (tmp_path / "result.json").write_bytes(b"\0" * 100)
    told, done = shared_command.json("check", tmp_path / "result.json")
    assert (done.returncode, told["clean"]) == (1, False)
    assert [finding["rule"] for finding in told["findings"]] == ["bad-json"]


EXTENDED = {
    "meta": {"uuid": str, "creation_date": str, "upload_date": None},
    "results": [
        {
            "benchmark_id": str, "benchmark_name": str, "loadgen_scenario": str,
            "backend_settings": {
                "accelerator_code": str, "accelerator_desc": str, "framework": str, "delegate": str, "model_path": str,
                "batch_size": int, "extra_settings": [{"id": str, "name": str, "value": str, "value_name": str}],
            },
            "backend_info": {"filename": str, "vendor_name": str, "backend_name": str, "accelerator_name": str},
            "performance_run": {
                "throughput": {"value": float}, "accuracy": None, "accuracy2": None,
                "dataset": {"name": str, "type": str, "data_path": str, "groundtruth_path": str},
                "measured_duration": float, "measured_samples": int, "start_datetime": str,
                "loadgen": {
                    "query_count": int, "latency_mean": float, "latency90": float, "is_min_duration_met": bool,
                    "is_min_query_met": bool, "is_early_stopping_met": bool, "is_result_valid": bool,
                },
            },
            "accuracy_run": {
                "throughput": None, "accuracy": {"normalized": float, "formatted": str}, "accuracy2": None,
                "dataset": {"name": str, "type": str, "data_path": str, "groundtruth_path": str},
                "measured_duration": float, "measured_samples": int, "start_datetime": str, "loadgen": None,
            },
            "min_duration": float, "min_samples": int,
        }
    ],
    "environment_info": {"platform": str, "value": {"android": None, "ios": None, "windows": None}},
    "build_info": {
        "version": str, "build_number": str, "build_date": str, "official_release_flag": bool, "dev_test_flag": bool,
        "backend_list": [str], "git_branch": str, "git_commit": str, "git_dirty_flag": bool,
    },
}  # fmt: skip
"""The app's schema (mobile_app_open, tools/extended_result_schema.json), which allows no other keys, on Linux."""


def fits(data, form, path=""):
    if isinstance(form, dict):
        assert set(data) == set(form), path
        for key, part in form.items():
            fits(data[key], part, f"{path}.{key}")
    elif isinstance(form, list):
        for item in data:
            fits(item, form[0], f"{path}[]")
    else:
        assert data is None if form is None else type(data) is form, (path, data)


def test_the_app_s_file_has_the_app_s_schema_and_is_read_again(shared_command, made, tmp_path):
    target = tmp_path / "phone.json"
    told, done = shared_command.json("export", made, "--format", "app", "--output", target)
    assert (done.returncode, told["schema"], told["written"]) == (0, 1, str(target))
    assert any("not belong to a round" in doubt for doubt in told["doubts"])
    fits(json.loads(target.read_text()), EXTENDED)
    told, done = shared_command.json("import", target, "--output", tmp_path / "again")
    assert done.returncode == 0
    (again,) = told["results"]
    first = json.loads((made / "result.json").read_text())
    p90 = first["performance"]["latency_ns"]["p90"]
    assert again["performance"]["throughput"] == 1 / (p90 / 1e9)
    assert again["performance"]["latency_ns"]["p90"] == pytest.approx(p90, rel=1e-12)
    for name in ("queries", "samples", "duration_s"):
        assert again["performance"][name] == first["performance"][name]
    assert again["accuracy"]["value"] == pytest.approx(first["accuracy"]["value"], rel=1e-12)
    shown = shared_command("show", told["results"][0]["directory"])
    assert shown.returncode == 0, shown.stderr


def test_nothing_is_overwritten(shared_command, made, tmp_path):
    target = tmp_path / "phone.json"
    target.write_text("mine")
    told, done = shared_command.json("export", made, "--format", "app", "--output", target)
    assert (done.returncode, told["error"]["code"], target.read_text()) == (6, "output-exists", "mine")
    words = ("export", made, "--format", "submission", "--submitter", "ACME", "--device", "phone", "--output", tmp_path)
    assert shared_command(*words).returncode == 0
    told, done = shared_command.json(*words)
    assert (done.returncode, told["error"]["code"]) == (6, "output-exists")
    assert sorted(path.name for path in (tmp_path / "closed").iterdir()) == ["ACME"]


def test_a_submission_and_what_is_left_to_do(shared_command, made, tmp_path):
    words = ("--format", "submission", "--submitter", "ACME", "--device", "phone_1", "--output", tmp_path)
    done = shared_command("export", made, *words)
    assert done.returncode == 0, done.stderr
    tree = tmp_path / "closed" / "ACME"
    (log,) = tree.glob("results/phone_1/*/SingleStream/log_performance/mlperf_log_detail.txt")
    assert log.read_bytes() == (made / DETAIL).read_bytes()
    told, done = shared_command.json("check", tmp_path)
    assert done.returncode == 1
    unfinished = [finding for finding in told["findings"] if finding["rule"] == "unfinished"]
    assert {finding["file"].split("/")[2] for finding in unfinished} == {"systems", "measurements"}
    errors = {finding["rule"] for finding in told["findings"] if finding["severity"] == "error"}
    assert not errors & {"accuracy-log", "trace", "settings-agree", "result-fields"}, told["findings"]
    for path in (*tree.glob("systems/*"), *tree.rglob("measurements/**/*.json")):
        path.write_text(path.read_text().replace("TO FILL IN: ", ""))
    told, _ = shared_command.json("check", tmp_path)
    assert not [f for f in told["findings"] if f["rule"] in ("unfinished", "score-agrees", "latency-agrees", "pair")]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--format", "submission", "--output", "x"), "missing-flag"),
        (("--format", "submission", "--output", "x", "--submitter", "../up", "--device", "d"), "bad-name"),
        (("--format", "app", "--output", "x", "--device", "d"), "bad-flag"),
    ],
)
def test_wrong_flags(words, code, shared_command, made):
    told, done = shared_command.json("export", made, *words)
    assert (done.returncode, told["error"]["code"]) == (2, code)


def test_two_results_of_one_benchmark_do_not_go_into_one_file(shared_command, made, tmp_path):
    told, done = shared_command.json("export", made, made, "--format", "app", "--output", tmp_path / "x.json")
    assert (done.returncode, told["error"]["code"]) == (6, "same-benchmark")
