"""LoadGen's logs: whole, in parts, damaged, hostile, and very large."""

from __future__ import annotations

import json
import subprocess
import sys
from textwrap import dedent

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlperf_mobile import early_stopping
from mlperf_mobile.errors import MobileError
from mlperf_mobile_rounds.official import loadgen_logs, verdict


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
def test_a_number_that_is_none(value, tmp_path, make_detail, single_stream):
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
