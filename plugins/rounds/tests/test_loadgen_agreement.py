"""Rules, durations and latencies are those of LoadGen's own logs, of runs made here and of published ones."""

from __future__ import annotations

import os
import random
import time
from array import array
from collections import namedtuple
from itertools import product
from pathlib import Path

import pytest

from mlperf_mobile import early_stopping, loadgen
from mlperf_mobile.contracts import COUNTED, LIVE, Load, Seeds
from mlperf_mobile.loadgen import trace as loadgen_trace
from mlperf_mobile.results.latencies import summary
from mlperf_mobile.scenarios.offline import Offline
from mlperf_mobile.scenarios.single_stream import SingleStream
from mlperf_mobile.testing.stand_in import StandInSystem
from mlperf_mobile_rounds.official import loadgen_logs, verdict

LOGGED = {"min-duration": "result_min_duration_met", "min-query-count": "result_min_queries_met",
          "early-stopping": "early_stopping_met"}  # fmt: skip
SHARED = os.environ.get("MLPERF_MOBILE_SHARED", "")
Space = namedtuple("Space", "total used free")


class Late(StandInSystem):
    """Its first answer takes long, as when a library starts its threads with it."""

    def __init__(self, first_s=0.0, sessions=1):
        super().__init__(sessions, 1, 0.0, 0)
        self._first_s = first_s

    def answer_batch(self, indices, session):
        time.sleep(self._first_s)
        self._first_s = 0.0
        return super().answer_batch(indices, session)


def run(scenario, logs, system=None, **load):
    """What the scenario measures, its latencies, and what LoadGen's detail log says."""
    asked = {"min_query_count": 100, "min_duration_s": 0.0, "max_duration_s": 0.0, "percentile": 0.9,
             "performance_sample_count": 50, "expected_latency_ns": 100_000,
             "seeds": Seeds(qsl=1, sample_index=2, schedule=3)}  # fmt: skip
    values: array[int] = array("q")
    measured = scenario({}).run(system or Late(), Load.model_construct(**(asked | load)), values, logs)
    return measured, values, loadgen.read_details(logs / loadgen.DETAIL_LOG)


CASES = [
    *product((SingleStream,), (0.0, 0.03), (1, 64, 700), (0.0, 0.01), (20_000, 10_000_000), (0.0, 0.02)),
    *product((Offline,), (0.0, 0.03), (1, 700), (0.0,), (20_000, 10_000_000), (0.0, 0.02)),
]


@pytest.mark.parametrize(("scenario", "duration", "count", "longest", "expected", "first"), CASES)
def test_rules_are_those_of_the_log(tmp_path, scenario, duration, count, longest, expected, first):
    """Too short, too few, stopped early, out of queries, late at first: the rule says met exactly when LoadGen does."""
    measured, _, details = run(
        scenario, tmp_path, Late(first), min_duration_s=duration, min_query_count=count, max_duration_s=longest,
        expected_latency_ns=expected,
    )  # fmt: skip
    rules = {rule.name: rule for rule in measured.rules}
    for name in LOGGED.keys() & rules.keys():
        rule, logged = rules[name], details[LOGGED[name]]
        if rule.ok != logged:
            assert (name, logged) == ("min-query-count", False)
            assert rule.note.startswith("waived")
        elif name == "min-duration":
            assert abs(rule.observed - rule.required) < 0.002 or (rule.observed > rule.required) == logged
        else:
            assert (rule.observed >= rule.required) == logged


@pytest.mark.parametrize("scenario", [SingleStream, Offline])
@pytest.mark.parametrize("count", [100, 1000, 20_000])
@pytest.mark.slow
def test_latencies_are_those_that_loadgen_counted(tmp_path, scenario, count):
    """All percentiles, to the nanosecond, from several sessions, too; the trace leaves nothing behind."""
    measured, values, details = run(
        scenario, tmp_path, Late(sessions=2), min_query_count=count, expected_latency_ns=2_000_000
    )
    assert (measured.latency_source, len(values)) == (COUNTED, measured.samples)
    found = summary(values)
    for share in ("50.00", "90.00", "95.00", "97.00", "99.00", "99.90"):
        name = "p" + share.rstrip("0").rstrip(".").replace(".", "_")
        assert found[name] == details[f"result_{share}_percentile_latency_ns"]
    assert [found["min"], found["max"]] == [details["result_min_latency_ns"], details["result_max_latency_ns"]]
    assert int(found["mean"]) == details["result_mean_latency_ns"]
    assert (tmp_path / loadgen_trace.FILE).stat().st_size == 0


def test_durations_are_loadgens(tmp_path):
    """A first answer that takes long is part of the run."""
    measured, values, details = run(SingleStream, tmp_path, Late(0.05), min_query_count=64)
    assert measured.duration_s >= sum(values) / 1e9 > 0.05
    assert (measured.samples - 1) / (measured.duration_s - values[-1] / 1e9) == pytest.approx(
        details["result_qps_with_loadgen_overhead"], rel=1e-6
    )


def test_offline_the_score_is_the_one_logged(tmp_path):
    measured, _, details = run(Offline, tmp_path, Late(sessions=2), min_query_count=500)
    assert measured.score.value == measured.throughput == pytest.approx(details["result_samples_per_second"], rel=1e-5)


class TestWithoutATrace:
    @pytest.mark.parametrize(("nanoseconds", "source"), [(799_000, LIVE), (801_000, COUNTED)])
    def test_an_offline_run_that_a_trace_would_slow_down(self, tmp_path, nanoseconds, source):
        """On two sessions, a sample is answered in half the time; below 400 µs nothing is formatted beside them."""
        measured, values, _ = run(Offline, tmp_path, Late(sessions=2), expected_latency_ns=nanoseconds)
        assert (measured.latency_source, len(values)) == (source, measured.samples)

    def test_a_disk_that_has_no_room(self, tmp_path, monkeypatch):
        """A trace of 700 queries takes up to half a megabyte, and as much again has to be free."""
        monkeypatch.setattr(loadgen_trace.shutil, "disk_usage", lambda _: Space(1, 1, 700 * 800))
        measured, values, _ = run(SingleStream, tmp_path, min_query_count=700)
        assert (measured.latency_source, len(values)) == (LIVE, 700)

    @pytest.mark.parametrize("damage", ["short", "changed", "gone"])
    def test_a_trace_that_is_not_whole(self, tmp_path, damage):
        trace, values = tmp_path / "trace", [100, 300, 200]
        lines = [sample(value) for value in values]
        if damage != "gone":
            trace.write_bytes(b"\n".join(lines[:2] if damage == "short" else [*lines[:2], sample(900)]))
        live = array("q", [101, 301, 201])
        assert not loadgen_trace.replace(live, trace, summary(values))
        assert live == array("q", [101, 301, 201])


def sample(latency, noise=b""):
    return (
        b'{"name":"Sample","cat":"default","ph":"b","pid":1,"id":0,"ts":60.079,"args":{"sample_seq":0,"query_seq":0,'
        b'"sample_idx":68,"issue_start_ns":0,"complete_ns":%d}},' % latency + noise
    )


@pytest.mark.parametrize("chunk", [1, 7, 190, 4096, 1 << 20])
def test_a_trace_is_read_in_chunks(tmp_path, monkeypatch, chunk):
    """Wherever a chunk ends, a latency is read once; a clock that was set back makes negative ones."""
    values = [random.Random(n).choice([-1, 1]) * 10 ** (n % 18) for n in range(200)]
    (tmp_path / "trace").write_bytes(b'{"traceEvents":[\n' + b"\n".join(map(sample, values)) + b"\n]}")
    monkeypatch.setattr(loadgen_trace, "_CHUNK", chunk)
    assert loadgen_trace.read(tmp_path / "trace").tolist() == values


def test_a_line_without_end_is_not_held(tmp_path, monkeypatch):
    monkeypatch.setattr(loadgen_trace, "_CHUNK", 4096)
    (tmp_path / "trace").write_bytes(b"x" * 1_000_000 + b"\n" + sample(5) + b"\n")
    assert loadgen_trace.read(tmp_path / "trace").tolist() == [5]


def published():
    return sorted(Path(SHARED, "official_results").rglob("*log_detail.txt")) if SHARED else []


@pytest.mark.skipif(not published(), reason="MLPERF_MOBILE_SHARED/official_results is not here")
def test_published_logs():
    """What is held against the minimum duration, and the queries that a percentile needs, give LoadGen's verdicts."""
    looked_at = 0
    for path in published():
        details = loadgen.read_details(path)
        if "result_validity" not in details:
            continue
        seen = verdict.recompute(loadgen_logs.read_detail([path]))
        required = details["effective_min_duration_ms"] / 1000
        if details.get("effective_scenario") == "Offline":
            assert (details["result_max_latency_ns"] / 1e9 >= required) == details["result_min_duration_met"], path
        elif seen.queries:
            issued = loadgen.issued_s(details, seen.queries)
            assert (issued >= required * (1 - 1e-5)) == details["result_min_duration_met"], path
            if "early_stopping_met" in details:
                enough = early_stopping.min_queries(details["effective_target_latency_percentile"])
                assert (seen.queries >= enough) == details["early_stopping_met"], path
        looked_at += 1
    assert looked_at > 40
