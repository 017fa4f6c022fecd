"""Backends that answer late, never, twice, not at all, or raise, while queries are completed asynchronously."""

from __future__ import annotations

import pytest

BOTH = pytest.mark.parametrize(
    ("scenario", "given"), [("server", {"target_qps": 2000.0}), ("multi-stream", {})], ids=["server", "multi-stream"]
)


@BOTH
def test_an_error_ends_the_run_from_the_sessions_thread(drive, scenario, given):
    told = drive(scenario, fault="raises", **given)
    assert told["raised"] == "of-the-backend"
    assert told["thread"] == "work"


@BOTH
@pytest.mark.parametrize("fault", ["twice", "nothing"])
def test_a_wrong_number_of_responses_never_reaches_loadgen(drive, scenario, given, fault):
    """LoadGen would be corrupted by a sample that is completed twice, and wait for ever for one that is not."""
    told = drive(scenario, fault=fault, **given)
    assert told["raised"] == "WrongCount"
    assert f"1 samples have {2 if fault == 'twice' else 0} responses" in told["text"]


@BOTH
def test_a_call_that_does_not_return_ends_the_run(drive, scenario, given):
    told = drive(scenario, fault="never", answer_timeout_s=0.3, **given)
    assert told["raised"] == "no-answer"
    assert "has not returned from a call for 0.3 s" in told["text"]


def test_late_answers_miss_the_bound_and_give_no_score(drive):
    told = drive("server", fault="late", target_qps=200.0, target_latency_ms=1.0, count=700)
    bound = told["rules"]["latency-bound"]
    assert (bound["ok"], bound["required"]) == (False, 1.0)
    assert bound["observed"] > 50
    assert told["score"] is None
    assert told["rate"]["over_bound"] > 20
    assert told["latencies"] == told["arrivals"] == told["samples"]


def test_a_hopeless_run_ends_early(drive):
    """500 times more queries than the sessions can answer: LoadGen stops when the run cannot become valid any more."""
    told = drive("server", fault="late", target_qps=20_000.0, count=20_000, expected_ns=50_000_000)
    assert told["queries"] < 5000
    assert not told["rules"]["min-query-count"]["ok"]
    assert told["score"] is None


def test_too_large_a_batch_is_refused(drive):
    told = drive("server", target_qps=100.0, max_batch=4, batch=2)
    assert told["raised"] == "bad-options"
    assert "max_batch is 4, but the model is loaded for a batch of 2" in told["text"]


def test_batches_are_never_larger_than_asked(drive):
    told = drive("server", target_qps=5000.0, max_batch=3, batch=8, max_wait_us=20_000.0, sessions=1, count=600)
    assert max(told["sizes"]) == 3
    assert sum(told["sizes"]) == told["samples"] == told["latencies"]


@pytest.mark.long
def test_a_search_finds_a_rate_and_reports_its_steps(drive, tmp_path):
    """Calls that take 50 ms on two sessions: no more than 40 queries per second."""
    told = drive(
        "server", fault="late", count=60, expected_ns=50_000_000, target_latency_ms=2000.0, search_precision=0.2,
        search_step_s=0.5, search_min_qps=10.0, search_max_qps=160.0,
    )  # fmt: skip
    steps = told["search"]
    assert [step["target"] for step in steps[:2]] == [10.0, 160.0]
    assert [step["valid"] for step in steps[:2]] == [True, False]
    assert not any(step["valid"] for step in steps if step["target"] > 80)
    assert steps[-1]["full"]
    assert told["rate"]["target"] == steps[-1]["target"]
    assert told["samples"] == told["latencies"] == steps[-1]["queries"]
    assert told["answered"] == sum(step["queries"] for step in steps)
    lines = (tmp_path / "logs" / "search.jsonl").read_text().splitlines()
    assert len(lines) == len(steps)
    assert (tmp_path / "logs" / "mlperf_log_detail.txt").exists()
    trials = sorted(path.name for path in (tmp_path / "logs" / "trials").iterdir())
    assert trials == [f"{number:03d}" for number in range(1, len(steps))]
