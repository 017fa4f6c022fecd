"""LoadGen's logs are read as it writes them, and damage in them is told or passed over."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlperf_mobile import loadgen
from mlperf_mobile.contracts import Load, Score, Seeds
from mlperf_mobile.errors import DataError, ExitCode, OutputError
from mlperf_mobile.worker.accuracy import score_log

LOAD = Load(
    min_query_count=100,
    min_duration_s=0.25,
    max_duration_s=2.5,
    percentile=0.9,
    performance_sample_count=50,
    seeds=Seeds(qsl=1, sample_index=2**64 - 1, schedule=3),
    expected_latency_ns=1000,
)
ITEM = '{ "seq_id" : 0, "qsl_idx" : 66, "data" : "00000443FFfe" }'


def written(tmp_path, text):
    path = tmp_path / loadgen.ACCURACY_LOG
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


class TestResponses:
    def test_as_loadgen_writes_them(self, tmp_path):
        path = written(tmp_path, f'[\n{ITEM},\n{{ "seq_id" : 1, "qsl_idx" : 3, "data" : "" }}\n]\n')
        assert list(loadgen.read_responses(path)) == [(66, b"\x00\x00\x04\x43\xff\xfe"), (3, b"")]

    @pytest.mark.parametrize("text", ["", "[\n]\n", "[\n\n\n]"])
    def test_none(self, tmp_path, text):
        assert list(loadgen.read_responses(written(tmp_path, text))) == []

    @pytest.mark.parametrize(
        "line",
        [
            ITEM[:-10], ITEM.replace("66", "null"), ITEM.replace("66", "1e999"), ITEM.replace("FFfe", "FFf"),
            ITEM.replace("FFfe", "FFxx"), ITEM.replace('"00000443FFfe"', "7"), ITEM.replace("qsl_idx", "index"),
            "7", "null", '"text"', "[1]", "[" * 100_000, "nonsense", "\x00" * 20,
        ],
    )  # fmt: skip
    def test_damaged_lines_are_named(self, tmp_path, line):
        path = written(tmp_path, f"[\n{ITEM},\n{line},\n{ITEM}\n]\n")
        found = loadgen.read_responses(path)
        assert next(found)[0] == 66
        with pytest.raises(DataError) as caught:
            next(found)
        assert caught.value.summary == f"{path}:3: not an item of an accuracy log"
        assert (caught.value.code, caught.value.exit_code) == ("accuracy-log", ExitCode.DATA)

    def test_what_is_not_ascii(self, tmp_path):
        path = written(tmp_path, b"[\n\xff\xfe\n]")
        with pytest.raises(DataError, match="cannot read"):
            list(loadgen.read_responses(path))

    def test_no_log(self, tmp_path):
        with pytest.raises(DataError, match="No such file"):
            list(loadgen.read_responses(tmp_path / "absent.json"))

    @given(st.lists(st.tuples(st.integers(0, 2**40), st.binary(max_size=50)), max_size=20))
    def test_any_responses(self, tmp_path_factory, items):
        path = tmp_path_factory.getbasetemp() / "any.json"
        rows = [json.dumps({"seq_id": n, "qsl_idx": i, "data": d.hex()}) for n, (i, d) in enumerate(items)]
        path.write_text("[\n" + ",\n".join(rows) + "\n]\n")
        assert list(loadgen.read_responses(path)) == items


class Sum:
    """A metric: the mean of one-byte responses."""

    def __init__(self):
        self.values = {}

    def update(self, index, response):
        self.values[index] = response[0]

    def score(self):
        return Score("mean", sum(self.values.values()) / len(self.values), len(self.values))


class TestScore:
    def log(self, tmp_path, indices):
        rows = [json.dumps({"seq_id": n, "qsl_idx": i, "data": f"{abs(i):02x}"}) for n, i in enumerate(indices)]
        return written(tmp_path, "[\n" + ",\n".join(rows) + "\n]\n")

    def test_every_sample_once_in_any_order(self, tmp_path):
        assert score_log(self.log(tmp_path, [2, 0, 3, 1]), Sum(), 4) == Score("mean", 1.5, 4)

    @pytest.mark.parametrize(
        ("indices", "told"),
        [
            ([0, 1, 2, 1, 3], "sample 1 is answered twice"),
            ([0, 1, 2, 4], "sample 4 is not one of the 4 samples"),
            ([0, -1, 2, 3], "sample -1 is not one of the 4 samples"),
            ([0, 1, 3], "answers 3 of 4 samples"),
            ([], "answers 0 of 4 samples"),
        ],
    )
    def test_logs_that_do_not_fit(self, tmp_path, indices, told):
        with pytest.raises(DataError, match=told) as caught:
            score_log(self.log(tmp_path, indices), Sum(), 4)
        assert caught.value.code == "accuracy-log"


class TestDetails:
    def test_the_last_value_of_a_key_counts_and_errors_are_collected(self, tmp_path):
        path = tmp_path / loadgen.DETAIL_LOG
        lines = [
            '{"key": "result_validity", "value": "VALID"}',
            '{"key": "error_runtime", "value": "Max test duration reached"}',
            '{"key": "error_invalid_config", "value": 7}',
            '{"key": "result_validity", "value": "INVALID"}',
        ]
        path.write_text("".join(f":::MLLOG {line}\n" for line in lines))
        assert loadgen.read_details(path) == {
            "result_validity": "INVALID", "error_runtime": "Max test duration reached", "error_invalid_config": 7,
            "errors": ["Max test duration reached", "7"],
        }  # fmt: skip

    @pytest.mark.parametrize(
        "line", ["{", "[]", "7", '{"key": "a"}', '{"value": 1}', '{"key": [], "value": 1}', "[" * 100_000, "\x00\xff"]
    )
    def test_damaged_lines_are_passed_over(self, tmp_path, line):
        path = tmp_path / loadgen.DETAIL_LOG
        path.write_text(
            f'noise\n:::MLLOG {line}\n:::MLLOG {{"key": "loadgen_version", "value": "6"}}\n:::MLLOG {{"key"'
        )
        assert loadgen.read_details(path) == {"loadgen_version": "6", "errors": []}


@pytest.mark.parametrize("percentile", ["50.0", "90.0", "97.5", "99.9"])
def test_target_latency(tmp_path, percentile):
    """The line of the summary, as LoadGen 6.0 writes it."""
    text = f"Mode     : PerformanceOnly\n{percentile}th percentile latency (ns) : 2802\nResult is : VALID\n"
    (tmp_path / loadgen.SUMMARY_LOG).write_text(text)
    assert loadgen.target_latency(tmp_path) == 2802.0


def test_a_summary_that_was_cut_off(tmp_path):
    (tmp_path / loadgen.SUMMARY_LOG).write_text("Mode     : Perf")
    with pytest.raises(OutputError) as caught:
        loadgen.target_latency(tmp_path)
    assert caught.value.code == "log-incomplete"


def test_latencies_by_their_short_names():
    told = {
        "result_mean_latency_ns": 5,
        "result_50.00_percentile_latency_ns": 4,
        "result_99.90_percentile_latency_ns": 9,
    }
    assert loadgen.latencies(told) == {"mean": 5.0, "p50": 4.0, "p99_9": 9.0}


def test_verdict_of_an_invalid_run():
    told = loadgen.verdict({"loadgen_version": "6", "result_validity": "INVALID", "errors": ["x"]})
    assert (told["valid"], told["version"], told["errors"]) == (False, "6", ["x"])
    assert not loadgen.verdict({})["valid"]


def test_settings_reach_loadgen():
    """Durations in milliseconds, seeds with all of their 64 bits."""
    settings = loadgen.performance_settings("SingleStream", LOAD)
    assert (settings.min_query_count, settings.min_duration_ms, settings.max_duration_ms) == (100, 250, 2500)
    assert settings.qsl_rng_seed == 1
    assert settings.sample_index_rng_seed == 18446744073709551615
    assert settings.schedule_rng_seed == 3
    lg = loadgen.module()
    assert (settings.scenario, settings.mode) == (lg.TestScenario.SingleStream, lg.TestMode.PerformanceOnly)
    accuracy = loadgen.accuracy_settings(LOAD.seeds)
    assert (accuracy.mode, accuracy.sample_index_rng_seed) == (lg.TestMode.AccuracyOnly, 2**64 - 1)


def test_logs_that_cannot_be_written(tmp_path):
    """LoadGen itself would crash or be silent about it."""
    (tmp_path / "file").touch()
    library = loadgen.SampleLibrary(1, 1, lambda _: None, lambda _: None)
    settings = loadgen.performance_settings("SingleStream", LOAD)
    with pytest.raises(OutputError) as caught:
        loadgen.run(settings, library, lambda ids, indices: None, tmp_path / "file" / "logs")
    assert caught.value.code == "output-unwritable"


INSIDE = """
import os, sys
from pathlib import Path
from mlperf_mobile import loadgen
from mlperf_mobile.contracts import Load, Seeds

def fail(*args):
    raise ZeroDivisionError(sys.argv[1])

def abandon(error):
    print(repr(error), flush=True)
    os._exit(9)

load = fail if sys.argv[1] == "load" else lambda indices: None
asked = Load(
    min_query_count=100, min_duration_s=0, max_duration_s=0, performance_sample_count=5, expected_latency_ns=1000,
    seeds=Seeds(qsl=1, sample_index=2, schedule=3),
)
settings = loadgen.performance_settings("SingleStream", asked)
loadgen.run(settings, loadgen.SampleLibrary(5, 5, load, load, abandon), fail, Path(sys.argv[2]))
"""


@pytest.mark.parametrize("where", ["load", "issue"])
@pytest.mark.usefixtures("processes")
def test_errors_are_reported_inside_of_loadgen(tmp_path, where):
    """LoadGen's threads crash the process when an exception passes through it."""
    done = subprocess.run(
        [sys.executable, "-c", INSIDE, where, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (9, f"ZeroDivisionError('{where}')\n", "")
