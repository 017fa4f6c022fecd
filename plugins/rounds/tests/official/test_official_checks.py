"""Every rule of the checker, by a submission that breaks it; and the official rounds, whose numbers are known."""

from __future__ import annotations

import json
import math
import os
import shutil

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mlperf_mobile.errors import DataError, UsageError
from mlperf_mobile_rounds.commands import check as check_command
from mlperf_mobile_rounds.official import app_export, verdict
from mlperf_mobile_rounds.official.checker import check, read_trees
from mlperf_mobile_rounds.official.checks import summary
from mlperf_mobile_rounds.official.findings import Report, Severity
from mlperf_mobile_rounds.official.imported import read

V40_SEEDS = {"qsl": 13281865557512327830, "sample_index": 198141574272810017, "schedule": 7575108116881280410}


def rules(report, severity=Severity.ERROR):
    return {finding.rule for finding in report.findings if finding.severity is severity}


def append(path, text):
    path.write_text(path.read_text() + text)


def replace(path, old, new, count=-1):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, count))


def test_a_right_submission_is_clean(tree, registry):
    report = check(tree.root, registry)
    assert rules(report, Severity.WARNING) == {
        "trace",
        "accuracy-log",
        "deliverables",
        "benchmarks",
    }  # it is an excerpt
    assert rules(report) == set()
    assert report.clean
    assert report.round == "v3.1"
    assert {"seeds", "valid", "verdict", "summary-agrees", "score-agrees", "accuracy-target", "pair"} <= set(
        report.passed
    )


STOPPED = {
    "requested_max_duration_ms": 300000, "effective_max_duration_ms": 300000, "result_query_count": 40,
    "result_qps_with_loadgen_overhead": 0.1297, "result_qps_without_loadgen_overhead": 0.13,
    "result_mean_latency_ns": 7692307692, "result_min_latency_ns": 7600000000, "result_max_latency_ns": 7900000000,
    **{f"result_{each}_percentile_latency_ns": 7700000000
       for each in ("50.00", "90.00", "95.00", "97.00", "99.00", "99.90")},
    "result_min_queries_met": False, "early_stopping_met": False, "result_validity": "INVALID",
    "early_stopping_result": "", "early_stopping_latency_ss": 0, "early_stopping_latency_ms": 0,
    "power_begin": "09-01-2023 14:05:21.000", "power_end": "09-01-2023 14:10:29.400",
}  # fmt: skip
"""40 queries of 7.7 s in 300 s: too few for early stopping."""


@pytest.mark.parametrize(("benchmark", "wrong"), [("stable_diffusion", set()), ("super_resolution", {"valid"})])
def test_early_stopping_that_only_stable_diffusion_ignores(benchmark, wrong, tree, registry):
    """LoadGen calls both invalid, and so does the app's file."""
    tree.log(tree.single, **STOPPED)
    tree.single.parent.parent.rename(tree.device / benchmark)
    data = json.loads(tree.result.read_text())
    data["results"] = data["results"][:1]
    data["results"][0]["benchmark_id"] = benchmark
    run = data["results"][0]["performance_run"]
    run["throughput"]["value"], run["measured_samples"] = 1 / 7.7, 40
    run["loadgen"] |= {
        "query_count": 40, "latency_mean": 7.692307692, "latency90": 7.7, "is_early_stopping_met": False,
        "is_min_query_met": False, "is_result_valid": False,
    }  # fmt: skip
    tree.json(tree.result, data)
    assert rules(check(tree.root, registry)) & {"valid", "verdict", "validity-agrees", "score-agrees"} == wrong
    for source in (tree.root, tree.result):
        found, _ = read(source, registry)
        (result,) = [each for each in found if (each.benchmark, each.scenario) == (benchmark, "single-stream")]
        assert all(rule.ok for rule in result.rules if rule.name != "quality-target") is (not wrong)
    (result,) = [each for each in read(tree.root, registry)[0] if each.performance and each.scenario != "offline"]
    exported = app_export.app_file([result])["results"][0]["performance_run"]["loadgen"]
    flags = [name for name in exported if name.startswith("is_")]
    assert [exported[name] for name in flags] == [run["loadgen"][name] for name in flags]


def test_what_could_not_be_checked_is_said(tree, registry):
    unchecked = {each.rule for each in check(tree.root, registry).unchecked}
    assert unchecked == {"accuracy-recomputed", "loadgen-sources"}


BROKEN = {
    "performance-sample-count": lambda t, d: t.log(t.single, effective_performance_sample_count=256),
    "loadgen-sources": lambda t, d: t.log(t.single, loadgen_file_sha1={"/loadgen.cc": "0" * 40}),
    "seeds": lambda t, d: (t.single / "mlperf_log_detail.txt").write_text(
        d["detail"](d["single"], "2023-09-01T14:05:20Z", seeds=V40_SEEDS)
    ),
    "mode": lambda t, d: t.log(t.single, effective_test_mode="AccuracyOnly"),
    "scenario": lambda t, d: t.log(t.single, effective_scenario="MultiStream"),
    "log-missing": lambda t, d: (t.single / "mlperf_log_summary.txt").unlink(),
    "log-empty": lambda t, d: (t.single / "mlperf_log_detail.txt").write_text(""),
    "log-damaged": lambda t, d: append(t.single / "mlperf_log_detail.txt", "half a line\n"),
    "log-cut-short": lambda t, d: (t.single / "mlperf_log_detail.txt").write_text(
        (t.single / "mlperf_log_detail.txt").read_text()[:-300]
    ),
    "summary-cut-short": lambda t, d: replace(t.single / "mlperf_log_summary.txt", "No errors encountered", "No"),
    "loadgen-error": lambda t, d: t.log(t.single, error_runtime="it broke"),
    "percentile": lambda t, d: t.log(t.single, requested_single_stream_target_latency_percentile=0.5),
    "numbers-agree ": lambda t, d: t.log(t.single, result_query_count=70001, early_stopping_result=""),
    "numbers-agree": lambda t, d: t.log(t.single, **{"result_90.00_percentile_latency_ns": 1250000}),
    "verdict": lambda t, d: t.log(t.single, result_query_count=1000, early_stopping_result=""),
    "valid": lambda t, d: t.log(t.single, result_validity="INVALID"),
    "summary-agrees": lambda t, d: replace(t.single / "mlperf_log_summary.txt", "1100000", "1000000", 1),
    "min-query-count-setting": lambda t, d: t.log(
        t.offline, requested_min_query_count=64, effective_samples_per_query=64
    ),
    "min-duration-setting": lambda t, d: t.log(
        t.single, requested_min_duration_ms=1000, effective_min_duration_ms=1000, result_query_count=2000
    ),
    "pair": lambda t, d: shutil.rmtree(t.single.with_name("log_accuracy")),
    "same-run": lambda t, d: (t.offline / "mlperf_log_detail.txt").write_text(
        d["detail"](d["offline"], "2023-09-03T14:12:00Z")
    ),
    "loadgen-version": lambda t, d: (t.single / "mlperf_log_detail.txt").write_text(
        d["detail"](d["single"], "2023-09-01T14:05:20Z", version="3.0 @ NA")
    ),
    "score-relation": lambda t, d: t.edit(
        t.result, "results", 0, "performance_run", "throughput", "value", value=1 / 0.0011 * 1.001
    ),
    "score-agrees": lambda t, d: t.edit(t.result, "results", 1, "performance_run", "throughput", "value", value=3100.0),
    "latency-agrees": lambda t, d: t.edit(
        t.result, "results", 0, "performance_run", "loadgen", "latency90", value=0.00109
    ),
    "queries-agree": lambda t, d: t.edit(
        t.result, "results", 0, "performance_run", "loadgen", "query_count", value=60002
    ),
    "validity-agrees": lambda t, d: t.edit(
        t.result, "results", 0, "performance_run", "loadgen", "is_min_query_met", value=False
    ),
    "accuracy-target": lambda t, d: t.edit(
        t.result, "results", 0, "accuracy_run", "accuracy", value={"normalized": 0.7466, "formatted": "74.66%"}
    ),
    "accuracy-text": lambda t, d: t.edit(
        t.result, "results", 0, "accuracy_run", "accuracy", "formatted", value="75.42%"
    ),
    "bad-json": lambda t, d: replace(t.system, '"S 1"', '"S 1",'),
    "result-form": lambda t, d: t.edit(t.result, "results", 0, "performance_run", "throughput", value="fast"),
    "measurement-keys": lambda t, d: t.edit(t.measurement, "retraining", value=""),
    "unfinished": lambda t, d: t.edit(t.system, "DRAM", value="TO FILL IN: size"),
    "system-file": lambda t, d: t.system.unlink(),
    "measurement-file": lambda t, d: t.measurement.unlink(),
    "log-rewritten": lambda t, d: append(
        t.single / "mlperf_log_detail.txt", ':::MLLOG {"key": "result_validity", "value": "INVALID"}\n'
    ),
    "mode ": lambda t, d: t.log(t.single, effective_test_mode="SubmissionRun"),
    "pair ": lambda t, d: shutil.rmtree(t.device / "mobilenetEdgeTPU"),
    "score-relation ": lambda t, d: t.edit(
        t.result, "results", 0, "performance_run", "throughput", "value", value=float("nan")
    ),
    "accuracy-target ": lambda t, d: t.edit(
        t.result, "results", 0, "accuracy_run", "accuracy", value={"normalized": 75.32, "formatted": "7532.00%"}
    ),
    "result-form ": lambda t, d: t.edit(t.result, "results", value=[]),
}


@pytest.mark.parametrize("rule", BROKEN)
def test_each_error_is_found(rule, tree, registry, make_detail, single_stream, offline):
    BROKEN[rule](tree, {"detail": make_detail, "single": single_stream, "offline": offline})
    report = check(tree.root, registry)
    assert rule.strip() in rules(report)
    assert not report.clean


FORM = {"division": "closed", "submitter": "ACME", "status": "available", "system_name": "P", "number_of_nodes": 1}
"""The form of MLPerf's inference benchmarks."""


@pytest.mark.parametrize("key", [None, *FORM])
def test_a_description_lacks_no_required_key(key, tree, registry):
    told = json.loads(tree.system.read_text()) | FORM
    told.pop(key, None)
    tree.system.write_text(json.dumps(told))
    found = [f.place.key for f in check(tree.root, registry).findings if f.rule == "system-keys"]
    assert found == ([key] if key else [])


def test_systems_and_measurements_of_other_devices_without_results_by_device(tree, registry):
    for path in list(tree.device.iterdir()):
        path.rename(tree.device.parent / path.name)
    tree.device.rmdir()
    before = rules(check(tree.root, registry))
    tree.system.rename(tree.system.with_name("tablet.json"))
    assert rules(check(tree.root, registry)) - before >= {"system-file", "measurement-file"}


OTHER_DEVICE = {
    "operating system": {"OS Version": "iOS 17"},
    "processor": {"Processor Name": "Exynos 2200", "System": "ACME Phone, Snapdragon 8 Gen 3"},
    "maker": {"System": "Samsung Phone"},
}


@pytest.mark.parametrize("what", OTHER_DEVICE)
def test_a_description_of_another_device(what, tree, registry):
    props = ("environment_info", "value", "android", "props", 0, "value")
    tree.edit(tree.result, *props, value="SM8650")
    tree.system.write_text(json.dumps(json.loads(tree.system.read_text()) | {"Processor Name": "Snapdragon 8 Gen 3"}))
    assert not [f for f in check(tree.root, registry).findings if f.rule == "result-fields"]
    tree.system.write_text(json.dumps(json.loads(tree.system.read_text()) | OTHER_DEVICE[what]))
    assert "result-fields" in rules(check(tree.root, registry))


def test_a_summary_that_is_there_twice(tree, registry):
    path = tree.single / "mlperf_log_summary.txt"
    path.write_text(path.read_text() * 2)
    assert "summary-agrees" in rules(check(tree.root, registry))


WARNED = {
    "expected-latency": lambda t: t.log(t.single, requested_single_stream_expected_latency_ns=2e6),
    "queries-left": lambda t: t.log(t.single, generated_query_count=60001),
    "min-query-count-setting": lambda t: t.log(t.single, requested_min_query_count=1000),
    "padded-samples": lambda t: t.edit(t.result, "results", 1, "performance_run", "measured_samples", value=24720),
    "score-agrees": lambda t: t.edit(t.result, "results", 1, "performance_run", "throughput", "value", value=3000.0),
    "system-keys": lambda t: t.edit(t.system, "DRAM", value=""),
    "result-file": lambda t: t.result.unlink(),
    "unknown-benchmark": lambda t: (t.device / "mobilenetEdgeTPU").rename(t.device / "somethingNew"),
    "log-encoding": lambda t: (t.single / "mlperf_log_detail.txt").write_text(
        (t.single / "mlperf_log_detail.txt").read_text(), encoding="utf-16"
    ),
}


@pytest.mark.parametrize("rule", WARNED)
def test_each_warning_is_given(rule, tree, registry):
    WARNED[rule](tree)
    assert rule in rules(check(tree.root, registry), Severity.WARNING)


def test_an_error_in_json_has_line_and_column(tree, registry):
    replace(tree.system, '"S 1"', '"S 1",')
    (finding,) = [f for f in check(tree.root, registry).findings if f.rule == "bad-json"]
    assert (finding.place.path, finding.place.line, finding.place.column) == (tree.system, 8, 1)
    assert "comma" in finding.text


def test_a_finding_names_the_line_of_the_log(tree, registry):
    tree.log(tree.single, requested_single_stream_target_latency_percentile=0.5)
    (finding,) = [f for f in check(tree.root, registry).findings if f.rule == "percentile"]
    line = (tree.single / "mlperf_log_detail.txt").read_text().splitlines()[finding.place.line - 1]
    assert "requested_single_stream_target_latency_percentile" in line


def test_accuracy_logs_of_two_devices_that_are_one(tree, registry):
    shutil.copytree(tree.device, tree.device.with_name("tablet"))
    report = check(tree.root, registry)
    assert "copied-log" in rules(report, Severity.WARNING)


def test_unknown_seeds_leave_the_round_open(tree, registry, make_detail, single_stream):
    odd = {"qsl": 1, "sample_index": 2, "schedule": 3}
    for path in tree.root.rglob("mlperf_log_detail.txt"):
        text = path.read_text()
        for old, new in zip((148687905518835231, 520418551913322573, 811580660758947900), odd.values(), strict=True):
            text = text.replace(str(old), str(new))
        path.write_text(text)
    report = check(tree.root, registry)
    assert report.round is None
    assert {"round", "seeds", "settings", "accuracy-target"} <= {each.rule for each in report.unchecked}
    told = check(tree.root, registry, "v3.1")
    assert "seeds" in rules(told)


def test_an_unknown_round_is_a_usage_error(tree, registry):
    with pytest.raises(UsageError) as caught:
        check(tree.root, registry, "v3.2")
    assert caught.value.code == "unknown-round"


@pytest.mark.parametrize("make", [lambda p: p, lambda p: (p.mkdir(), (p / "notes.txt").write_text("x"))])
def test_nothing_is_never_clean(make, tmp_path, registry):
    folder = tmp_path / "closed"
    make(folder)
    if not folder.exists():
        with pytest.raises(DataError):
            check(folder, registry)
        return
    report = check(folder, registry)
    assert rules(report) == {"no-results"}
    assert not report.clean


def test_a_folder_without_permission_is_a_finding(tree, registry, permissions_bind):
    tree.single.chmod(0)
    try:
        report = check(tree.root, registry)
    finally:
        tree.single.chmod(0o755)
    assert "unreadable" in rules(report)
    assert not report.clean


def test_a_folder_that_cannot_be_listed_is_a_finding(tree, registry, monkeypatch):
    real = os.scandir

    def refusing(path="."):
        if str(path).endswith("log_performance"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", refusing)
    report = check(tree.root, registry)
    assert "unreadable" in rules(report)
    assert not report.clean


def test_a_folder_that_leads_back_to_itself_ends(tree, registry):
    (tree.device / "again").symlink_to(tree.root)
    assert rules(check(tree.root, registry)) == {"symlink"}


def test_the_command(tree, command):
    code, text = command(check_command, tree.root)
    assert code == 0
    assert text.splitlines()[-1].startswith("round v3.1; 0 errors")
    tree.log(tree.single, result_validity="INVALID")
    code, text = command(check_command, tree.root, "--json")
    told = json.loads(text)
    assert (code, told["schema"], told["clean"]) == (1, 1, False)
    assert told["counts"]["error"] == sum(f["severity"] == "error" for f in told["findings"]) > 0
    code, text = command(check_command, tree.root)
    assert "closed/ACME/results/phone/mobilenetEdgeTPU/SingleStream/log_performance/mlperf_log_detail.txt" in text


def test_a_file_that_commands_the_terminal(tree, registry):
    tree.edit(tree.result, "results", 0, "benchmark_id", value="\x1b[2Jimage\ud800")
    text = "\n".join(check_command.lines(check(tree.root, registry), everything=True))
    assert text.isascii()
    assert "\x1b" not in text
    (tree.device / "odd\udcff").mkdir()
    (tree.device / "odd\udcff" / "result.json").write_text("{")
    "\n".join(check_command.lines(check(tree.root, registry))).encode()


def test_a_pipe_is_not_waited_for(tree, registry):
    os.mkfifo(tree.device / "results.json")
    tree.system.unlink()
    os.mkfifo(tree.system)
    assert "bad-json" in rules(check(tree.root, registry))


@pytest.mark.slow
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_mutated_submission_never_surprises(data, tree, registry):
    """Whatever is changed, there is a report, and a log that is not whole is never called clean."""
    paths = sorted(path for path in tree.root.rglob("*") if path.is_file())
    path = data.draw(st.sampled_from(paths))
    raw = path.read_bytes()
    place = data.draw(st.integers(0, len(raw)))
    spoilt = data.draw(
        st.sampled_from(
            [raw[:place], raw[:place] + b"\0" * 9 + raw[place:], raw[:place] + raw[place + 9 :], b"", raw * 2]
        )
    )
    path.write_bytes(spoilt)
    try:
        report = check(tree.root, registry)
        json.dumps(report.to_json())
        if path.name == "mlperf_log_detail.txt" and len(spoilt) < len(raw) - 9:
            assert not report.clean
    finally:
        path.write_bytes(raw)


# The official rounds.

KNOWN = {
    "v2.0": set(),
    "v3.0": {"bad-json", "same-run", "result-fields"},
    "v3.1": set(),
}
"""What is wrong with them, looked up by hand: a missing comma in SD8CXG3.json, and super-resolution of SD7PG2, whose
accuracy log is of another day, and not of the run that the result file tells of."""


@pytest.mark.parametrize("name", KNOWN)
def test_official_rounds(name, official_results, registry):
    report = check(official_results / name, registry)
    assert report.round == name
    assert rules(report) == KNOWN[name]


def test_the_verdict_of_every_official_log_is_recomputed(official_results, registry):
    report = Report(official_results)
    seen = 0
    for context in read_trees(official_results, registry, report):
        for run in context.runs:
            if run.verdict is None:
                continue
            seen += 1
            log = run.detail
            assert run.verdict.contradictions == ()
            assert run.verdict.valid == verdict.own_valid(log) is True
            assert run.verdict.p90_ns == run.summary.number("90.00 percentile latency (ns)")
            if run.verdict.scenario == "Offline":
                assert run.verdict.throughput == pytest.approx(run.summary.number("Samples per second"), rel=1e-5)
            else:
                assert run.summary.percentile == ("90", run.verdict.p90_ns)
                told = run.summary.number("QPS w/ loadgen overhead")
                assert run.verdict.throughput == pytest.approx(told, rel=1e-5, abs=0.006)
    assert seen == 54


# Accuracies, computed anew from answers.


@pytest.fixture
def answered(tree, tmp_path, monkeypatch):
    """A cache with ImageNet's validation set, of four images, and answers of which three are right."""
    images = tmp_path / "cache" / "local" / "mlperf_datasets" / "imagenet" / "img"
    images.mkdir(parents=True)
    for number in range(4):
        (images / f"ILSVRC2012_val_{number + 1:08}.JPEG").write_bytes(b"no image is decoded to score a log")
    (images.parent / "imagenet_val_full.txt").write_text("65\n970\n230\n809\n")
    monkeypatch.setenv("MLPERF_MOBILE_CACHE", str(tmp_path / "cache"))
    tree.edit(tree.result, "results", 0, "accuracy_run", "accuracy", value={"normalized": 0.75, "formatted": "75.00%"})
    log = tree.single.with_name("log_accuracy") / "mlperf_log_accuracy.json"
    answers = [(2, 230), (0, 65), (3, 1), (1, 970)]
    items = (
        f'{{ "seq_id" : {n}, "qsl_idx" : {index}, "data" : "{answer.to_bytes(4, "little").hex().upper()}" }}'
        for n, (index, answer) in enumerate(answers)
    )
    log.write_text("[\n" + ",\n".join(items) + "\n]\n")
    return log


def of_rule(report, rule="accuracy-recomputed"):
    return [finding.text for finding in report.findings if finding.rule == rule]


def test_an_accuracy_is_computed_anew(tree, answered, registry):
    report = check(tree.root, registry)
    assert (report.passed["accuracy-recomputed"], of_rule(report)) == (1, [])


@pytest.mark.parametrize(
    "names", [("mlperf_log_accuracy.json_aa", "mlperf_log_accuracy.json_ab"), ("mlperf_log_accuracy_aa",)]
)
def test_a_log_of_answers_in_parts(names, tree, answered, registry):
    raw = answered.read_bytes()
    answered.unlink()
    cut = 70 if len(names) > 1 else len(raw)
    for name, part in zip(names, (raw[:cut], raw[cut:]), strict=False):
        answered.with_name(name).write_bytes(part)
    report = check(tree.root, registry)
    assert (report.passed["accuracy-recomputed"], of_rule(report)) == (1, [])


def test_answers_that_say_something_else(tree, answered, registry):
    replace(answered, "41000000", "42000000")
    (text,) = of_rule(check(tree.root, registry))
    assert "the accuracy log gives 0.5" in text


@pytest.mark.parametrize("spoil", [lambda raw: raw[:150], lambda raw: raw.replace(b'"qsl_idx" : 3', b'"qsl_idx" : 2')])
def test_answers_that_are_not_whole(spoil, tree, answered, registry):
    answered.write_bytes(spoil(answered.read_bytes()))
    (text,) = of_rule(check(tree.root, registry))
    assert "cannot be scored" in text


def test_an_app_that_logs_no_answers(tree, answered, registry):
    answered.write_text(
        '[\n{ "seq_id" : 0, "qsl_idx" : 0, "data" : "" },\n{ "seq_id" : 1, "qsl_idx" : 1, "data" : "" }\n]\n'
    )
    report = check(tree.root, registry)
    (told,) = [each.why for each in report.unchecked if each.place.path == answered]
    assert told == "the app logs no responses of this benchmark"


@given(st.floats(0.02, 5e6), st.booleans())
@example(83751.2345, True)
def test_rates_of_the_summary_are_those_of_the_detail_log(rate, cut):
    """The summary has two digits after the point, the detail log six digits in all; both of one rate, and no other."""
    printed = math.floor(rate * 100) / 100 if cut else round(rate, 2)
    assert summary._in_hundredths(printed, float(f"{rate:.6g}"))
    assert not summary._in_hundredths(printed + max(0.04, rate * 1e-4), float(f"{rate:.6g}"))
    assert not summary._in_hundredths(None, rate)
