"""Token latencies in logs of LoadGen itself: numbers, edits, and result files of language models."""

from __future__ import annotations

import ctypes
import dataclasses
import json
import shutil
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlperf_mobile import loadgen
from mlperf_mobile.contracts import Load, Seeds
from mlperf_mobile.results.tokens import Answer, decode_rate
from mlperf_mobile_rounds.official import app_export, app_forms, loadgen_logs, token_latencies, verdict
from mlperf_mobile_rounds.official.checker import check
from mlperf_mobile_rounds.official.imported import read
from mlperf_mobile_rounds.official.loadgen_logs import LogEntry

SEEDS = Seeds(qsl=2465351861681999779, sample_index=14276810075590677512, schedule=3936089224930324775)
"""Of v6.0 (mobile_app_open, mlperf_driver.cc)."""
QUERIES = 100


def run(logs, count=lambda index: 5 + index % 7):
    """A run of the app's settings, but short, in LoadGen without this program; the answers that it was told of."""
    lg, told = loadgen.module(), []
    load = Load(min_query_count=QUERIES, min_duration_s=0.05, max_duration_s=300, seeds=SEEDS)
    values = {**loadgen.performance_values("SingleStream", load), "use_token_latencies": True}
    asked = loadgen.made({**values, "single_stream_expected_latency_ns": 1_000_000})
    data = (ctypes.c_char * 1)(1)

    def issue(samples):
        for sample in samples:
            start = time.perf_counter_ns()
            response = lg.QuerySampleResponse(sample.id, ctypes.addressof(data), 1)
            response.n_tokens = count(sample.index)
            time.sleep(0.0004)
            lg.FirstTokenComplete([response])
            at = time.perf_counter_ns()
            time.sleep(0.0003)
            lg.QuerySamplesComplete([response])
            told.append(Answer(1, response.n_tokens, at - start, 0, time.perf_counter_ns() - start))

    logs.mkdir(parents=True)
    output = lg.LogOutputSettings()
    output.outdir = str(logs)
    log_settings = lg.LogSettings()
    log_settings.log_output, log_settings.enable_trace = output, True
    sut, qsl = lg.ConstructSUT(issue, lambda: None), lg.ConstructQSL(100, 100, lambda _: None, lambda _: None)
    lg.StartTestWithLogSettings(sut, qsl, asked, log_settings, str(logs / "audit.config"))
    lg.DestroyQSL(qsl)
    lg.DestroySUT(sut)
    for path in logs.iterdir():
        path.write_text(path.read_text().replace("PyQSL", "MmluGen").replace("PySUT", "TFLite"))
    return told


def of(log):
    return token_latencies.of(log, verdict.recompute(log).queries)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A submission of one language model, and what it told LoadGen."""
    device = tmp_path_factory.mktemp("v6.0") / "closed/ACME/results/phone"
    logs = device / "llm-1b/SingleStream/log_performance"
    for _ in range(20):
        shutil.rmtree(logs, ignore_errors=True)
        told = run(logs)
        if max(each.latency_ns for each in told) < 3e6:  # no answer had to wait for a processor
            break
    return device, told


@pytest.fixture
def log(made):
    return loadgen_logs.read_detail([made[0] / "llm-1b/SingleStream/log_performance/mlperf_log_detail.txt"])


def test_tokens_and_rates_are_those_of_the_answers(made, log):
    """LoadGen logs neither: the number follows from a rate, and its other rate is wrong by a factor of 10^9."""
    _, told = made
    found = of(log)
    assert found.contradictions == ()
    assert found.tokens == pytest.approx(sum(each.new for each in told), rel=1e-4)
    assert found.facts().generated["total"] == sum(each.new for each in told)
    assert found.decode_total_per_s == pytest.approx(decode_rate(told), rel=0.1)
    per_token = sum((each.latency_ns - each.first_ns) / (each.new - 1) for each in told) / len(told)
    assert found.decode_per_s == pytest.approx(1e9 / per_token, rel=0.1)
    assert log.number("result_token_throughput") < 1


MEAN, TOTAL = "result_time_to_output_token_mean", "result_token_throughput_with_loadgen_overhead"


@pytest.mark.parametrize(
    ("key", "change", "text"),
    [
        (TOTAL, lambda v: v * 1.01, "tokens in 100 answers give"),
        ("result_token_throughput", lambda v: v * 0.9, "tokens in 100 answers give"),
        (MEAN, lambda v: v * 100, "outside of minimum and maximum"),
        ("result_first_token_90.00_percentile_latency_ns", lambda v: v * 1000, "is above"),
        ("result_first_token_max_latency_ns", lambda v: v * 1000, "of whole answers"),
        ("result_time_per_output_token_99.90_percentile_ns", lambda v: 1, "is above"),
        ("result_first_token_mean_latency_ns", None, "LoadGen logged no time to the first token (mean)"),
        ("early_stopping_tpot_result", lambda v: v.replace("(100)", "(900)"), "saw 900 queries"),
    ],
)
def test_edits_contradict_other_numbers(log, key, change, text):
    entries = dict(log.entries)
    if change is None:
        del entries[key]
    else:
        entries[key] = LogEntry(change(entries[key].value), entries[key].line)
    assert any(text in each for each in of(dataclasses.replace(log, entries=entries)).contradictions)


def test_all_times_per_token_made_smaller(log):
    """Alone among themselves they agree, but not with the number of tokens and the time after the first ones."""
    entries = {
        key: LogEntry(entry.value // 100, entry.line) if "output_token" in key else entry
        for key, entry in log.entries.items()
    }
    (found,) = of(dataclasses.replace(log, entries=entries)).contradictions
    assert "do not take" in found


def test_rates_that_a_later_version_corrects_are_accepted(log):
    entries = dict(log.entries)
    entries["result_token_throughput"] = LogEntry(entries["result_token_throughput"].value * 1e9, 1)
    assert of(dataclasses.replace(log, entries=entries)).contradictions == ()


def test_an_answer_of_one_token_which_loadgen_calls_valid(tmp_path):
    run(tmp_path / "logs", lambda index: 1 if index == 3 else 6)
    log = loadgen_logs.read_detail([tmp_path / "logs/mlperf_log_detail.txt"])
    assert verdict.own_valid(log)
    assert any("fewer than two tokens" in each for each in of(log).contradictions)
    assert any("greater than 1" in each.value for each in log.errors)


def test_first_tokens_that_were_never_reported(log):
    """LoadGen 6.0.17 logs zeros, or crashes."""
    entries = {key: LogEntry(0, each.line) if "first_token" in key else each for key, each in log.entries.items()}
    assert any("no first token" in each for each in of(dataclasses.replace(log, entries=entries)).contradictions)


def app_file(log, accuracy="43.0000%"):
    """The app's result file of this run, by its formulas (loadgen_info.dart, benchmark_result.dart)."""
    rate = 1.0 / (log.integer(MEAN) / 1e9)
    data = {"name": "TinyMMLU prompt set for LLM", "type": "MMLU", "data_path": "tinymmlu.tfrecord",
            "groundtruth_path": ""}  # fmt: skip
    shared = {"accuracy2": None, "dataset": data, "start_datetime": "2026-07-17T13:07:43"}
    performance = shared | {
        "throughput": {"value": rate}, "accuracy": None, "measured_duration": 0.09, "measured_samples": QUERIES,
        "loadgen": {
            "query_count": QUERIES, "latency_mean": 0.0, "latency90": 0.0,
            "latency_first_token_mean": log.integer("result_first_token_mean_latency_ns") / 1e9,
            "latency_first_token90": log.integer("result_first_token_90.00_percentile_latency_ns") / 1e9,
            "token_throughput": rate, "is_min_duration_met": True, "is_min_query_met": True,
            "is_early_stopping_met": True, "is_token_based": True, "is_result_valid": True,
        },
    }  # fmt: skip
    right = {"normalized": 0.43, "formatted": accuracy}
    answers = shared | {
        "throughput": None, "accuracy": right, "measured_duration": 9.0, "measured_samples": 100, "loadgen": None,
    }  # fmt: skip
    return {
        "meta": {"uuid": "9a26a185-bc1a-4f43-b58b-33402c0afb13", "creation_date": "2026-07-17T14:00:00",
                 "upload_date": None},
        "results": [{
            "benchmark_id": "llm-1b", "benchmark_name": "LLM 1B", "loadgen_scenario": "SingleStream",
            "backend_settings": {
                "accelerator_code": "cpu", "accelerator_desc": "CPU", "framework": "TFLite", "delegate": "CPU",
                "model_path": "[llama_q8_ekv3072.tflite, llama3_1b.spm.model]", "batch_size": 1, "extra_settings": [],
            },
            "backend_info": {"filename": "libtflite", "vendor_name": "Google", "backend_name": "TFLite",
                             "accelerator_name": "CPU"},
            "performance_run": performance, "accuracy_run": answers, "min_duration": 0.05, "min_samples": QUERIES,
        }],
        "environment_info": {"platform": "windows", "value": {
            "android": None, "ios": None, "windows": {"os_version": "11", "cpu_full_name": "P"}}},
        "build_info": {
            "version": "6.0.0", "build_number": "1", "build_date": "2026-07-01T00:00:00",
            "official_release_flag": True, "dev_test_flag": False, "backend_list": ["libtflite"],
            "git_branch": "submission-v6.0", "git_commit": "051a47af00", "git_dirty_flag": False,
        },
    }  # fmt: skip


TOLD = {
    "latency-agrees", "score-agrees", "score-relation", "tokens", "trace", "accuracy-text", "result-schema", "log-keys",
    "verdict", "numbers-agree", "summary-agrees", "log-record", "samples", "accuracy-log", "min-query-count-setting",
    "unknown-benchmark",
}  # fmt: skip
"""Rules without findings in a right result; the others are about the short duration, dates and missing files."""


def findings(device, registry, data):
    (device / "result.json").write_text(json.dumps(data))
    report = check(device.parents[3], registry)
    return {(each.rule, each.text) for each in report.findings if each.rule in TOLD}


def test_a_right_result_of_a_language_model(made, log, registry):
    assert findings(made[0], registry, app_file(log)) == set()


def with_load(**changes):
    def change(data):
        data["results"][0]["performance_run"]["loadgen"] |= changes

    return change


@pytest.mark.parametrize(
    ("change", "rule", "text"),
    [
        (with_load(latency_first_token90=0.5), "latency-agrees", "latency_first_token90 is 0.5"),
        (with_load(latency_first_token_mean=None), "latency-agrees", "latency_first_token_mean is None"),
        (with_load(token_throughput=1e6), "score-relation", "token_throughput 1000000.0"),
        (with_load(latency90=0.1), "score-relation", "the app writes 0"),
        (with_load(is_token_based=False), "latency-agrees", "is_token_based is False"),
        (
            lambda data: data["results"][0]["performance_run"]["loadgen"].pop("latency_first_token90"),
            "result-schema", "a key of the app is missing",
        ),
        (
            lambda data: data["results"][0]["accuracy_run"]["accuracy"].update(normalized=0.9),
            "accuracy-text", "the accuracy is 0.9",
        ),
    ],
)  # fmt: skip
def test_edits_of_its_result_file(made, log, registry, change, rule, text):
    data = app_file(log)
    change(data)
    assert any(found == rule and text in words for found, words in findings(made[0], registry, data))


@pytest.mark.parametrize("damage", ["faster", "fewer"])
def test_first_tokens_in_the_trace(made, log, registry, damage, tmp_path):
    """Percentiles of first tokens that were changed in both logs and the result file differ from the trace."""
    device = shutil.copytree(made[0], tmp_path / "closed/ACME/results/phone")
    logs = device / "llm-1b/SingleStream/log_performance"
    if damage == "faster":
        p90 = log.integer("result_first_token_90.00_percentile_latency_ns")
        for path in (logs / "mlperf_log_detail.txt", logs / "mlperf_log_summary.txt"):
            path.write_text(path.read_text().replace(str(p90), str(p90 - 10)))
    else:
        trace = logs / "mlperf_log_trace.json"
        lines = trace.read_text().splitlines(keepends=True)
        lines.remove(next(line for line in lines if '"Token"' in line))
        trace.write_text("".join(lines))
    texts = [each.text for each in check(tmp_path, registry).findings if each.rule == "trace"]
    expected = "result_first_token_90.00_percentile_latency_ns is" if damage == "faster" else "99 first tokens in the"
    assert any(text.startswith(expected) for text in texts), texts


def test_answers_over_the_limit_of_the_round(tmp_path, registry):
    run(tmp_path / "closed/ACME/results/phone/llm-1b/SingleStream/log_performance", lambda index: 200)
    report = check(tmp_path, registry, "v6.0")
    (found,) = [each.text for each in report.findings if each.rule == "tokens"]
    assert found.startswith("answers of 200.")
    assert found.endswith("the limit of llm-1b is 128")


def placeholder_log(count):
    """As the app logs answers: a byte each, and the number of tokens (mmlu_gen.cc)."""
    items = (f'{{ "seq_id" : {n}, "qsl_idx" : {n}, "data" : "01", "token_data" : "", "token_count" : {count} }}'
             for n in range(100))  # fmt: skip
    return "[\n" + ",\n".join(items) + "\n]\n"


@pytest.mark.parametrize("count", [2, 129])
def test_the_app_s_log_of_answers(tmp_path, make_detail, registry, count):
    """Placeholders are no copies of each other, nor scored; their number of tokens has the round's limit."""
    for name, when in (("llm-1b", "2026-07-17T13:07:43Z"), ("llm-3b", "2026-07-17T13:27:43Z")):
        folder = tmp_path / f"closed/ACME/results/phone/{name}/SingleStream/log_accuracy"
        folder.mkdir(parents=True)
        values = {
            "requested_test_mode": "AccuracyOnly", "effective_scenario": "SingleStream",
            "effective_test_mode": "AccuracyOnly", "qsl_reported_total_count": 100, "qsl_name": "MmluGen",
        }  # fmt: skip
        (folder / "mlperf_log_detail.txt").write_text(make_detail(values, when, SEEDS.model_dump()))
        (folder / "mlperf_log_accuracy.json").write_text(placeholder_log(count))
    report = check(tmp_path, registry)
    found = [each.text for each in report.findings if each.rule in ("tokens", "copied-log", "accuracy-log", "samples")]
    assert [text[:17] for text in found] == ["answers of 129 to"] * 2 * (count > 128)
    assert not [each for each in report.findings if each.rule == "accuracy-recomputed"]


def test_an_imported_result_has_the_tokens_of_the_log(made, log, registry):
    device, told = made
    (device / "result.json").write_text(json.dumps(app_file(log)))
    (result,), _ = read(device.parents[3], registry)
    score = result.performance.score
    assert (result.benchmark, result.task, score.unit) == ("llm-1b", "multiple_choice", "tokens/s")
    assert score.value == 1.0 / (log.integer(MEAN) / 1e9)
    assert result.performance.tokens.generated["total"] == sum(each.new for each in told)
    assert result.performance.tokens.ttft_ns["p90"] == log.number("result_first_token_90.00_percentile_latency_ns")
    assert (result.accuracy.metric, result.accuracy.value, result.accuracy.passed) == ("accuracy", 0.43, None)
    assert result.accuracy.unverified
    assert {rule.name: rule.ok for rule in result.rules}["min-query-count"]


def test_a_result_file_alone(log, tmp_path, registry):
    path = tmp_path / "result.json"
    path.write_text(json.dumps(app_file(log)))
    assert app_forms.read(path).results[0].performance.token_based
    (result,), _ = read(path, registry)
    facts = result.performance.tokens
    assert facts.ttft_ns["mean"] == pytest.approx(log.number("result_first_token_mean_latency_ns"))
    assert (facts.tpot_ns, "p90" in result.performance.latency_ns) == ({}, False)
    assert result.performance.score.unit == "tokens/s"


def test_what_is_imported_is_exported_as_the_app_writes_it(made, log, registry):
    device, _ = made
    (device / "result.json").write_text(json.dumps(app_file(log)))
    (result,), _ = read(device.parents[3], registry)
    again, given = app_export.app_file([result])["results"][0], app_file(log)["results"][0]
    assert again["performance_run"]["loadgen"] == given["performance_run"]["loadgen"]
    assert again["performance_run"]["throughput"] == given["performance_run"]["throughput"]
    assert again["accuracy_run"]["accuracy"] == given["accuracy_run"]["accuracy"]
    assert again["performance_run"]["dataset"]["type"] == "MMLU"


@given(st.dictionaries(st.sampled_from([MEAN, TOTAL, "result_token_throughput", "result_mean_latency_ns",
                                        "result_first_token_mean_latency_ns", "result_time_to_output_token_min"]),
                       st.one_of(st.floats(), st.integers(), st.text(max_size=3), st.none())))  # fmt: skip
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_numbers_in_a_log(log, changed):
    entries = dict(log.entries) | {key: LogEntry(value, 1) for key, value in changed.items()}
    found = of(dataclasses.replace(log, entries=entries))
    found.facts()
    assert found.decode_per_s is None or found.decode_per_s > 0
