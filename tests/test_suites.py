"""Suites, named data and models that are fetched: from what a plugin writes down to what a run does with it."""

from __future__ import annotations

import hashlib
import http.server
import json
import shutil
import threading
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

MODEL = b'{"factor": 2}\n'
TASK = """\
model: near
dataset: all
backend: toy
warmup_s: 0.02
models:
  near: {url: "URL/near.toy", sha256: SHA, format: toy}
  gone: {url: "URL/gone.toy", sha256: SHA, format: toy}
  other: {url: "URL/other.toy", sha256: SHA, format: toy}
data:
  all: {dataset: rows, summary: everything, options: {count: 70}}
  some: {dataset: rows, options: {count: 30}}
  byhand: {dataset: rows, path: {url: "local://rows/all", about: the seventy rows of the archive}}
  counted: {dataset: rows, options: {count: {url: "local://rows/count", about: how many}}}
"""
SUITES = """\
suites:
  r1:
    summary: round one
    settings:
      seeds: {qsl: 11, sample_index: 12, schedule: 13}
      runs: {single-stream: {normal: {min_query_count: 64, min_duration_s: 0.1, max_duration_s: 0}}}
benchmarks:
  first:
    task: mine
    suites: [r1]
    settings:
      model: near
      dataset: all
      performance_dataset: some
      quality: {metric: exact, reference: 1.0, ratio: 0.5, source: arithmetic}
  second:
    task: mine
    suites: [r1]
    settings:
      model: near
      dataset: byhand
      quality: {metric: exact, reference: 9.0, source: nobody}
      unverified: {quality: nobody wrote it down}
"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@contextmanager
def with_models_served(command):
    """The plugin, with its models on a web server of this machine; the command in a cache of its own."""
    served, cache = command.folder / "served", command.folder / "cache"
    served.mkdir()
    (served / "near.toy").write_bytes(MODEL)
    (served / "other.toy").write_bytes(b'{"factor": 3}\n')
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=served))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    task = TASK.replace("URL", url).replace("SHA", hashlib.sha256(MODEL).hexdigest())
    command.write_task(task=task, suites=SUITES)
    before = command.environment
    command.environment = lambda env=None: before({"MLPERF_MOBILE_CACHE": str(cache)} | (env or {}))
    yield command
    command.environment = before
    server.shutdown()
    server.server_close()


@pytest.fixture
def mine(command):
    with with_models_served(command) as mine:
        yield mine


def one(told):
    (result,) = told["results"]
    return result


class TestRounds:
    def test_suites_are_listed_with_their_benchmarks(self, mine):
        told, _ = mine.json("list-suites")
        (r1,) = [suite for suite in told["suites"] if suite["name"] == "r1"]
        assert (r1["summary"], [(b["benchmark"], b["task"]) for b in r1["benchmarks"]]) == (
            "round one", [("first", "mine"), ("second", "mine")],
        )  # fmt: skip
        assert "first, second" in mine("list-suites").stdout

    def test_a_dry_run_lists_what_is_missing_and_how_long_it_takes(self, mine):
        told, done = mine.json("run", "--suite", "r1", "--dry-run")
        assert done.returncode == 0
        assert [plan["benchmark"] for plan in told["plans"]] == ["first", "second"]
        assert {plan["load"]["seeds"]["qsl"] for plan in told["plans"]} == {11}
        assert [resource["url"].rpartition("/")[2] for resource in told["missing"]] == ["near.toy", "all"]
        text = mine("run", "--suite", "r1", "--dry-run").stdout
        assert "2 runs, at least 10 s and 2 accuracy runs of unknown length in all" in text
        assert "missing: near.toy, all (by hand); run 'mlperf-mobile fetch' with the same arguments\n" in text
        assert "by hand: the seventy rows of the archive" in text
        assert "unverified quality: nobody wrote it down" in text

    def test_what_is_missing_stops_a_run_before_it_starts(self, mine):
        told, done = mine.json("run", "--suite", "r1")
        assert (told["error"]["code"], done.returncode) == ("resource-missing", 4)
        assert "near.toy" in told["error"]["summary"]
        assert "the seventy rows of the archive" in told["error"]["hint"]
        assert str(Path("cache/local/rows/all")) in told["error"]["hint"]
        assert not mine.leftovers()

    def test_the_timed_run_has_data_of_its_own(self, mine):
        assert mine("fetch", "first", "--suite", "r1", "--quiet").returncode == 0
        told, done = mine.json("run", "first", "--suite", "r1", "--quiet")
        result = one(told)
        assert (done.returncode, result["valid"], result["benchmark"], result["suite"]) == (0, True, "first", "r1")
        assert (result["dataset"], result["performance_dataset"]) == ("all", "some")
        assert result["system"]["samples_in_data_set"] == 30
        assert result["accuracy"]["samples"] == 70
        assert "all, timed on some" in mine("show", result["directory"]).stdout

    @pytest.mark.parametrize(
        ("arguments", "dataset", "timed"),
        [
            (["--mode", "performance"], "some", None),
            (["--mode", "accuracy"], "all", None),
            (["--dataset", "some"], "some", None),
            (["--set", "performance_dataset=null"], "all", None),
            ([], "all", "some"),
        ],
    )
    def test_which_data(self, mine, arguments, dataset, timed):
        told, _ = mine.json("run", "first", "--suite", "r1", "--dry-run", *arguments)
        (plan,) = told["plans"]
        assert plan["dataset"]["name"] == dataset
        assert (plan["performance_dataset"] or {}).get("name") == timed
        assert plan["dataset"]["options"]["count"] == {"all": 70, "some": 30}[dataset]

    def test_what_the_user_has_elsewhere_is_not_missing(self, mine):
        told, _ = mine.json("run", "mine", "--dataset", "counted", "--set", "count=5", "--dry-run")
        assert [r["url"] for r in told["missing"] if r["url"].startswith("local")] == []
        told, _ = mine.json("run", "mine", "--dataset", "byhand", "--data-path", mine.folder, "--dry-run")
        assert [r["url"] for r in told["missing"] if r["url"].startswith("local")] == []
        told, _ = mine.json("fetch", "mine", "--dataset", "byhand", "--set", f"data_path={mine.folder}", "--dry-run")
        assert [r["url"] for r in told["resources"] if r["url"].startswith("local")] == []

    def test_a_target_without_a_source_decides_nothing(self, mine):
        folder = mine.folder / "cache/local/rows/all"
        folder.mkdir(parents=True)
        (folder / "row").write_text("1")
        assert mine("fetch", "second", "--suite", "r1", "--quiet").returncode == 0
        told, done = mine.json("run", "second", "--suite", "r1", "--quiet")
        result = one(told)
        assert (done.returncode, result["valid"]) == (0, True)
        assert (result["accuracy"]["target"], result["accuracy"]["passed"]) == (9.0, None)
        assert result["accuracy"]["unverified"] == "nobody wrote it down"
        assert "quality-target" not in [rule["name"] for rule in result["rules"]]
        assert "not judged: unverified" in mine("show", result["directory"]).stdout
        told, done = mine.json("run", "second", "--suite", "r1", "--quiet", "--set", "quality.reference=8")
        assert (done.returncode, one(told)["accuracy"]["passed"]) == (1, False)

    def test_benchmarks_by_their_task(self, mine):
        told, _ = mine.json("run", "mine", "--suite", "r1", "--dry-run")
        assert [plan["benchmark"] for plan in told["plans"]] == ["first", "second"]

    def test_a_run_file_may_name_benchmarks(self, mine):
        (mine.folder / "run.yaml").write_text("suite: r1\ntasks:\n  first: {warmup_s: 0.5}\n")
        told, _ = mine.json("run", "--config", "run.yaml", "--dry-run")
        assert [(plan["benchmark"], plan["warmup_s"]) for plan in told["plans"]] == [("first", 0.5)]


class TestFetch:
    def test_everything_of_a_task(self, mine):
        """One of three is not on the server, one is another file: the third one comes all the same."""
        told, done = mine.json("fetch", "mine", "--quiet")
        assert (told["error"]["code"], done.returncode) == ("fetch-failed", 4)
        assert {code for code in ("url-not-found", "checksum-mismatch") if f"error[{code}]" in done.stderr} == {
            "url-not-found", "checksum-mismatch",
        }  # fmt: skip
        told, done = mine.json("fetch", "mine", "--dry-run")
        states = {resource["url"].rpartition("/")[2]: resource["state"] for resource in told["resources"]}
        assert (states["near.toy"], states["gone.toy"], states["other.toy"]) == ("present", "missing", "missing")
        assert {resource["what"] for resource in told["resources"]} == {
            "model near", "model gone", "model other", "data byhand", "data counted, count",
        }  # fmt: skip

    @pytest.mark.parametrize(("model", "code"), [("gone", "url-not-found"), ("other", "checksum-mismatch")])
    def test_what_cannot_be_had(self, mine, model, code):
        told, done = mine.json("fetch", "mine", "--model", model, "--quiet")
        assert (told["error"]["code"], done.returncode) == (code, 4)
        assert model in told["error"]["summary"]

    def test_what_must_be_provided_by_hand_is_reported(self, mine):
        done = mine("fetch", "second", "--suite", "r1")
        assert done.returncode == 4
        assert "by hand: the seventy rows of the archive" in done.stdout
        assert "near.toy: done" in done.stderr

    def test_verify_reads_everything_again(self, mine):
        mine("fetch", "first", "--suite", "r1", "--quiet")
        told, done = mine.json("fetch", "first", "--suite", "r1", "--verify")
        (model,) = told["resources"]
        assert (done.returncode, model["state"], model["note"]) == (0, "present", "its checksum is the published one")
        Path(model["path"]).write_bytes(MODEL.replace(b"2", b"7"))
        told, done = mine.json("fetch", "first", "--suite", "r1", "--verify")
        assert (done.returncode, told["resources"][0]["state"]) == (4, "damaged")
        assert mine("fetch", "first", "--suite", "r1", "--quiet").returncode == 0
        assert Path(model["path"]).read_bytes() == MODEL

    def test_a_model_that_was_changed_is_not_run(self, mine):
        mine("fetch", "first", "--suite", "r1", "--quiet")
        (file,) = (mine.folder / "cache").rglob("near*.toy")
        file.write_bytes(MODEL.replace(b"2", b"7"))
        told, done = mine.json("run", "first", "--suite", "r1", "--quiet")
        assert (one(told)["error"]["code"], done.returncode) == ("model-checksum", 3)

    def test_nothing_named(self, mine):
        told, done = mine.json("fetch")
        assert (told["error"]["code"], done.returncode) == ("no-task", 2)

    def test_a_url_that_cannot_be_used(self, mine):
        file = mine.site / "mine_parts/task.yaml"
        file.write_text(file.read_text().replace("local://rows/all", "ftp://rows/all"))
        told, done = mine.json("fetch", "mine")
        assert done.returncode == 2
        assert "https:// or local://" in told["error"]["summary"]


@pytest.fixture(scope="module")
def scored(shared_command):
    """The command, and a result of it, which no test changes."""
    with with_models_served(shared_command) as mine:
        mine("fetch", "first", "--suite", "r1", "--quiet")
        told, _ = mine.json("run", "first", "--suite", "r1", "--quiet", "--set", "wrong_every=7")
        yield mine, one(told)


class TestScore:
    @pytest.fixture
    def mine(self, scored):
        return scored[0]

    @pytest.fixture
    def result(self, scored):
        return scored[1]

    def test_a_result_is_scored_again(self, mine, result):
        """70 answers, every seventh wrong; 0.857 is above the target of 0.5."""
        told, done = mine.json("score", result["directory"])
        assert done.returncode == 0
        assert told["accuracy"]["value"] == result["accuracy"]["value"]
        assert told["accuracy"]["value"] == pytest.approx(6 / 7, abs=0.03)
        assert told["accuracy"]["passed"] is True

    @pytest.mark.parametrize(
        ("arguments", "target", "code"),
        [
            (["--task", "mine"], 0.5, 0),
            (["--task", "first"], 0.5, 0),
            (["--set", "quality.at_least=0.9"], 0.9, 1),
            (["--task", "mine", "--dataset", "all"], None, 0),
            (["--suite", "r1"], 0.5, 0),
            (["--suite", "r1", "--task", "first"], 0.5, 0),
        ],
    )
    def test_options_override_the_settings_of_a_result(self, mine, result, arguments, target, code):
        told, done = mine.json("score", result["directory"], *arguments)
        assert done.returncode == code, done.stderr
        assert told["accuracy"]["value"] == result["accuracy"]["value"]
        assert told["accuracy"]["target"] == target

    def test_from_the_log_alone(self, mine, result):
        log = Path(result["directory"]) / "accuracy" / "mlperf_log_accuracy.json"
        for place in (log, log.parent):
            told, done = mine.json("score", place, "--task", "mine", "--dataset", "all")
            assert (done.returncode, told["accuracy"]["value"]) == (0, result["accuracy"]["value"])
            assert told["accuracy"]["target"] is None
        told, done = mine.json("score", log, "--suite", "r1", "--task", "first", "--set", "quality.at_least=0.9")
        assert (done.returncode, told["accuracy"]["passed"]) == (1, False)
        assert (
            "MISSED" in mine("score", log, "--suite", "r1", "--task", "first", "--set", "quality.at_least=0.9").stdout
        )

    @pytest.mark.parametrize(
        ("arguments", "code", "exit_code"),
        [
            (["--task", "mine", "--dataset", "some"], "accuracy-log", 4),
            (["--task", "mine", "--dataset", "everything"], "unknown-dataset", 2),
            (["--task", "yours"], "unknown-task", 2),
            (["--suite", "r1"], "no-task", 2),
            (["--task", "mine", "--dataset", "byhand"], "resource-missing", 4),
            (["--task", "mine", "--set", "widht=4"], "unknown-key", 2),
        ],
    )
    def test_what_does_not_belong_together(self, mine, result, arguments, code, exit_code):
        told, done = mine.json("score", Path(result["directory"]) / "accuracy", *arguments)
        assert (told["error"]["code"], done.returncode) == (code, exit_code)
        if arguments[0] != "--suite":  # the result folder says which benchmark
            told, done = mine.json("score", result["directory"], *arguments)
            assert (told["error"]["code"], done.returncode) == (code, exit_code)

    @pytest.mark.parametrize(
        "damage",
        [
            b"",
            b"[",
            b"[\n{}\n]",
            b'[\n{"qsl_idx": 0, "data": "0"}\n]',
            b'[\n{"qsl_idx": -1, "data": "00"}\n]',
            b"\x00\xff",
        ],
    )
    def test_damaged_logs(self, mine, result, damage):
        log = mine.folder / "mlperf_log_accuracy.json"
        log.write_bytes(damage)
        told, done = mine.json("score", log, "--task", "mine")
        assert (told["error"]["code"], done.returncode) == ("accuracy-log", 4)

    def test_no_log(self, mine, result):
        told, done = mine.json("score", mine.folder / "absent", "--task", "mine")
        assert (told["error"]["code"], done.returncode) == ("accuracy-log", 4)

    def test_a_plan_changed_by_hand(self, mine, result, tmp_path):
        folder = shutil.copytree(result["directory"], tmp_path / "changed")
        plan = folder / "plan.json"
        plan.write_text(json.dumps(json.loads(plan.read_text()) | {"task": 7}))
        told, done = mine.json("score", folder)
        assert (told["error"]["code"], done.returncode) == ("result-damaged", 6)
