"""Runs in server and multi-stream from the command line: card, tables, checks, refusals, and an interrupted search."""

from __future__ import annotations

import csv
import io
import json
import signal
import time
from array import array

import pytest

SERVER = ("--mode", "performance", "--scenario", "server", "--rules", "rapid")


def run(command, *arguments):
    return command.run(*SERVER, "--set", "target_latency_ms=5000.0", *arguments)


def test_one_rate(command):
    """Target and achieved rate, arrivals beside latencies, and what the checks and tables say."""
    result, done = run(command, "--set", "target_qps=500.0")
    assert done.returncode == 0, done.stderr
    timed = result["performance"]
    rate = timed["rate"]
    assert (rate["target"], rate["latency_bound_ns"], rate["percentile"]) == (500.0, 5_000_000_000, 0.99)
    assert timed["score"]["value"] == rate["scheduled"]
    assert "search" not in timed
    folder = command.results / result["run_id"]
    arrivals, latencies = (array("q", (folder / f"{name}.bin").read_bytes()) for name in ("arrivals", "latencies"))
    assert len(arrivals) == len(latencies) == timed["samples"] >= 662
    assert min(arrivals) == 0
    assert max(map(sum, zip(arrivals, latencies, strict=True))) / 1e9 == pytest.approx(timed["duration_s"])
    assert (len(arrivals) - 1) / max(arrivals) * 1e9 == pytest.approx(rate["scheduled"], rel=1e-4)

    shown = command("show", folder).stdout
    assert "target 500, scheduled" in shown
    assert "over 5000 ms, at most 1 % may be" in shown
    (row,) = csv.DictReader(io.StringIO(command("report", folder, "--csv").stdout))
    assert (float(row["target_rate"]), row["over_bound"]) == (500.0, str(rate["over_bound"]))
    checked = command("check", folder)
    assert checked.returncode == 0, checked.stdout
    assert "scenario server is not one of MLPerf Mobile's" in checked.stdout

    stored = json.loads((folder / "result.json").read_text())
    stored["performance"]["rate"]["completed"] *= 2
    (folder / "result.json").write_text(json.dumps(stored))
    checked = command("check", folder)
    assert checked.returncode != 0
    assert "performance.rate.completed" in checked.stdout


def test_multi_stream(command):
    result, done = command.run("--mode", "performance", "--scenario", "multi-stream", "--rules", "rapid")
    assert done.returncode == 0, done.stderr
    timed = result["performance"]
    assert timed["samples"] == 8 * timed["queries"]
    assert timed["queries"] >= 662
    assert timed["latency_ns"]["query_p99"] <= timed["score"]["value"] <= timed["latency_ns"]["query_max"]
    folder = command.results / result["run_id"]
    assert "per query (ms)" in command("show", folder).stdout
    checked = command("check", folder)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize(
    ("setting", "code", "words"),
    [
        ("target_qps=0", "bad-value", "target_qps"),
        ("target_qps=-5.0", "bad-value", "target_qps"),
        ("target_qps=.nan", "bad-value", "target_qps"),
        ("target_qps=.inf", "bad-value", "target_qps"),
        ("target_qps=1e300", "bad-value", "target_qps"),
        ("target_latency_ms=0", "bad-value", "target_latency_ms"),
        ("max_wait_us=-1.0", "bad-value", "max_wait_us"),
        ("max_batch=9", "bad-options", "max_batch is 9, but the model is loaded for a batch of 1"),
    ],
)
def test_what_cannot_be_measured_is_refused(command, setting, code, words):
    began = time.monotonic()
    done = command("run", "product", "--backend", "toy", *SERVER, "--set", setting)
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert words in done.stdout + done.stderr
    assert code in done.stdout + done.stderr
    assert time.monotonic() - began < 200  # LoadGen would take 300 s for a rate of 0


def test_a_search_that_is_interrupted(command):
    """Nothing counts, and the steps so far are in a file."""
    process = command.start(*SERVER, "--set", "search_step_s=0.5", "--set", "target_latency_ms=5000.0")
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline:
        steps = [path for path in command.results.glob(".*.partial/performance/search.jsonl") if path.stat().st_size]
        if steps:
            break
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=200)
    (result,) = json.loads(out)["results"]
    assert (process.returncode, result["status"], result["valid"]) == (130, "interrupted", False)
    assert result["performance"] is None
    lines = (command.results / result["run_id"] / "performance" / "search.jsonl").read_text().splitlines()
    assert all("target" in json.loads(line) for line in lines)
    assert lines
