"""LoadGen's logs: whole, in parts, damaged, hostile, and very large."""

from __future__ import annotations

import json
import subprocess
import sys
from textwrap import dedent

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlperf_mobile import early_stopping, loadgen
from mlperf_mobile.contracts import Load, Seeds
from mlperf_mobile.errors import MobileError
from mlperf_mobile_rounds.official import loadgen_logs, verdict
from mlperf_mobile_rounds.official.checks import detail


def read(path):
    return loadgen_logs.read_detail([path])


def written(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "mlperf_log_detail.txt"
    path.write_bytes(text.encode(encoding))
    return path


def test_the_numbers_of_a_log(tmp_path, make_detail, single_stream):
    log = read(written(tmp_path, make_detail(single_stream, "2023-09-01T14:05:20Z")))
    found = verdict.recompute(log)
    assert found.valid is verdict.own_valid(log) is True
    assert found.contradictions == ()
    assert (found.queries, found.p90_ns, found.score) == (60001, 1100000, 1e9 / 1100000)
    assert found.duration_s == pytest.approx(60.006, abs=1e-4)
    assert found.throughput == pytest.approx(999.9)
    assert log.integer("effective_qsl_rng_seed") == 148687905518835231
    assert log.line("loadgen_version") == 1


def test_offline(tmp_path, make_detail, offline):
    found = verdict.recompute(read(written(tmp_path, make_detail(offline, "2023-09-01T14:05:20Z"))))
    assert (found.samples, found.duration_s, found.throughput, found.score) == (24576, 8.0, 3072.0, 3072.0)


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        ({"result_qps_with_loadgen_overhead": 1010.0, "power_end": "09-01-2023 14:06:20.500"}, {"min-duration"}),
        ({"result_query_count": 1000}, {"min-duration", "min-query-count"}),
        ({"result_query_count": 50}, {"min-duration", "min-query-count", "early-stopping"}),
    ],
)
def test_which_rules_a_run_breaks(change, broken, tmp_path, make_detail, single_stream):
    found = verdict.recompute(read(written(tmp_path, make_detail(single_stream | change, "2023-09-01T14:05:20Z"))))
    assert {rule.name for rule in found.rules if rule.ok is False} == broken
    assert found.valid is False


@pytest.mark.parametrize(("busy", "contradicts"), [(124.9, False), (126.9, False), (128.0, True)])
def test_the_last_query_may_be_the_longest(busy, contradicts, tmp_path, make_detail, single_stream):
    """100 queries of 8 ms, the last of 20 ms: the 99 that the rate with overhead counts took 0.78 s or more."""
    change = {
        "result_query_count": 100, "result_mean_latency_ns": 8000000, "result_max_latency_ns": 20000000,
        "result_qps_without_loadgen_overhead": 125.0, "result_qps_with_loadgen_overhead": busy,
    }  # fmt: skip
    found = verdict.recompute(read(written(tmp_path, make_detail(single_stream | change, "2023-09-01T14:05:20Z"))))
    assert any("with overhead are more" in text for text in found.contradictions) is contradicts


def test_early_stopping_of_p90_needs_64_queries():
    assert early_stopping.min_queries(0.9) == 64  # mlcommons/inference, loadgen/early_stopping.cc


def test_a_run_that_was_stopped_at_its_maximum(tmp_path, make_detail, single_stream):
    change = {
        "effective_max_duration_ms": 300000, "result_query_count": 85, "result_qps_with_loadgen_overhead": 0.27672,
        "result_min_queries_met": False,
    }  # fmt: skip
    found = verdict.recompute(read(written(tmp_path, make_detail(single_stream | change, "2023-09-01T14:05:20Z"))))
    rule = next(rule for rule in found.rules if rule.name == "min-query-count")
    assert (rule.ok, rule.observed, rule.required) == (True, 85, 1024)
    assert "waived" in rule.note


def test_a_benchmark_that_ignores_early_stopping(tmp_path, make_detail, single_stream):
    """40 queries in 300 s: LoadGen says INVALID, since it asks for 64; the app, for Stable Diffusion, does not."""
    change = {
        "effective_max_duration_ms": 300000, "result_query_count": 40, "result_qps_with_loadgen_overhead": 0.1297,
        "result_min_queries_met": False, "early_stopping_met": False, "result_validity": "INVALID",
    }  # fmt: skip
    log = read(written(tmp_path, make_detail(single_stream | change, "2023-09-01T14:05:20Z")))
    found, other = verdict.recompute(log, early_stopping_ignored=True), verdict.recompute(log)
    assert (found.valid, found.loadgen_valid) == (True, False)
    assert (other.valid, other.loadgen_valid) == (False, False)
    (rule,) = [rule for rule in found.rules if rule.name == "early-stopping"]
    assert (rule.ok, rule.observed, rule.required, rule.note[:6]) == (True, 40, 64, "waived")


@pytest.mark.parametrize("patched", [True, False])
def test_the_maximum_duration_of_a_loadgen_without_the_app_s_patch(patched, tmp_path, make_detail, single_stream):
    """It calls a run of too few queries invalid; the benchmarks that generate waive the count all the same."""
    change = {
        "effective_max_duration_ms": 300000, "result_query_count": 85, "result_qps_with_loadgen_overhead": 0.27672,
        "result_min_queries_met": False, "result_validity": "VALID" if patched else "INVALID",
    } | ({"effective_enforce_max_duration": True} if patched else {})  # fmt: skip
    log = read(written(tmp_path, make_detail(single_stream | change, "2023-09-01T14:05:20Z")))
    found = verdict.recompute(log, stops_at_max=True)
    assert (found.valid, found.loadgen_valid) == (True, verdict.own_valid(log)) == (True, patched)
    assert verdict.recompute(log).loadgen_valid


def test_a_count_that_is_not_logged_follows_from_the_clock(tmp_path, make_detail, single_stream):
    """LoadGen 1.1, of v1.1 and v2.0."""
    del single_stream["result_query_count"], single_stream["early_stopping_met"]
    found = verdict.recompute(read(written(tmp_path, make_detail(single_stream, "2023-09-01T14:05:20Z"))))
    assert found.estimated
    assert found.queries == pytest.approx(60001, abs=10)
    assert found.valid


def test_a_missing_number_is_never_met(tmp_path, make_detail, single_stream):
    for key in ("result_qps_with_loadgen_overhead", "effective_min_duration_ms", "effective_min_query_count"):
        values = single_stream | {key: ...}
        found = verdict.recompute(read(written(tmp_path, make_detail(values, "2023-09-01T14:05:20Z"))))
        assert found.valid is None, key


@pytest.mark.parametrize(
    "names",
    [
        ("mlperf_log_detail.txt_aa", "mlperf_log_detail.txt_ab"),
        ("mlperf_log_detail.txtaa", "mlperf_log_detail.txtab"),
        ("mlperf_log_detail.txt00", "mlperf_log_detail.txt01"),
        ("mlperf_log_detail_aa", "mlperf_log_detail_ab"),
    ],
)
def test_a_log_in_parts(names, tmp_path, make_detail, single_stream):
    text = make_detail(single_stream, "2023-09-01T14:05:20Z")
    for name, part in zip(names, (text[:1000], text[1000:]), strict=True):
        (tmp_path / name).write_text(part)
    assert [path.name for path in loadgen_logs.parts(tmp_path, "mlperf_log_detail.txt")] == [*names]
    log = loadgen_logs.read_detail(loadgen_logs.parts(tmp_path, "mlperf_log_detail.txt"))
    assert log.damaged == ()
    assert log.records == len(text.splitlines())


def test_what_is_no_part(tmp_path):
    for name in ("mlperf_log_detail.txt.bak", "mlperf_log_details", "mlperf_log_summary.txt"):
        (tmp_path / name).write_text("x")
    assert loadgen_logs.parts(tmp_path, "mlperf_log_detail.txt") == []


def test_paths_of_windows(tmp_path):
    """The logs of an Intel laptop in v1.1 have backslashes that JSON does not allow."""
    line = r':::MLLOG {"key": "loadgen_version", "value": "1.1 @ NA", "metadata": {"file": "C:\Users\u\version.cc"}}'
    log = read(written(tmp_path, line + "\n"))
    assert (log.text("loadgen_version"), log.damaged) == ("1.1 @ NA", ())


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_other_encodings(encoding, tmp_path, make_detail, single_stream):
    log = read(written(tmp_path, make_detail(single_stream, "2023-09-01T14:05:20Z"), encoding))
    assert verdict.recompute(log).valid
    assert log.encoding == encoding


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", '"fast"', "null", "true", "[]", "1e999", "1" * 400])
def test_an_invalid_number(value, tmp_path, make_detail, single_stream):
    text = make_detail(single_stream, "2023-09-01T14:05:20Z").replace('"value": 999.9', f'"value": {value}')
    log = read(written(tmp_path, text))
    assert log.number("result_qps_with_loadgen_overhead") is None
    assert verdict.recompute(log).valid is None


def test_nul_bytes_and_garbage_are_damage(tmp_path, make_detail, single_stream):
    text = make_detail(single_stream, "2023-09-01T14:05:20Z")
    path = written(tmp_path, text)
    path.write_bytes(path.read_bytes() + b"\0" * 5000 + b"\n\xff\xfe\n")
    log = read(path)
    last = len(text.splitlines())
    assert log.damaged == (last + 1, last + 2)


def test_deep_nesting_is_damage(tmp_path):
    log = read(written(tmp_path, ':::MLLOG {"key": "a", "value": ' + "[" * 100_000 + "\n"))
    assert (log.records, log.damaged) == (0, (1,))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
@pytest.mark.slow
def test_a_mutated_log_never_surprises(data, tmp_path, make_detail, single_stream):
    raw = bytearray(make_detail(single_stream, "2023-09-01T14:05:20Z").encode())
    for _ in range(data.draw(st.integers(1, 8))):
        place = data.draw(st.integers(0, len(raw) - 1))
        piece = data.draw(st.binary(max_size=8))
        raw[place : place + data.draw(st.integers(0, 40))] = piece
    path = tmp_path / "mlperf_log_detail.txt"
    path.write_bytes(bytes(raw[: data.draw(st.integers(0, len(raw)))]))
    log = read(path)
    found = verdict.recompute(log)
    assert found.valid in (True, False, None)
    if found.valid:  # then every number that it rests on is there
        assert all(rule.observed is not None for rule in found.rules)


NUMBERS = st.one_of(
    st.floats(allow_nan=False), st.integers(-(2**70), 2**70), st.sampled_from([0, -1, 1e308, -1e308, 5e-324, 10**400])
)


@pytest.mark.parametrize(("rate", "contradicts"), [(1010.1, False), (1050.0, False), (1300.0, True)])
def test_the_rate_with_overhead_leaves_out_the_last_query(tmp_path, make_detail, single_stream, rate, contradicts):
    """LoadGen divides the queries but the last by the time until that was issued (results.cc).

    Ten queries of 1 ms at the mean, of which the last took 2 ms: 9 in 8 ms are 1125 a second, not 1000.
    """
    changed = single_stream | {
        "result_query_count": 10, "result_mean_latency_ns": 1_000_000, "result_max_latency_ns": 2_000_000,
        "result_qps_without_loadgen_overhead": 1000.0, "result_qps_with_loadgen_overhead": rate,
    }  # fmt: skip
    found = verdict.recompute(read(written(tmp_path, make_detail(changed, "2023-09-01T14:05:20Z"))))
    told = [text for text in found.contradictions if "with overhead are more than" in text]
    assert bool(told) is contradicts


@pytest.mark.parametrize("value", [0, -1, 5e-324, 1e308, -1e308, 2**70, 10**400, -(10**400)])
@pytest.mark.parametrize("counted", [True, False])
def test_a_strange_number_in_any_place_of_a_log(tmp_path, make_detail, single_stream, value, counted):
    """Each number of a log in turn: the log is judged, or contradicts itself."""
    lines = make_detail(single_stream, "2023-09-01T14:05:20Z").splitlines()
    entries = [json.loads(line.removeprefix(":::MLLOG ")) for line in lines]
    entries = [entry for entry in entries if counted or entry["key"] != "result_query_count"]
    for place, entry in enumerate(entries):
        if isinstance(entry["value"], int | float):
            text = "".join(
                f":::MLLOG {json.dumps(other | ({'value': value} if number == place else {}))}\n"
                for number, other in enumerate(entries)
            )
            found = verdict.recompute(read(written(tmp_path, text)))
            assert found.valid in (True, False, None)
            if value == -1 and entry["key"] == "result_qps_without_loadgen_overhead":
                assert found.contradictions


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), scenario=st.sampled_from(["SingleStream", "Offline"]))
@pytest.mark.slow
def test_any_numbers_in_a_log(data, scenario, tmp_path, make_detail, single_stream):
    """No number is too large, negative or tiny: the log is judged, or contradicts itself."""
    lines = make_detail(single_stream, "2023-09-01T14:05:20Z").splitlines()
    entries = [json.loads(line.removeprefix(":::MLLOG ")) for line in lines]
    keys = [entry["key"] for entry in entries if isinstance(entry["value"], int | float)]
    keys += ["effective_samples_per_query", "result_samples_per_second", "early_stopping_latency_ss"]
    changed = data.draw(st.dictionaries(st.sampled_from(keys), NUMBERS, min_size=1, max_size=4))
    entries += [{"key": key, "value": 0} for key in keys if key not in {entry["key"] for entry in entries}]
    for entry in entries:
        entry["value"] = changed.get(entry["key"], entry["value"])
        if entry["key"] in ("requested_scenario", "effective_scenario"):
            entry["value"] = scenario
        if data.draw(st.booleans()) and entry["key"] == "result_query_count":
            entry["key"] = "another"
    path = tmp_path / "mlperf_log_detail.txt"
    path.write_text("".join(f":::MLLOG {json.dumps(entry)}\n" for entry in entries))
    found = verdict.recompute(read(path))
    assert found.valid in (True, False, None)
    negative = [key for key, value in changed.items() if value < 0 and key == "result_qps_without_loadgen_overhead"]
    assert found.contradictions or not negative or scenario != "SingleStream"


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raw=st.binary(max_size=400))
def test_any_bytes_as_a_summary(raw, tmp_path):
    path = tmp_path / "mlperf_log_summary.txt"
    path.write_bytes(raw)
    log = loadgen_logs.read_summary(path)
    assert log.percentile is None or log.percentile[1] == log.percentile[1]


def test_a_summary_that_is_too_large(tmp_path):
    path = tmp_path / "mlperf_log_summary.txt"
    path.write_bytes(b"a : b\n" * 400_000)
    with pytest.raises(MobileError) as caught:
        loadgen_logs.read_summary(path)
    assert caught.value.code == "log-unreadable"


def test_keys_without_end_take_no_memory(tmp_path):
    lines = (f":::MLLOG {json.dumps({'key': f'key{n}', 'value': 'x' * 1000})}\n" for n in range(5000))
    log = read(written(tmp_path, "".join(lines)))
    assert (log.records, len(log.entries)) == (5000, loadgen_logs.MAX_KEYS)
    assert max(len(entry.value) for entry in log.entries.values()) <= 500


@pytest.mark.sampled(3)
@pytest.mark.slow
@pytest.mark.parametrize(("kind", "megabytes"), [("lines", 50), ("one line", 200), ("zeros", 200)])
def test_a_large_log_is_streamed(kind, megabytes, tmp_path, make_detail, single_stream):
    path = tmp_path / "mlperf_log_detail.txt"
    text = make_detail(single_stream, "2023-09-01T14:05:20Z").encode()
    with path.open("wb") as file:
        file.write(text)
        if kind == "zeros":
            file.truncate(megabytes << 20)
        else:
            piece = text if kind == "lines" else b":::MLLOG " + b"x" * (1 << 20)
            for _ in range((megabytes << 20) // len(piece)):
                file.write(piece)
    code = """
        import resource, sys
        from pathlib import Path
        from mlperf_mobile_rounds.official import loadgen_logs, verdict
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        log = loadgen_logs.read_detail([Path(sys.argv[1])])
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(after - before, verdict.recompute(log).valid, len(log.damaged))
    """
    done = subprocess.run(
        [sys.executable, "-c", dedent(code), str(path)], capture_output=True, text=True, timeout=240, check=True
    )
    kilobytes, valid, damaged = done.stdout.split()
    assert int(kilobytes) < 32 << 10, f"{kind}: {kilobytes} kB for {megabytes} MB"
    assert (valid, int(damaged) > 0) == ("True", kind != "lines")


@pytest.mark.parametrize("latency_ns", [7, 8125, 8124, 99_999, 123_457, 999_999, 1_000_003])
def test_queries_that_loadgen_generates_for_an_expected_latency(tmp_path, latency_ns):
    """LoadGen cuts the interval of its schedule to whole nanoseconds, one less than 8125 for an expected 8125 ns."""
    seeds = Seeds(qsl=1, sample_index=2, schedule=3)
    load = Load(min_query_count=1, min_duration_s=0.002, max_duration_s=60, seeds=seeds)
    values = {**loadgen.performance_values("SingleStream", load), "single_stream_expected_latency_ns": latency_ns}
    responder = loadgen.Responder()
    samples = loadgen.SampleLibrary(4, 4, lambda _: None, lambda _: None)
    loadgen.run(loadgen.made(values), samples, lambda ids, _: responder.complete(ids[0], b""), tmp_path)
    log = loadgen_logs.read_detail([tmp_path / loadgen.DETAIL_LOG])
    found = {key: expected for key, expected, _ in detail._follows(log) if key.startswith("generated_query")}
    assert "generated_query_duration" in found
    for key, expected in found.items():
        assert detail._equal(log.entries[key].value, expected), (key, log.entries[key].value)
