"""Language models from the command line: the kit's model on ``tflite``, and a backend that misbehaves."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import pytest

from mlperf_mobile.results import latencies
from mlperf_mobile.results.tokens import FIELDS, facts
from mlperf_mobile.testing.models import packaged
from mlperf_mobile_report.compare.sources import read_all
from mlperf_mobile_report.html.page import page
from mlperf_mobile_report.measures import shown
from mlperf_mobile_report.tables.results import csv as as_csv

PLUGIN = """
    from mlperf_mobile.plugin import BackendInfo, Capability, DatasetInfo, Ref, SuitesInfo, TaskInfo, hookimpl

    @hookimpl
    def mlperf_mobile_suites():
        yield SuitesInfo(settings="story_parts:suites.yaml", hook_api=(2, 3))

    @hookimpl
    def mlperf_mobile_tasks():
        yield TaskInfo(name="stories", summary="a test", task=Ref("story_parts:Stories"),
                       settings="story_parts:task.yaml", options=Ref("story_parts:Options"), hook_api=(2, 3))

    @hookimpl
    def mlperf_mobile_datasets():
        yield DatasetInfo(name="beginnings", summary="a test", dataset=Ref("story_parts:Beginnings"),
                          tasks=("stories",), needs_path=False, hook_api=(2, 3))

    @hookimpl
    def mlperf_mobile_backends():
        yield BackendInfo(name="teller", summary="a stand-in", vendor="nobody", backend=Ref("story_parts:Teller"),
                          model_formats=("tflite",), capabilities=frozenset({Capability.TOKEN_STREAM}),
                          options=Ref("story_parts:TellerOptions"), hook_api=(2, 3))
        yield BackendInfo(name="mute", summary="a stand-in", vendor="nobody", backend=Ref("story_parts:Teller"),
                          model_formats=("tflite",), options=Ref("story_parts:TellerOptions"), hook_api=(2, 3))
"""
PARTS = '''
    """Prompts of seeded ids; the metric is the length of answers."""
    import os
    import time

    import numpy as np
    from pydantic import BaseModel

    from mlperf_mobile.contracts import Artifact, Generation, Placement, Probe, Score, TensorSpec
    from mlperf_mobile.terms import Mode


    class Options(BaseModel):
        limit: int = 12
        stop: int = 20


    class Stories:
        def __init__(self, options):
            self.options = options or Options()

        def bind(self, inputs, outputs):
            assert [str(spec) for spec in (*inputs, *outputs)] == ["int32[1,32]", "int32[1,32]"]
            return Codec()

        def generation(self, mode):
            return Generation(4 if mode is Mode.ACCURACY else self.options.limit, (self.options.stop,))

        def metric(self, dataset):
            return Length()


    class Codec:
        def encode(self, sample):
            return (sample,)

        def decode(self, outputs):
            return outputs[0].astype("<i4").tobytes()


    class Beginnings:
        def __init__(self, path, options):
            pass

        def __len__(self):
            return 16

        def sample(self, index):
            return np.random.default_rng(index).integers(0, 48, 1 + index).astype(np.int32)

        def truth(self, index):
            return index


    class Length:
        """The mean number of ids of a response."""

        def __init__(self):
            self.found = []

        def update(self, index, response):
            self.found.append(len(np.frombuffer(response, "<i4")))

        def score(self):
            return Score("mean length", float(np.mean(self.found)), len(self.found))


    class TellerOptions(BaseModel):
        way: str = "right"
        pause_s: float = 0.0


    class Teller:
        """Answers 1, 2, 3 and so on, slowly."""

        shards = 1

        def __init__(self, options):
            self.options = options

        def probe(self):
            return Probe(usable=True, accelerators=("cpu",), versions={"teller": "1"}, runtime="teller 1")

        def compile(self, request):
            return Artifact(request.model, request.accelerator, tokens=request.tokens)

        def load(self, artifact):
            return Tale(self.options)


    class Tale:
        inputs = outputs = (TensorSpec("tokens", (1, 32), np.dtype(np.int32)),)
        context = 32
        generated = 0

        def __init__(self, options):
            self.options = options

        def generate(self, prompt, how, first_token):
            way = self.options.way
            if way == "nothing":
                return np.zeros(0, np.int32)
            if way == "raises":
                raise RuntimeError("no kernel")
            if way != "never":
                first_token()
            if way == "twice":
                first_token()
            for _ in range(how.max_new_tokens):
                time.sleep(self.options.pause_s)
                self.generated += 1
            first = int(os.environ.get("TELLER_BEGINS", "0"))
            return np.arange(first, first + how.max_new_tokens, dtype=np.int32)

        def run(self, inputs):
            raise NotImplementedError

        def placement(self):
            return Placement({"cpu": 1})

        def __enter__(self):
            return self

        def __exit__(self, *exc):
            pass
'''
TASK = """
    model: lm
    dataset: beginnings
    warmup_s: 0.05
    models:
      lm: {file: language_model.tflite, format: tflite, datasets: [beginnings]}
    runs:
      single-stream:
        normal: {min_query_count: 64, min_duration_s: 0.2, max_duration_s: 60}
      sustained:
        normal: {min_query_count: 64, min_duration_s: 0.2, max_duration_s: 60}
"""

SUITES = """
    suites:
      tales: {summary: a test, settings: {seeds: {qsl: 1, sample_index: 2, schedule: 3}}}
    benchmarks:
      short:
        task: stories
        suites: [tales]
        settings:
          model: lm
          dataset: beginnings
          scenario: single-stream
          token_rules: {max_new_tokens: 12, stop_ids: [20], context: 33}
"""


def install(command):
    files = {"__init__.py": PARTS, "task.yaml": TASK, "suites.yaml": SUITES}
    command.write_plugin("stories", PLUGIN, files={f"story_parts/{name}": text for name, text in files.items()})
    shutil.copy(packaged("language_model", "tflite"), command.site / "story_parts" / "language_model.tflite")
    return command


def run(command, *arguments):
    done = command("run", "stories", "--json", *arguments)
    (result,) = json.loads(done.stdout)["results"]
    return result, done


@pytest.fixture(scope="module")
def ran(shared_command):
    """One run in both modes: the command, the result, and its folder."""
    command = install(shared_command)
    result, done = run(command, "--backend", "tflite", "--scenario", "sustained")
    assert result["status"] == "completed", done.stderr
    return command, result, Path(result["directory"])


class TestARun:
    def test_it_is_valid_and_its_score_is_the_decode_rate(self, ran):
        _, result, _ = ran
        performance = result["performance"]
        assert result["valid"], result["rules"]
        assert performance["score"]["unit"] == "tokens/s"
        assert performance["score"]["value"] == performance["tokens"]["decode_per_s"]
        assert performance["latency_source"] == "load generator"
        assert set(performance["tokens"]["ends"]) == {"first_tenth", "last_tenth"}

    def test_how_it_generated_is_in_the_result(self, ran):
        system = ran[1]["system"]
        assert system["context"] == 32
        assert system["generation"]["performance"] == {"max_new_tokens": 12, "stop_ids": [20]}
        assert system["generation"]["accuracy"] == {"max_new_tokens": 4, "stop_ids": [20]}
        assert system["inputs"] == ["int32[1,32]"]

    def test_its_numbers_follow_from_its_files(self, ran):
        _, result, folder = ran
        tokens, taken = (latencies.read(folder / name) for name in ("tokens.bin", "latencies.bin"))
        assert len(tokens) == FIELDS * len(taken) == FIELDS * result["performance"]["queries"]
        found = facts(tokens, taken)
        assert {name: result["performance"]["tokens"][name] for name in found} == found

    def test_peak_memory_is_measured(self, ran):
        memory = ran[1]["performance"]["tokens"]["memory_bytes"]
        assert 10e6 < memory["loaded"] <= memory["end"] < 4e9

    def test_the_accuracy_log_holds_token_ids(self, ran):
        """With the limit of the accuracy mode; ``score`` reads them."""
        command, result, _ = ran
        assert 1 <= result["accuracy"]["value"] <= 4
        scored = command("score", result["directory"], "--json")
        assert scored.returncode == 0, scored.stderr
        assert result["accuracy"]["value"] == json.loads(scored.stdout)["accuracy"]["value"]

    def test_the_card_shows_tokens(self, ran):
        command, result, _ = ran
        shown = command("show", result["directory"]).stdout
        for text in ("tokens/s, decode rate", "first token (ms)", "per token (ms)", "prefill", "answers", "memory"):
            assert text in shown

    def test_check_agrees_and_finds_changes(self, ran, tmp_path):
        command, _, folder = ran
        good = command("check", folder)
        assert good.returncode == 0, good.stdout + good.stderr
        changed = tmp_path / "changed"
        shutil.copytree(folder, changed)
        file = changed / "result.json"
        data = json.loads(file.read_text())
        data["performance"]["tokens"]["decode_total_per_s"] *= 2
        data["performance"]["tokens"]["ttft_ns"]["p90"] /= 2
        file.write_text(json.dumps(data))
        found = command("check", changed)
        assert found.returncode != 0
        assert "decode_total_per_s" in found.stdout
        assert "ttft_ns" in found.stdout

    def test_compare_shows_both_times(self, ran):
        command, result, folder = ran
        done = command("compare", folder, folder)
        assert "TTFT P90" in done.stdout
        (group,) = json.loads(command("compare", folder, folder, "--json").stdout)["groups"]
        assert group["rows"][1]["tokens"] == result["performance"]["tokens"]

    def test_reports_have_columns_and_charts(self, ran, tmp_path):
        command, result, folder = ran
        done = command("report", folder, "--csv", "--output", tmp_path / "results.csv")
        text = (tmp_path / "results.csv").read_text() if (tmp_path / "results.csv").exists() else done.stdout
        (row,) = csv.DictReader(io.StringIO(text))
        assert float(row["ttft_p90_ns"]) == result["performance"]["tokens"]["ttft_ns"]["p90"]
        decode = result["performance"]["tokens"]["decode_per_s"]
        assert float(row["decode_per_s"]) == decode
        head, _, cells = command("report", folder, "--markdown").stdout.strip().splitlines()[2:]
        assert dict(zip(head.split(" | "), cells.split(" | "), strict=True))["DECODE/S"] == f"{decode:.6g}"
        page = tmp_path / "page.html"
        done = command("report", folder, "--output", page)
        assert done.returncode == 0, done.stderr
        html = page.read_text()
        for title in ("Time to first token over", "Time per token over", "Tokens per second over"):
            assert title in html


@pytest.fixture(scope="module")
def swept(ran):
    """A sweep over lengths, of the same command: the result, what the command printed, and its folder."""
    lengths = ("prompt_tokens=[4, 8]", "answer_tokens=[1, 6]", "depths=[0, 12, 20]")
    options = [part for each in lengths for part in ("--set", each)]
    rules = ("--scenario", "token-sweep", "--mode", "performance", "--rules", "rapid")
    done = ran[0]("run", "stories", "--backend", "tflite", *rules, *options)
    (folder,) = ran[2].parent.glob("*token-sweep*")
    return json.loads((folder / "result.json").read_text()), done, folder


class TestASweepOverLengths:
    def test_every_combination_that_fits_is_measured(self, swept):
        """12 + 20 and 6 tokens do not fit into 32."""
        result, done, _ = swept
        assert result["valid"], done.stdout
        part = result["performance"]["part"]
        found = {(each["prompt"], each["answer"], each["depth"]) for each in part["combinations"]}
        every = {(prompt, answer, depth) for prompt in (4, 8) for answer in (1, 6) for depth in (0, 12, 20)}
        lost = {(each["prompt"], each["answer"], each["depth"]) for each in part["left_out"]}
        assert (found | lost, lost) == (every, {(8, 6, 20)})
        assert all(each["repetitions"] == 2 and not each["short"] for each in part["combinations"])
        assert {each["decode_per_s"] is None for each in part["combinations"] if each["answer"] == 1} == {True}
        assert "tokens" not in result["performance"]

    def test_the_card_has_its_table(self, swept):
        _, done, _ = swept
        assert "prompt answer depth TTFT ms" in done.stdout
        assert "never part of a submission" in " ".join(done.stdout.replace("│", " ").split())

    def test_check_finds_nothing_but_that_it_is_no_scenario_of_mobile(self, ran, swept):
        done = ran[0]("check", swept[2])
        assert done.returncode == 0, done.stdout
        assert "0 errors, 1 warning" in done.stdout
        assert "not-of-mobile" in done.stdout
        assert "has no log of LoadGen" in done.stdout

    def test_reports_show_it(self, swept):
        result, _, folder = swept
        entries, warnings = read_all([str(folder)], whole=True)
        results, warnings = shown(entries, warnings)
        html = page(results, entries, warnings)
        for title in (
            "Time to first token, ms",
            "Prefill, tokens/s",
            "Decode, tokens/s",
            "Combinations that were left",
        ):
            assert title in html
        (row,) = csv.DictReader(io.StringIO(as_csv(results)))
        assert row["sweep_combinations"] == "11"
        best = max(each["prefill_per_s"]["mean"] for each in result["performance"]["part"]["combinations"])
        assert float(row["sweep_most_prefill_per_s"]) == best
        rows = list(csv.DictReader((folder / "performance" / "token_sweep_answers.csv").read_text().splitlines()))
        assert len(rows) == 22


@pytest.fixture
def telling(command):
    return install(command)


@pytest.mark.parametrize(
    ("way", "code", "what"),
    [
        ("twice", "first-token", "called 2 times"),
        ("never", "first-token", "never called for"),
    ],
)
def test_sessions_that_break_the_contract_fail_the_run(telling, way, code, what):
    result, done = run(telling, "--backend", "teller", "--set", f"way={way}", "--mode", "performance")
    assert done.returncode == 5
    assert result["error"]["code"] == code
    assert what in result["error"]["summary"]
    assert "Traceback" not in done.stderr


def test_a_run_that_generates_nothing_is_not_valid(telling):
    result, done = run(telling, "--backend", "teller", "--set", "way=nothing", "--mode", "performance")
    assert done.returncode == 1, done.stderr
    assert not result["valid"]
    assert {rule["name"]: rule["ok"] for rule in result["rules"]}["token-count"] is False


class TestCompliance:
    def test_an_honest_model_passes(self, ran):
        """With the answers of an accuracy run whose limit is lower."""
        command, _, folder = ran
        done = command("comply", folder, "--test", "TEST06", "--json", "--quiet")
        (test,) = json.loads(done.stdout)["tests"]
        assert test["passed"], test["rules"]
        assert [rule["name"] for rule in test["rules"]] == [
            "responses-logged", "first-token", "answer-ends", "token-counts",
        ]  # fmt: skip
        assert test["rules"][0]["observed"] >= 100
        assert "TEST04 is not for language models" in command("comply", folder, "--test", "TEST04").stderr

    def test_a_model_that_begins_otherwise_than_in_the_accuracy_run(self, telling):
        """Runs themselves find answers that go on after a stop id, and first tokens that are never reported."""
        result, _ = run(telling, "--backend", "teller")
        done = telling(
            "comply", result["directory"], "--test", "TEST06", "--json", "--quiet", env={"TELLER_BEGINS": "5"}
        )
        assert done.returncode == 1, done.stderr
        (test,) = json.loads(done.stdout)["tests"]
        assert {rule["name"] for rule in test["rules"] if not rule["ok"]} == {"first-token"}


DIFF = ("diff", "stories", "--samples", "3", "--quiet")


class TestDiff:
    def test_equal_sides_have_equal_answers(self, telling):
        found, done = telling.json(*DIFF, "--backend", "tflite", "--set-a", "threads=1", "--set-b", "threads=2")
        assert done.returncode == 0, done.stderr
        assert found["differ"] == {"answer": [], "response": [], "score": []}

    def test_the_first_token_that_differs_is_shown(self, telling):
        done = telling(*DIFF, "--backend", "teller", "--backend", "tflite")
        assert done.returncode == 1, done.stderr
        assert "answer    3 of 3" in done.stdout
        assert "first other token" in done.stdout
        assert "first differing stage: answer" in done.stdout

    def test_a_side_that_breaks_the_contract_is_named(self, telling):
        done = telling(*DIFF, "--backend", "teller", "--set-b", "way=raises")
        assert done.returncode == 5
        assert "teller/cpu" in done.stderr
        assert "result folder" not in done.stderr


def test_rules_of_a_round(telling):
    """A limit like the round's, other stop ids, and a context that is too short."""
    done = telling(
        "run", "--suite", "tales", "--backend", "tflite", "--mode", "performance", "--set", "stop=21", "--json"
    )
    (result,) = json.loads(done.stdout)["results"]
    assert result["valid"], done.stderr
    found = {rule["name"]: rule for rule in result["rules"] if rule["name"] in ("token-limit", "stop-ids", "context")}
    assert {name: (rule["ok"], rule["observed"], rule["required"]) for name, rule in found.items()} == {
        "token-limit": (True, 12, 12), "stop-ids": (False, "21", "20"), "context": (False, 32, 33),
    }  # fmt: skip
    assert {rule["scope"] for rule in found.values()} == {"submission"}


def test_backends_that_do_not_generate_are_refused(telling):
    """Before a run, and again in it."""
    planned = telling("run", "stories", "--backend", "mute", "--dry-run")
    assert "backend mute does not generate tokens" in planned.stdout + planned.stderr
    assert "tflite" in planned.stdout + planned.stderr  # of those that do
    result, done = run(telling, "--backend", "mute", "--mode", "performance")
    assert (done.returncode, result["error"]["code"]) == (5, "no-tokens")
