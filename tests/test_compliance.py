"""Compliance tests let an honest backend pass, and find the tricks that they are made for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

QUICK = ("--backend", "toy", "--set", "warmup_s=0.05", "--quiet")
SLOW = ("--set", "sleep_s=0.004", "--set", "min_duration_s=0.5")


def a_result(command, *arguments):
    told, done = command.json("run", "product", *QUICK, *SLOW, *arguments)
    assert done.returncode == 0, done.stderr
    return told["results"][0]


def comply(command, folder, *arguments, **more):
    told, done = command.json("comply", folder, "--quiet", *arguments, **more)
    assert done.returncode == (0 if told["passed"] else 1)
    return {test["test"]: test for test in told["tests"]}


def failed(test):
    return [rule["name"] for rule in test["rules"] if not rule["ok"]]


def asked_of_loadgen(test):
    lines = (Path(test["directory"]) / "performance" / "mlperf_log_detail.txt").read_text().splitlines()
    details = [json.loads(line.removeprefix(":::MLLOG ")) for line in lines]
    return {each["key"]: each["value"] for each in details}


@pytest.mark.slow
def test_an_honest_backend_passes(command):
    """Where speeds are compared, the rules agree with what was seen: a busy machine is no honest judge."""
    tests = comply(command, a_result(command, "--set", "sleep_s=0.02", "--set", "min_duration_s=2")["directory"])
    assert list(tests) == ["TEST01", "TEST04", "TEST05"]
    for name, rule, least, most in (
        ("TEST01", "same-speed", 0.9, 1.1), ("TEST04", "not-faster", 0, 1.1), ("TEST05", "same-speed", 0.95, 1.05),
    ):  # fmt: skip
        (speed,) = [each for each in tests[name]["rules"] if each["name"] == rule]
        assert speed["ok"] is (least <= speed["observed"] <= most)
        assert failed(tests[name]) == ([] if speed["ok"] else [rule])
    assert asked_of_loadgen(tests["TEST04"])["requested_performance_issue_same"] is True
    seeds = {
        key: value
        for key, value in asked_of_loadgen(tests["TEST05"]).items()
        if key.startswith("requested_") and "rng_seed" in key
    }
    assert seeds["requested_qsl_rng_seed"] != 2465351861681999779


def test_answers_that_are_wrong_in_the_timed_run(command):
    tests = comply(command, a_result(command)["directory"], "--test", "TEST01", env={"TOY_LIES": "1"})
    rules = {rule["name"]: rule for rule in tests["TEST01"]["rules"]}
    assert rules["responses-logged"]["observed"] > 20
    assert (rules["same-responses"]["ok"], rules["same-responses"]["observed"]) == (False, 0.0)


def test_samples_that_are_cached(command):
    tests = comply(command, a_result(command, "--set", "caches=true")["directory"], "--test", "TEST04")
    assert "not-faster" in failed(tests["TEST04"])


def test_another_speed_with_other_seeds(command):
    tests = comply(command, a_result(command)["directory"], "--test", "TEST05", env={"TOY_SLOWNESS": "10"})
    assert "same-speed" in failed(tests["TEST05"])


@pytest.mark.parametrize("mode", ["performance", "accuracy"])
def test_a_result_without_one_of_its_parts(command, mode):
    done = command("comply", a_result(command, "--mode", mode)["directory"])
    assert done.returncode == 2
    assert "error[no-claim]" in done.stderr


def test_unknown_tests(command):
    done = command("comply", ".", "--test", "TEST1")
    assert done.returncode == 2
    assert "did you mean TEST01" in done.stderr
