"""A run whose backend gives wrong outputs fails, names the backend, and keeps what was measured."""

from __future__ import annotations

from pathlib import Path

import pytest

QUERIES = 150
LOAD = ("--set", "warmup_s=0", "--set", f"min_query_count={QUERIES}", "--set", "min_duration_s=0")


@pytest.mark.parametrize(
    ("spoils", "code", "told"),
    [
        ("nan", "wrong-outputs", "backend toy: output x has NaN in 4 of 4 numbers"),
        ("shape", "wrong-outputs", "backend toy: output x is float32[4], not an array of float32[1,4]"),
        ("previous", "outputs-changed", "backend toy: the outputs for sample "),
    ],
)
def test_in_the_timed_run(command, spoils, code, told):
    """The toy is right as long as it warms up, in which it answers 10 queries of 5 ms at most."""
    spoiled = ("--set", f"spoils={spoils}", "--set", "after=50", "--set", "sleep_s=0.005")
    result, done = command.run("--mode", "performance", *LOAD, *spoiled)
    assert (done.returncode, result["status"], result["valid"]) == (5, "failed", False)
    assert result["error"]["code"] == code
    assert result["error"]["summary"].startswith(told)
    assert "after the timed run" in result["error"]["summary"]
    assert (result["performance"]["queries"], result["repeated"]) == (QUERIES, None)
    assert [rule["name"] for rule in result["rules"] if not rule["ok"]] == ["completed"]
    assert len((Path(result["directory"]) / "latencies.bin").read_bytes()) == 8 * QUERIES


def test_at_the_first_call(command):
    result, done = command.run("--scenario", "offline", "--set", "batch=4", "--set", "spoils=nan", "--set", "after=0")
    assert (done.returncode, result["error"]["code"], result["performance"]) == (5, "wrong-outputs", None)
    assert "(session " in result["error"]["summary"]
    assert "of 2 on cpu, at the first call)" in result["error"]["summary"]


def test_in_the_accuracy_run(command):
    """Sample by sample, to the last one."""
    result, done = command.run("--mode", "accuracy", "--set", "spoils=nan", "--set", "after=99", "--set", "shards=1")
    assert (done.returncode, result["error"]["code"], result["accuracy"]) == (5, "wrong-outputs", None)
    assert "in the accuracy run" in result["error"]["summary"]


def test_what_was_repeated_stands_in_the_result(command):
    """One query at a time: the first and the last."""
    result, done = command.run("--mode", "performance", *LOAD)
    assert (done.returncode, result["valid"]) == (0, True)
    assert result["repeated"] == {"responses": 2, "variation": 0.0}
