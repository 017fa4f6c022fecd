"""``mlperf-mobile leaderboard``: published results in order, and one's own among them."""

from __future__ import annotations

import argparse
import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mlperf_mobile.errors import MobileError
from mlperf_mobile_report.commands import leaderboard as command
from mlperf_mobile_rounds.reference import benchmark_of, benchmarks

MS = 1_000_000
RATE = ("decode rate", "tokens/s", True)


@pytest.fixture
def board(capsys):
    """Runs the command: exit code, standard output, standard error."""

    def run(*arguments):
        top = argparse.ArgumentParser()
        command.add(top)
        args = top.parse_args([*map(str, arguments)])
        capsys.readouterr()
        code = int(args.handler(args))
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def put(tmp_path):
    def write(name, p90=0.2 * MS, model="mobilenet_edgetpu_uint8", **more):
        told = {
            "schema": 1, "run_id": "x", "created": "2030-01-01T00:00:00+00:00", "status": "completed", "valid": True,
            "task": "image_classification", "benchmark": "image_classification", "suite": "v4.0",
            "model": {"name": model, "path": "/m", "format": "tflite"},
            "dataset": "imagenet_val", "performance_dataset": None, "backend": "toy",
            "runtime": None, "accelerator": "cpu", "scenario": "single-stream", "mode": "both", "rule_set": "normal",
            "load": {}, "rules": [], "accuracy": None, "placement": None, "system": None, "seeds": {}, "versions": {},
            "performance": {"latency_ns": {"p90": p90}, "throughput": 7000.0, "queries": 9, "samples": 9,
                            "duration_s": 60.0},
            "environment": {}, "error": None, "directory": "/x",
        }  # fmt: skip
        folder = tmp_path / name
        folder.mkdir(parents=True)
        (folder / "result.json").write_text(json.dumps(told | more))
        return folder

    return write


def places(board, *arguments):
    (found,) = json.loads(board(*arguments, "--json")[1])["boards"]
    return found


class TestPublished:
    def test_the_fastest_comes_first(self, board):
        found = places(board, "--benchmark", "image_classification")
        assert [place["place"] for place in found["places"]] == list(range(1, 21))
        values = [place["value"] for place in found["places"]]
        assert values == sorted(values)
        assert (found["places"][0]["soc"], found["places"][0]["published"]) == ("Snapdragon 8 Gen 3", "184322")
        assert found["places"][0]["source"] == "https://github.com/mlcommons/mobile_results_v4.0"

    def test_most_samples_come_first(self, board):
        found = places(board, "--benchmark", "image_classification_offline_v2", "--round", "v5.0")
        assert [place["published"] for place in found["places"]] == ["2024.69", "1992.95", "192.826"]

    def test_a_task(self, board):
        told = json.loads(board("--task", "image_classification", "--json")[1])
        assert [each["benchmark"] for each in told["boards"]] == [
            "image_classification", "image_classification_offline", "image_classification_v2",
            "image_classification_offline_v2",
        ]  # fmt: skip

    def test_all(self, board):
        told = json.loads(board("--json")[1])
        assert sum(len(each["places"]) for each in told["boards"]) == 165

    def test_the_open_division_has_no_place(self, board):
        code, out, _ = board("--benchmark", "object_detection", "--round", "v1.1")
        assert code == 0
        assert "-  779.978 samples/s" in out
        assert "Without a place: the open division" in out

    def test_a_round_without_the_benchmark(self, board):
        assert "no published results" in board("--benchmark", "super_resolution", "--round", "v1.1")[1]

    @pytest.mark.parametrize(
        ("flag", "wrong", "hint"),
        [("task", "image_clasification", "image_classification"), ("benchmark", "mosaic", "known"),
         ("round", "v4.2", "v4.")],
    )  # fmt: skip
    def test_unknown_names(self, board, flag, wrong, hint):
        with pytest.raises(MobileError) as caught:
            board(f"--{flag}", wrong)
        assert caught.value.code == f"unknown-{flag}"
        assert hint in caught.value.hint

    def test_csv(self, board):
        rows = list(csv.DictReader(io.StringIO(board("--csv")[1])))
        assert len(rows) == 165
        assert {row["published"] for row in rows if row["soc"] == "Exynos 2200"} >= {"485898", "3069.83"}

    @pytest.mark.usefixtures("processes")
    def test_it_is_light(self):
        code = (
            "import argparse, sys; from mlperf_mobile_report.commands import leaderboard as c;"
            "p = argparse.ArgumentParser(); c.add(p); a = p.parse_args([]); a.handler(a);"
            "sys.exit(str({'numpy', 'pydantic', 'rich'} & set(sys.modules) or ''))"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr.strip()) in ((0, ""), (1, ""))
        assert "Snapdragon" in done.stdout

    def test_the_suites_run_the_models_of_their_benchmarks(self):
        """Every benchmark of a round, by the suites of the tasks, is the one that its results are of."""
        known = {(b.name, b.scenario) for b in benchmarks()}
        seen = 0
        for file in Path(__file__).parents[1].glob("tasks/*/src/*/suites.yaml"):
            for name, listed in yaml.safe_load(file.read_text())["benchmarks"].items():
                told = listed["settings"]
                if (name, told["scenario"]) in known:
                    assert benchmark_of(told["model"], told["scenario"]).name == name
                    seen += 1
        assert seen >= 9


class TestOwn:
    def test_it_is_among_them(self, board, put):
        found = places(board, "--benchmark", "image_classification", "--with", put("a"))
        assert [place["place"] for place in found["places"]] == list(range(1, 22))
        assert (found["places"][1]["own"], found["places"][1]["name"]) == (True, "A")
        _, out, _ = board("--benchmark", "image_classification", "--with", f"mine={put('b')}")
        line = next(line for line in out.splitlines() if "mine" in line)
        assert line.startswith("2   0.2 ms")
        assert "(own, VALID)" in line

    def test_equal_numbers_share_a_place(self, board, put):
        found = places(board, "--benchmark", "image_classification", "--with", put("a", 184_322))
        assert [place["place"] for place in found["places"][:3]] == [1, 1, 3]

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"functional_only": "a simulator"}, "functional only: a simulator"),
            ({"valid": False}, "INVALID"),
            ({"performance": None}, "no performance run"),
            ({"p90": 0.0}, "it has no score"),
        ],
    )
    def test_no_claim_is_shown_apart(self, board, put, change, words):
        folder = put("a", **change)
        code, out, _ = board("--benchmark", "image_classification", "--with", folder)
        assert code == 0
        (line,) = [line for line in out.splitlines() if line.startswith("not ranked: A")]
        assert words in line
        found = places(board, "--benchmark", "image_classification", "--with", folder)
        assert len(found["places"]) == 20
        assert words in found["apart"][0]["refused"]

    def test_quick_rules_are_marked(self, board, put):
        _, out, _ = board("--benchmark", "image_classification", "--with", put("a", rule_set="quick"))
        assert "(own, VALID, quick rules)" in out

    def test_another_model_is_on_no_board(self, board, put):
        code, out, err = board("--task", "image_classification", "--with", put("a", model="fashion_mobilenet_int8"))
        assert code == 0
        assert "own" not in out
        assert "A ran fashion_mobilenet_int8, single-stream: there are no official results of that model" in err

    def test_another_benchmark_than_requested(self, board, put):
        _, _, err = board("--benchmark", "super_resolution", "--with", put("a"))
        assert "A is image_classification, single-stream: not among super_resolution" in err

    def test_the_task_may_be_called_otherwise(self, board, put):
        """The quickstart's names are the tasks', the rounds have their own; the model decides."""
        folder = put("a", 3 * MS, model="mobilebert_int8", benchmark="question_answering")
        found = places(board, "--benchmark", "natural_language_processing", "--round", "v5.0", "--with", folder)
        assert [place["name"] for place in found["places"] if place["own"]] == ["A"]

    def test_official_results_are_there_already(self, board):
        with pytest.raises(MobileError) as caught:
            board("--with", "official:v4.0/SD8G3")
        assert caught.value.code == "bad-value"

    def test_nothing_there(self, board, tmp_path):
        with pytest.raises(MobileError) as caught:
            board("--with", tmp_path / "absent")
        assert caught.value.code == "no-result"

    def test_csv_has_those_apart(self, board, put):
        _, out, _ = board("--benchmark", "image_classification", "--csv", "--with", put("a", valid=False))
        (row,) = [row for row in csv.DictReader(io.StringIO(out)) if row["own"] == "True"]
        assert (row["place"], row["state"]) == ("", "INVALID")


class TestLanguageModels:
    """Nothing is published of them: own results are ranked among each other."""

    @pytest.fixture
    def spoken(self, put):
        def write(name, value, kind=RATE, times=True, benchmark="llm", model="tiny", scenario="single-stream", **more):
            ns = {"p50": value * 1e5, "p90": value * 2e5, "p99": value * 3e5, "mean": value * 1e5}
            tokens = {"ttft_ns": ns, "tpot_ns": ns} if times else {"times_undefined": "all at once"}
            label, unit, higher = kind
            timed = {
                "latency_ns": {"p90": MS}, "throughput": 3.0, "queries": 9, "samples": 9, "duration_s": 3.0,
                "score": {"name": label, "value": value, "unit": unit, "higher_is_better": higher, "percentile": None},
                "tokens": tokens | {"generated": {"mean": 12.5}},
            }  # fmt: skip
            return put(
                name, model=model, task="choice", benchmark=benchmark, scenario=scenario, performance=timed,
                **({"suite": None} | more),
            )  # fmt: skip

        return write

    def own(self, board, folder, *more):
        out = json.loads(board("--with", folder, "--benchmark", "llm", "--json", *more)[1])
        return out["boards"], out["warnings"]

    def test_the_direction_is_that_of_their_score(self, board, spoken, tmp_path):
        for name, value in (("a", 20.0), ("b", 30.0), ("c", 30.0), ("d", 25.0)):
            spoken(f"up/{name}", value)
            spoken(f"down/{name}", value, kind=("time per token", "ns", False))
        (found,), _ = self.own(board, tmp_path / "up")
        assert [(each["place"], each["value"]) for each in found["places"]] == [(1, 30), (1, 30), (3, 25), (4, 20)]
        assert (found["unit"], found["score"], found["model"]) == ("tokens/s", "decode rate", "tiny")
        (found,), _ = self.own(board, tmp_path / "down")
        assert [(each["place"], each["value"]) for each in found["places"]] == [(1, 20), (2, 25), (3, 30), (3, 30)]

    def test_both_times_are_beside_it(self, board, spoken, tmp_path):
        spoken("all/a", 20.0)
        _, out, _ = board("--with", tmp_path / "all", "--benchmark", "llm")
        head, row = out.splitlines()[1:3]
        assert head.split()[:3] == ["VALUE", "TTFT", "P50"]
        assert row.split()[:8] == ["1", "20", "tokens/s", "2", "4", "2", "4", "12.5"]
        (record,) = csv.DictReader(io.StringIO(board("--with", tmp_path / "all", "--benchmark", "llm", "--csv")[1]))
        assert (float(record["ttft_p99_ns"]), float(record["tpot_mean_ns"])) == (6e6, 2e6)

    def test_undefined_times_are_said_to_be(self, board, spoken, tmp_path):
        spoken("all/a", 7.0, kind=("throughput", "samples/s", True), times=False, scenario="offline")
        _, out, _ = board("--with", tmp_path / "all", "--benchmark", "llm")
        assert out.count("not defined") == 4
        (found,), _ = self.own(board, tmp_path / "all")
        assert found["places"][0]["times_undefined"] == "all at once"
        assert found["places"][0]["ttft_p50_ns"] is None

    def test_models_and_suites_have_their_own_boards(self, board, spoken, tmp_path):
        """In a suite, a benchmark's models compete; elsewhere, each only with itself."""
        for name, model, suite in (("a", "tiny", None), ("b", "huge", None), ("c", "int8", "v9"), ("d", "int4", "v9")):
            spoken(f"all/{name}", 20.0, model=model, suite=suite)
        found, _ = self.own(board, tmp_path / "all")
        assert sorted((each["model"], len(each["places"])) for each in found) == [
            ("huge", 1), ("int8, int4", 2), ("tiny", 1),
        ]  # fmt: skip
        (found,), _ = self.own(board, tmp_path / "all", "--round", "v9")
        assert len(found["places"]) == 2

    def test_others_are_apart(self, board, spoken, tmp_path):
        spoken("all/a", 20.0)
        spoken("all/b", 9e9, valid=False)
        spoken("all/c", 5.0, kind=("time per token", "ns", False))
        (found,), _ = self.own(board, tmp_path / "all")
        assert [each["value"] for each in found["places"]] == [20]
        whys = [each["refused"] for each in found["apart"]]
        assert any("INVALID" in why for why in whys)
        assert any("other results report the decode rate" in why for why in whys)

    def test_nothing_to_rank_is_said(self, board, spoken, tmp_path):
        spoken("all/b", 9.0, valid=False)
        found, warnings = self.own(board, tmp_path / "all")
        assert not found
        assert any("not ranked, INVALID" in text for text in warnings)

    def test_other_names_are_unknown(self, board, spoken, tmp_path):
        spoken("all/a", 20.0)
        with pytest.raises(MobileError, match="lml"):
            board("--with", tmp_path / "all", "--benchmark", "lml")
