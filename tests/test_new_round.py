"""A distribution adds a round with an official task, in YAML and CSV alone: every command knows it."""

from __future__ import annotations

import csv
import io
import json
from importlib.resources import files
from pathlib import Path

import pytest

TASK = """\
model: acme_net
dataset: rows
backend: toy
warmup_s: 0.02
dataset_options: {count: 70}
models: {acme_net: {file: acme_net.toy, format: toy}}
"""
SUITES = """\
suites:
  v9.9:
    summary: MLPerf Mobile v9.9
    settings:
      seeds: {qsl: 9001, sample_index: 9002, schedule: 9003}
      runs: {single-stream: {normal: {min_query_count: 64, min_duration_s: 0.2, max_duration_s: 60}}}
benchmarks:
  arithmetic:
    task: mine
    summary: Acme Net
    suites: [v9.9]
    settings:
      scenario: single-stream
      model: acme_net
      quality: {metric: exact, reference: 1.0, ratio: 0.9, source: arithmetic}
official:
  results: nine_parts:published.csv
  tasks:
    arithmetic: {task: mine, metric: exact, library: Rows, type: ROWS, words: [rows], titles: [arithmetic]}
  benchmarks:
    arithmetic:
      model: Acme Net
      models: [acme_net]
      scenarios: [single-stream]
      folder: acmeNet
      aliases: [AR_int8]
      in_memory: {rules: 70, app: 70}
      samples: {accuracy: [70], performance: 70}
"""
COLUMNS = files("mlperf_mobile_rounds.reference").joinpath("official.csv").read_text(encoding="utf-8").splitlines()[0]


def row(**more):
    """A row of published results, all of whose columns are there."""
    given = {"round": "v9.9", "division": "closed", "organisation": "ACME", "system": "phone", "soc": "Soc 9"}
    given |= {"benchmark": "arithmetic", "scenario": "single-stream", "repository": "acme/results", "path": "x"}
    text = io.StringIO()
    csv.DictWriter(text, COLUMNS.split(","), restval="", lineterminator="\n").writerow(given | more)
    return text.getvalue()


def install(command, suites=SUITES, results=None):
    rows = row(device="Slow", p90_ns="3600000000000") + row(device="Fast", p90_ns="1") if results is None else results
    more = {"acme_net.toy": '{"factor": 2}\n', "published.csv": f"{COLUMNS}\n{rows}"}
    command.write_task("nine", task=TASK, suites=suites, more=more)
    return command


@pytest.fixture(scope="module")
def nine(shared_command):
    """The distribution, and a result of its round."""
    command = install(shared_command)
    found, done = command.json("run", "--suite", "v9.9", "--quiet", "--output", command.folder / "results")
    (result,) = found["results"]
    assert (done.returncode, result["valid"], result["suite"], result["benchmark"]) == (0, True, "v9.9", "arithmetic")
    assert result["load"]["seeds"] == {"qsl": 9001, "sample_index": 9002, "schedule": 9003}
    command.result = Path(result["directory"])
    return command


def test_it_is_listed(nine):
    found, _ = nine.json("list-suites")
    (suite,) = [each for each in found["suites"] if each["name"] == "v9.9"]
    assert (suite["summary"], found["problems"]) == ("MLPerf Mobile v9.9", [])
    assert suite["benchmarks"] == [
        {"benchmark": "arithmetic", "task": "mine", "summary": "Acme Net", "from": "nine 1.0"}
    ]


def test_the_result_stands_among_the_published_ones(nine):
    """Between an hour and a nanosecond."""
    between = "between a Soc 9 (v9.9, 3600000.000000 ms) and a Soc 9 (v9.9, 0.000001 ms)"
    assert between in nine("show", nine.result).stdout
    found, done = nine.json("leaderboard", "--round", "v9.9", "--with", nine.result)
    (board,) = found["boards"]
    assert (done.returncode, board["benchmark"]) == (0, "arithmetic")
    assert [(each["own"], each.get("device")) for each in board["places"]] == [
        (False, "Fast"), (True, None), (False, "Slow"),
    ]  # fmt: skip


def test_the_app_s_file_of_it(nine, tmp_path):
    """Written with the names that the round gives, and imported as a result of the same benchmark."""
    file = tmp_path / "app.json"
    assert nine("export", nine.result, "--format", "app", "--output", file).returncode == 0
    (exported,) = json.loads(file.read_text())["results"]
    assert exported["benchmark_id"] == "arithmetic"
    assert exported["performance_run"]["dataset"]["type"] == "ROWS"
    found, done = nine.json("import", file, "--round", "v9.9", "--output", tmp_path / "imported")
    assert done.returncode == 0, done.stderr
    (imported,) = found["results"]
    assert imported["benchmark"] == "arithmetic"


def test_a_submission_of_it(nine, tmp_path):
    words = ("--format", "submission", "--submitter", "ACME", "--device", "phone", "--output", tmp_path)
    assert nine("export", nine.result, *words).returncode == 0
    assert (tmp_path / "closed/ACME/results/phone/acmeNet/SingleStream/log_performance").is_dir()
    found, _ = nine.json("check", tmp_path)
    assert found["round"] == "v9.9"  # by its seeds
    wrong = {each["rule"] for each in found["findings"] if each["severity"] == "error"}
    assert not wrong & {
        "unknown-benchmark",
        "seeds",
        "settings",
        "performance-sample-count",
        "samples",
        "result-fields",
    }


WRONG = {
    "unknown key": (SUITES.replace("folder:", "foldr:"), None, "nine_parts/suites.yaml:25:7: unknown key"),
    "wrong type": (SUITES.replace("[70], perf", "70, perf"), None, "nine_parts/suites.yaml:28:17: official.benchmarks"),
    "unknown task": (
        SUITES.replace("arithmetic: {", "sums: {"),
        None,
        "no task is called 'arithmetic'",
    ),
    "name of another": (
        SUITES.replace("AR_int8", "mobileBERT"),
        None,
        "'mobileBERT' is already a name of natural",
    ),
    "no such table": (SUITES.replace("published.csv", "absent.csv"), None, "no settings at nine_parts:absent.csv"),
    "a column less": (SUITES, "v9.9,closed\n", "nine_parts/published.csv:2: a row has 16 values"),
    "another benchmark": (SUITES, row(benchmark="chess", p90_ns="1"), "nine_parts/published.csv:2: no benchmark chess"),
    "no number": (SUITES, row(p90_ns="fast"), "nine_parts/published.csv:2: the score of single-stream is p90_ns"),
    "two scores": (
        SUITES,
        row(p90_ns="1", samples_per_s="1.5"),
        "published.csv:2: the score of",
    ),
}


@pytest.mark.parametrize(("suites", "results", "problem"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_with_official_facts_leaves_the_others_alone(command, suites, results, problem):
    install(command, suites, results)
    found, done = command.json("leaderboard")
    assert done.returncode == 0
    assert problem in done.stderr
    assert done.stderr.startswith("problem[")
    assert len([place for board in found["boards"] for place in board["places"]]) == 165
