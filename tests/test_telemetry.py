"""Telemetry of whole runs of the stand-in task, and the scenario that is long enough for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

FAST = ("--mode", "performance", "--set", "telemetry_interval_s=0.05", "--set", "sleep_s=0.001")


def rows(result):
    """What was recorded, read without the code under test."""
    head, *lines = (Path(result["directory"]) / "telemetry.jsonl").read_text().splitlines()
    return json.loads(head), [json.loads(line) for line in lines]


def test_it_is_recorded(command):
    """Rows through the timed run, and a summary of them in the result."""
    result, done = command.run(*FAST, "--set", "min_duration_s=0.5")
    head, recorded = rows(result)
    assert (done.returncode, head["interval_s"]) == (0, 0.05)
    assert 8 <= len(recorded) <= 40
    assert (recorded[0]["samples"], recorded[-1]["samples"]) == (0, result["performance"]["samples"])
    told = result["telemetry"]
    assert told["interval_s"] == 0.05
    assert told["duration_s"] >= 0.4
    memory = told["series"]["memory.process_bytes"]
    assert 0 < memory["min"] <= memory["mean"] <= memory["max"] < result["environment"]["memory.total_bytes"]
    assert told["series"]["switches.voluntary_count"]["last"] >= result["performance"]["samples"]  # it sleeps in each
    assert told.get("trouble") is None


def test_it_can_be_left_out(command):
    result, done = command.run(*FAST, "--set", "telemetry_interval_s=0")
    assert (done.returncode, result["valid"], result["telemetry"]) == (0, True, None)
    assert not (Path(result["directory"]) / "telemetry.jsonl").exists()


def test_accuracy_alone_has_no_telemetry(command):
    result, _ = command.run("--mode", "accuracy")
    assert result["telemetry"] is None


@pytest.mark.parametrize("bad", ["-1", "nan", "often"])
def test_invalid_intervals(command, bad):
    done = command("run", "product", "--backend", "toy", "--set", f"telemetry_interval_s={bad}")
    assert done.returncode == 2
    assert "telemetry_interval_s" in done.stderr


def test_a_run_that_is_killed_keeps_its_rows(command):
    process = command.start(*FAST, "--set", "min_duration_s=30")
    command.until(lambda told: any(e.get("phase") == "performance" and e["done"] > 300 for e in told), process)
    process.terminate()
    process.communicate(timeout=200)
    (kept,) = command.results.glob("**/telemetry.jsonl")
    assert len(kept.read_text().splitlines()) > 3


def test_energy_of_a_plugin(command, write_plugin):
    """Its counter says 0.002 J for each inference, and counts what came before the clock started."""
    plugin = """
        from mlperf_mobile.plugin import BackendInfo, Ref, hookimpl

        @hookimpl
        def mlperf_mobile_backends():
            yield BackendInfo(name="metered", summary="", vendor="", backend=Ref("metered_parts:B"),
                              model_formats=("toy",), options=Ref("toy_parts:BackendOptions"), hook_api=(2, 0))
    """
    parts = """
        import time
        from toy_parts import ToyBackend, ToySession

        class S(ToySession):
            energy_includes = "nothing real: a stand-in"

            def run(self, inputs):
                time.sleep(0.002)
                return super().run(inputs)

            def energy_joules(self):
                return 5.0 + 0.002 * ToySession.calls

        class B(ToyBackend):
            def load(self, artifact):
                return S(super().load(artifact)._factor, artifact.accelerator, self._options)
    """
    write_plugin("metered", plugin, files={"metered_parts.py": parts})
    result, done = command.run(
        "--backend", "metered", "--mode", "performance", "--set", "telemetry_interval_s=0.05",
        "--set", "min_duration_s=0.5",
    )  # fmt: skip
    assert done.returncode == 0
    energy = result["telemetry"]["energy"][0]
    assert (energy["source"], energy["includes"]) == ("plugin cpu", "nothing real: a stand-in")
    one = 0.002  # which may be under way at each end
    assert energy["joules"] == pytest.approx(one * energy["inferences"], abs=2.001 * one)
    assert energy["joules_per_inference"] == pytest.approx(energy["joules"] / energy["inferences"])
    assert energy["watts"] == pytest.approx(energy["joules"] / energy["seconds"])
    assert 0 < energy["seconds"] <= result["performance"]["duration_s"]


def test_sustained(command):
    """Both ends are in the result, as tenths of a short run."""
    result, done = command.run("--scenario", "sustained", *FAST, "--set", "min_duration_s=1")
    latency = result["performance"]["latency_ns"]
    assert (done.returncode, result["valid"]) == (0, True)
    for end in ("first", "last"):
        assert 1e6 <= latency[f"{end}_tenth_p50"] <= latency[f"{end}_tenth_p90"] <= latency["max"]
    plan = json.loads((Path(result["directory"]) / "plan.json").read_text())
    assert plan["scenario"] == "sustained"


def test_sustained_that_becomes_slower(command, write_plugin):
    """From its 200th call on, the stand-in takes ten times as long."""
    plugin = """
        from mlperf_mobile.plugin import BackendInfo, Ref, hookimpl

        @hookimpl
        def mlperf_mobile_backends():
            yield BackendInfo(name="tired", summary="", vendor="", backend=Ref("tired_parts:B"),
                              model_formats=("toy",), options=Ref("toy_parts:BackendOptions"), hook_api=(2, 0))
    """
    parts = """
        import time
        from toy_parts import ToyBackend, ToySession

        def run(self, inputs, before=ToySession.run):
            time.sleep(0.002 if ToySession.calls < 200 else 0.02)
            return before(self, inputs)

        class B(ToyBackend):
            pass

        ToySession.run = run
    """
    write_plugin("tired", plugin, files={"tired_parts.py": parts})
    result, _ = command.run(
        "--backend", "tired", "--scenario", "sustained", "--mode", "performance", "--set", "min_duration_s=2"
    )
    latency = result["performance"]["latency_ns"]
    assert latency["last_tenth_p50"] >= 20e6
    assert latency["first_tenth_p50"] < latency["last_tenth_p50"] / 2


@pytest.mark.parametrize(("rules", "seconds"), [("normal", 600), ("quick", 60), ("rapid", 20)])
def test_how_long_sustained_is(inside, rules, seconds):
    done = inside(
        "run", "product", "--backend", "toy", "--scenario", "sustained", "--rules", rules, "--dry-run", "--json"
    )
    (plan,) = json.loads(done.stdout)["plans"]
    assert plan["load"]["min_duration_s"] == seconds


def test_what_an_interrupted_run_did_is_summed_up(command):
    process = command.start(*FAST, "--set", "min_duration_s=30")
    command.until(lambda told: any(e.get("phase") == "performance" and e["done"] > 300 for e in told), process)
    process.terminate()
    out, _ = process.communicate(timeout=200)
    (result,) = json.loads(out)["results"]
    assert result["status"] == "interrupted"
    _, recorded = rows(result)
    assert 3 < result["telemetry"]["rows"] <= len(recorded)
    assert result["telemetry"]["series"]["memory.process_bytes"]["max"] > 10**6


def test_what_is_shown_of_it(command):
    """A result is shown with its heat, throttling and energy, the interval of its percentile, and advice."""
    result, _ = command.run(*FAST, "--set", "min_duration_s=0.5", "--scenario", "sustained")
    path = Path(result["directory"]) / "result.json"
    told = json.loads(path.read_text())
    told["telemetry"] |= {
        "temperature": {"sensor": "cpu", "first_celsius": 31.04, "max_celsius": 70.0, "last_celsius": 66.5},
        "throttled": True, "evidence": ["cooling-device: state 0 to 3"],
        "energy": [{"source": "battery", "includes": "the whole device", "watts": 4.0, "joules_per_inference": 0.0125}],
    }  # fmt: skip
    path.write_text(json.dumps(told))
    shown = " ".join(command("show", path, env={"COLUMNS": "300"}).stdout.split())
    for text in (
        "cpu: first 31.0 °C max 70.0 °C last 66.5 °C", "THROTTLED cooling-device: state 0 to 3",
        "12.5 mJ per inference, 4 W by battery (the whole device)", "p90 95 % (ms)", "in the first tenth",
    ):  # fmt: skip
        assert text in shown
