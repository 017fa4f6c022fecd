"""Several runs as one: their order, the rest between them, going on after an interruption, repeating, audits."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import ANY

import pytest

from mlperf_mobile.cli import run

QUICK = ("--backend", "toy", "--set", "warmup_s=0.05", "--quiet")
RATE = ("--set", "sleep_s=0.002", "--set", "min_duration_s=0.2")
TASKS = """
    from mlperf_mobile.plugin import DatasetInfo, Ref, SuitesInfo, TaskInfo, hookimpl

    @hookimpl
    def mlperf_mobile_tasks():
        yield TaskInfo(
            name="twin", summary="the same once more", task=Ref("toy_parts:Product"), settings="twin_parts:task.yaml",
            options=Ref("toy_parts:TaskOptions"), hook_api=(2, 0),
        )

    @hookimpl
    def mlperf_mobile_datasets():
        yield DatasetInfo(
            name="numbers", summary="vectors", dataset=Ref("toy_parts:Vectors"), tasks=("twin",), needs_path=False,
            options=Ref("toy_parts:DatasetOptions"), hook_api=(2, 0),
        )

    @hookimpl
    def mlperf_mobile_suites():
        yield SuitesInfo(settings="twin_parts:suites.yaml", hook_api=(2, 0))
"""
FILES = {
    "twin_parts/__init__.py": "",
    "twin_parts/net.toy": '{"factor": 2}',
    "twin_parts/task.yaml": """
        dataset: numbers
        model: net
        models: {net: {file: net.toy, format: toy}}
        """,
    "twin_parts/suites.yaml": """
        suites:
          r1:
            summary: made up for tests
            settings:
              seeds: {qsl: 1, sample_index: 2, schedule: 3}
              runs: {single-stream: {normal: {min_query_count: 70, min_duration_s: 0.2, max_duration_s: 60}}}
        benchmarks:
          twin:
            task: twin
            suites: [r1]
            settings:
              model: net
              dataset: numbers
              scenario: single-stream
              quality: {metric: exact, reference: 1.0, ratio: 0.9}
        """,
}


@pytest.fixture
def twin(write_plugin):
    return write_plugin("twin", TASKS, files=FILES)


def campaigns(command):
    return [json.loads(path.read_text()) for path in sorted(command.results.glob("*.session.json"))]


def results(told):
    return [(result["benchmark"], result["mode"]) for result in told["results"]]


class TestSubmission:
    def test_all_performance_then_all_accuracy(self, command, twin):
        told, done = command.json(
            "run", "product", "twin", "--mode", "submission", "--set", "cooldown_s=0", *QUICK, *RATE
        )
        assert done.returncode == 0, done.stderr
        assert results(told) == [
            ("product", "performance"), ("twin", "performance"), ("product", "accuracy"), ("twin", "accuracy"),
        ]  # fmt: skip
        (campaign,) = campaigns(command)
        assert [step["state"] for step in campaign["steps"]] == ["done"] * 4
        parts = [result["session"] for result in told["results"]]
        assert {part["id"] for part in parts} == {campaign["id"]}
        assert [part["position"] for part in parts] == [1, 2, 3, 4]
        assert not any(part["resumed"] for part in parts)
        for result in told["results"]:
            assert (result["performance"] is None) == (result["mode"] == "accuracy")

    def test_the_device_rests_between_performance_runs(self, command, twin):
        started = time.monotonic()
        told, _ = command.json("run", "product", "twin", "--mode", "submission", "--set", "cooldown_s=2", *QUICK, *RATE)
        assert [result["session"]["cooldown_s"] for result in told["results"]] == [
            None, ANY, None, None,
        ]  # fmt: skip
        assert 2 <= told["results"][1]["session"]["cooldown_s"] <= time.monotonic() - started

    def test_five_minutes_by_default(self, command, twin):
        done = command("run", "product", "twin", "--mode", "submission", "--dry-run")
        assert "4 runs, at least" in done.stdout
        assert "300 s of cool-down between performance runs" in done.stdout

    def test_what_makes_a_run_of_a_round_submittable(self, command, twin):
        """By the book it is; and each way of leaving the book is named."""
        told, done = command.json("run", "--suite", "r1", "--mode", "submission", *QUICK, "--set", "sleep_s=0.002")
        assert done.returncode == 0, done.stderr
        assert [result["submittable"] for result in told["results"]] == [True, True]
        alone, _ = command.json("run", "--suite", "r1", *QUICK, "--set", "sleep_s=0.002")
        (result,) = alone["results"]
        assert (result["valid"], result["submittable"]) == (True, False)
        assert [rule["name"] for rule in result["rules"] if not rule["ok"]] == ["one-session"]

    @pytest.mark.sampled(2)
    @pytest.mark.parametrize(
        ("setting", "rule"),
        [
            ("seeds.qsl=9", "seeds-of-the-round"),
            ("percentile=0.85", "percentile"),
            ("min_query_count=65", "counts-of-the-round"),
            ("min_duration_s=0.1", "duration-of-the-round"),
            ("strict_placement=true", None),
            ("performance_dataset=numbers", None),
        ],
    )
    def test_ways_of_leaving_the_book(self, command, twin, setting, rule):
        told, _ = command.json(
            "run", "--suite", "r1", "--mode", "submission", *QUICK, "--set", "sleep_s=0.002", "--set", setting
        )
        result = told["results"][0]
        assert result["valid"], result["rules"]
        assert result["submittable"] is (rule is None)
        assert {each["name"] for each in result["rules"] if not each["ok"]} == ({rule} if rule else set())
        assert all(each["scope"] == "submission" for each in result["rules"] if not each["ok"])
        shown = command("show", result["directory"]).stdout
        assert ("not submittable" in shown) is (rule is not None)

    def test_outside_of_rounds_it_is_not_required(self, command):
        told, _ = command.json("run", "product", *QUICK, *RATE)
        assert told["results"][0]["submittable"] is None


class TestResume:
    def interrupted(self, command, twin):
        """A submission of two tasks, stopped in the second performance run."""
        process = command.start(
            "--mode", "submission", "--set", "sleep_s=0.005", "--set", "cooldown_s=0", "--set", "min_duration_s=1.5",
            tasks=("product", "twin"),
        )  # fmt: skip
        end = time.monotonic() + 60
        while time.monotonic() < end:
            found = campaigns(command)
            if found and found[0]["steps"][0]["state"] == "done" and list(command.results.glob(".*twin*.partial")):
                break
            time.sleep(0.02)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=200)
        return err

    def test_it_goes_on_where_it_stopped(self, command, twin):
        err = self.interrupted(command, twin)
        (campaign,) = campaigns(command)
        assert [step["state"] for step in campaign["steps"]] == ["done", "interrupted", "pending", "pending"]
        file = next(command.results.glob("*.session.json"))
        assert f"3 of 4 runs are pending: mlperf-mobile run --resume {file}" in err
        told, done = command.json("run", "--resume", file, "--quiet")
        assert done.returncode == 0, done.stderr
        assert results(told) == [("twin", "performance"), ("product", "accuracy"), ("twin", "accuracy")]
        assert all(result["session"]["resumed"] for result in told["results"])
        (campaign,) = campaigns(command)
        assert (campaign["interruptions"], {step["state"] for step in campaign["steps"]}) == (1, {"done"})
        again = command("run", "--resume", file, "--quiet")
        assert "all runs are done" in again.stderr

    def test_a_resumed_run_is_no_submission(self, command, twin):
        told, _ = command.json("run", "--suite", "r1", "--mode", "submission", *QUICK, "--set", "sleep_s=0.002")
        file = next(command.results.glob("*.session.json"))
        campaign = json.loads(file.read_text())
        campaign["steps"][1] |= {"state": "interrupted", "result": None}
        file.write_text(json.dumps(campaign))
        told, _ = command.json("run", "--resume", file, "--quiet")
        (result,) = told["results"]
        assert (result["valid"], result["submittable"]) == (True, False)
        assert "one-session: submission, resumed of submission" in command(
            "show", result["directory"], "--json"
        ).stdout or any(rule["observed"] == "submission, resumed" for rule in result["rules"])

    @pytest.mark.parametrize(
        ("text", "code"),
        [(None, "no-session"), ("", "session-damaged"), ("{}", "session-damaged"), ("\0", "session-damaged")],
    )
    def test_files_that_are_no_campaign(self, command, text, code):
        path = command.folder / "x.session.json"
        if text is not None:
            path.write_text(text)
        done = command("run", "--resume", path)
        assert done.returncode == 6
        assert f"error[{code}]" in done.stderr
        assert "Traceback" not in done.stderr

    def test_nothing_else_can_be_requested(self, command):
        assert command("run", "product", "--resume", "x").returncode == 2


class TestRepeat:
    def test_the_spread_is_reported(self, command):
        told, done = command.json("run", "product", "--repeat", "3", "--mode", "performance", *QUICK, *RATE)
        assert len(told["results"]) == 3
        assert len({result["run_id"] for result in told["results"]}) == 3
        (again,) = told["repeated"]
        latencies = [result["performance"]["latency_ns"]["target_percentile"] for result in told["results"]]
        assert (again["scores"], again["unit"]) == (latencies, "ns")
        scores = [1 / latency for latency in latencies]
        rules = {rule["name"]: rule for rule in again["rules"]}
        assert rules["all-runs-count"]["ok"]
        middle = sorted(scores)[1]
        spread = max(abs(score - middle) for score in scores) / middle
        assert rules["within-5-percent"]["observed"] == pytest.approx(spread)
        assert rules["within-5-percent"]["ok"] == (spread <= 0.05)
        assert done.returncode == (0 if spread <= 0.05 else 1)

    def test_as_text(self, command):
        done = command("run", "product", "--repeat", "2", "--mode", "performance", *QUICK, *RATE)
        assert "product · single-stream · 2 runs" in done.stdout
        assert "within-5-percent" in done.stdout

    @pytest.mark.parametrize("times", ["0", "-1", "101"])
    def test_wrong_numbers(self, command, times):
        assert command("run", "product", "--repeat", times).returncode == 2


class TestAudit:
    def result(self, command):
        told, _ = command.json("run", "product", *QUICK, *RATE)
        return told["results"][0]

    def audit(self, command, folder, *arguments, **more):
        told, done = command.json("audit", folder, "--quiet", "--cooldown-s", "0", *arguments, **more)
        return told["audit"], done

    def test_a_claim_that_holds(self, command):
        result = self.result(command)
        audit, done = self.audit(command, result["directory"], env={"TOY_SLOWNESS": "0.1"})
        assert done.returncode == 0
        assert audit["claim"] == result["performance"]["latency_ns"]["target_percentile"]
        assert (audit["unit"], audit["score"]) == ("ns", "90th percentile latency")
        assert audit["rule"]["ok"]
        holds = [each["valid"] and each["score"] <= audit["rule"]["required"] for each in audit["tries"]]
        assert holds == [*[False] * (len(holds) - 1), True]  # a busy machine may need a second try
        assert Path(audit["tries"][-1]["directory"]).is_dir()

    def test_a_claim_that_does_not(self, command):
        """A tenth as fast as claimed, in all of its tries: a busy machine slows a claim down as well."""
        result = self.result(command)
        audit, done = self.audit(command, result["directory"], "--tries", "2", env={"TOY_SLOWNESS": "10"})
        assert done.returncode == 1
        assert len(audit["tries"]) == 2
        assert audit["rule"]["observed"] > 1.25 * audit["claim"]
        assert audit["rule"]["required"] == pytest.approx(audit["claim"] / 0.95)

    def test_an_edited_claim(self, command):
        path = Path(self.result(command)["directory"], "result.json")
        content = json.loads(path.read_text())
        content["performance"]["throughput"] *= 2
        path.write_text(json.dumps(content))
        done = command("audit", path.parent, "--tries", "1", "--cooldown-s", "0", env={"TOY_SLOWNESS": "0.1"})
        assert "it does not match its folder: performance.throughput is" in done.stderr
        assert done.returncode == 0

    def test_nothing_to_audit(self, command):
        told, _ = command.json("run", "product", "--mode", "accuracy", *QUICK)
        done = command("audit", told["results"][0]["directory"])
        assert done.returncode == 2
        assert "error[no-claim]" in done.stderr

    @pytest.mark.parametrize("arguments", [("--tries", "0"), ("--tries", "6"), ("--cooldown-s", "-1")])
    def test_wrong_numbers(self, command, arguments):
        assert command("audit", ".", *arguments).returncode == 2


def test_the_command_that_resumes_can_be_pasted(tmp_path, monkeypatch, capsys):
    file = tmp_path / "my results.session.json"
    file.touch()
    monkeypatch.setattr(run, "_recover", lambda *given: None)
    monkeypatch.setattr("mlperf_mobile.campaigns.start.measured", lambda *given: iter(()))
    campaign = SimpleNamespace(output=tmp_path, steps=[1, 2], pending=[2], path=file)
    assert list(run._run(SimpleNamespace(quiet=True, json=True), campaign)) == []
    assert f"1 of 2 runs are pending: mlperf-mobile run --resume '{file}'\n" in capsys.readouterr().err
