"""Whenever a launcher is killed or its disk fills up, its campaign can be resumed, and nothing measured is lost."""

from __future__ import annotations

import importlib.util
import json
import signal
from pathlib import Path

import pytest

from mlperf_mobile.campaigns import run as campaign_run

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "kill_points.py"


@pytest.fixture(scope="module")
def kill_points():
    spec = importlib.util.spec_from_file_location("kill_points", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(__import__("sys").modules, "kill_points", module)
        spec.loader.exec_module(module)
        yield module


@pytest.mark.usefixtures("processes")
@pytest.mark.parametrize("fault", ["kill", "full"])
def test_at_some_of_all_points(kill_points, fault):
    """``benchmarks/kill_points.py`` tries every one of them."""
    tally = kill_points.try_all(fault, every=31, offset=3)
    assert tally.lost == []
    assert tally.points >= 4
    assert tally.measurements >= tally.points


@pytest.mark.usefixtures("processes")
def test_a_loss_would_be_seen(kill_points, monkeypatch):
    """A campaign that does not look for what was cut short measures it twice, or leaves it behind."""
    monkeypatch.setattr(kill_points.command, "_recover", lambda args, output: None)
    monkeypatch.setattr("mlperf_mobile.campaigns.settle.settle", lambda campaign: [])
    monkeypatch.setattr(campaign_run, "settle", lambda campaign: [])
    assert kill_points.try_all("kill", every=40, offset=30).lost


@pytest.mark.sampled(2)
@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP])
def test_a_campaign_whose_command_ends_in_the_timed_run(command, number):
    """The numbers up to then stay, as a result of their own, and the campaign is carried out to its end."""
    process = command.start(
        "--repeat", "2", "--mode", "performance", "--set", "sleep_s=0.002", "--set", "min_query_count=64",
        "--set", "min_duration_s=2", "--set", "warmup_s=0", "--output", command.results,
    )  # fmt: skip
    command.until(lambda told: any(e["event"] == "progress" and e["phase"] == "performance" for e in told), process)
    process.send_signal(number)
    process.communicate(timeout=200)
    (campaign,) = command.results.glob("*.session.json")
    for _ in range(2):
        told, done = command.json("run", "--resume", campaign, "--quiet")
        assert "Traceback" not in done.stderr
    assert "all runs are done" in done.stderr
    steps = json.loads(campaign.read_text())["steps"]
    assert [step["state"] for step in steps] == ["done", "done"]
    assert not [name for name in command.leftovers() if name.startswith(".")]
    results = [json.loads(path.read_text()) for path in command.results.glob("*/result.json")]
    assert {result["run_id"] for result in results} > {step["result"] for step in steps}
    (cut,) = [result for result in results if result["status"] == "interrupted"]
    assert cut["error"]["code"] == ("launcher-died" if number == signal.SIGKILL else "interrupted")
    saved = (Path(cut["directory"]) / "latencies.bin").stat().st_size // 8
    assert cut["performance"]["samples"] == saved > 0
    assert len(told["repeated"][0]["scores"]) == 2


def test_a_live_run_is_left_alone(command):
    """Neither another run in the same place nor ``recover`` takes it, and a campaign is carried out once at a time."""
    process = command.start(
        "--repeat", "2", "--mode", "performance", "--set", "sleep_s=0.002", "--set", "min_duration_s=60",
    )  # fmt: skip
    command.until(lambda told: any(e["event"] == "progress" and e["phase"] == "performance" for e in told), process)
    (hidden,) = command.results.glob(".*.partial")
    (campaign,) = command.results.glob("*.session.json")
    try:
        done = command("recover", hidden)
        assert (done.returncode, "error[run-alive]" in done.stderr) == (6, True)
        done = command("recover", command.results)
        assert (done.returncode, done.stdout) == (0, "nothing to recover\n")
        done = command("run", "--resume", campaign)
        assert (done.returncode, "error[session-busy]" in done.stderr) == (6, True)
        assert process.poll() is None
        assert hidden.is_dir()
    finally:
        process.kill()
        process.communicate()
    told, done = command.json("recover", command.results)
    assert (done.returncode, [result["error"]["code"] for result in told["results"]]) == (0, ["launcher-died"])
    again, done = command.json("recover", hidden)
    assert (done.returncode, again["results"]) == (0, told["results"])


def test_nothing_to_recover(command):
    done = command("recover", command.folder / "nowhere")
    assert (done.returncode, "error[no-result]" in done.stderr) == (6, True)
