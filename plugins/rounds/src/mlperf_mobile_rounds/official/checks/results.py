"""Compares the app's result files with the logs, and the accuracy with its target."""

from __future__ import annotations

from mlperf_mobile_rounds import benchmarks
from mlperf_mobile_rounds.official import app_forms, app_results, json_files, json_places, verdict
from mlperf_mobile_rounds.official.app_results import OFFLINE, AppResult, Run
from mlperf_mobile_rounds.official.checks.context import Context, FileOf, LoggedRun
from mlperf_mobile_rounds.official.findings import Place, Report, Severity
from mlperf_mobile_rounds.official.loadgen_logs import DetailLog
from mlperf_mobile_rounds.official.rounds import Target
from mlperf_mobile_rounds.official.submission import ACCURACY, PERFORMANCE, DescriptionFile, part_of

_DIGITS = {"flat": 7, "list": 7, "extended": 10}
"""How exact a score is in each form: v1.1 to v2.1 computed it in 32 bits."""


def read_file(described: DescriptionFile, report: Report) -> FileOf | None:
    """A result file; its defects become findings."""
    try:
        text = json_files.text(described.path)
        data = json_files.parse(described.path, text)
    except json_files.JsonError as error:
        report.error("bad-json", Place(described.path, error.row, error.column), error.what)
        return None
    if not app_forms.looks_like(data):
        report.warning("result-form", Place(described.path), "not a result file of the app; ignored")
        return None
    try:
        content = app_forms.parse(described.path, data)
    except app_results.FormError as error:
        line = json_places.scan(text).line(error.where)
        report.error("result-form", Place(described.path, line, key=error.where), error.what)
        return None
    if not content.results:
        report.error("result-form", Place(described.path), "there are no results in it")
    if content.unknown:
        keys = ", ".join(content.unknown)
        report.warning("result-form", Place(described.path), f"keys that no known version of the app writes: {keys}")
    return FileOf(described.path, described.system, content, json_places.scan(text))


def check(context: Context) -> None:
    """Check every benchmark of every result file against its logs."""
    report = context.report
    performance, accuracy = context.of(PERFORMANCE), context.of(ACCURACY)
    seen = set()
    for file, result, key, place in context.results():
        seen.add(key)
        if not benchmarks.canonical(result.benchmark_id):
            report.warning("unknown-benchmark", place, f"no benchmark is called {result.benchmark_id!r}")
        if result.performance is None:
            report.error("pair", place, "there is no performance run in the result file")
        else:
            _relation(result, result.performance, place, report, flat=file.content.form == "flat")
            _performance(file, result, result.performance, performance.get(key), place, report)
            _logs_there(context, file, key in performance, place, PERFORMANCE)
        if result.accuracy is None or result.accuracy.accuracy is None:
            report.error("pair", place, "there is no accuracy in the result file")
        else:
            _target(context, key[1], result.accuracy, place)
            _logs_there(context, file, key in accuracy, place, ACCURACY)
    for key, run in (performance | accuracy).items():
        if key not in seen:
            why = "no result file has this benchmark, so neither its score nor its accuracy can be compared"
            if any(file.system == run.folder.system for file in context.files):
                report.error("pair", Place(run.folder.path), "the result file lacks the benchmark of these logs")
            else:
                report.skip("score-agrees", Place(run.folder.path), why)

    _files_there(context)


def _logs_there(context: Context, file: FileOf, there: bool, place: Place, mode: str) -> None:
    """In a submission every number has logs; a single file has none."""
    if file.system.division or context.submission.logs:
        alone = part_of(context.report.root) == "mode" or context.report.root.is_file()
        wrong = f"there are no logs of this {mode} run"
        context.report.require("pair", None if alone and not there else there, place, wrong)


def _files_there(context: Context) -> None:
    """Every system has a result file."""
    systems = {file.system for file in context.files}
    for system in sorted({run.folder.system for run in context.runs} - systems, key=str):
        if system.division and part_of(context.report.root) != "mode":
            text = f"{system} has no result file of the app"
            context.report.warning("result-file", Place(context.submission.root), text)


def _relation(result: AppResult, run: Run, place: Place, report: Report, *, flat: bool) -> None:
    """The app's own arithmetic: 1 / p90, and samples / p90 offline."""
    known = benchmarks.of(benchmarks.canonical(result.benchmark_id) or "")
    if run.valid is False and not (known and run.valid_by(known)):
        report.error("valid", place, "the result file says that the run is invalid")
    if run.throughput is None or run.throughput <= 0:
        report.error("score-relation", place, f"the score is {run.throughput}")
        return
    if result.batch == 0:
        report.note("batch", place, "batch_size is 0: the app of this time did not write it")
    if run.token_based:
        equal = verdict.same(run.throughput, run.tokens_per_s, 12)
        wrong = f"throughput is {run.throughput}, token_throughput {run.tokens_per_s}"
        report.require("score-relation", equal, place, wrong)
        wrong = f"latency_mean is {run.mean_s}, latency90 {run.p90_s}; the app writes 0 for a language model"
        report.require("score-relation", not run.mean_s and not run.p90_s, place, wrong)
        return
    if run.p90_s is None:
        if not flat:
            report.skip("score-relation", place, "this form of the file has no latency to compute the score from")
        return
    if not run.p90_s > 0:
        report.error("score-relation", place, f"the latency is {run.p90_s}")
        return
    expected = (run.samples or 0) / run.p90_s if result.scenario == OFFLINE else 1 / run.p90_s
    ok = verdict.same(run.throughput, expected, 12)
    text = f"throughput is {run.throughput!r}, but latency90 {run.p90_s!r} s gives {expected!r}"
    report.require("score-relation", ok, place, f"{text}: changed by hand?")
    _wasted(result, run, place, report)


def _wasted(result: AppResult, run: Run, place: Place, report: Report) -> None:
    """The app also counts samples that only pad the last batch."""
    minimum = result.min_samples
    if result.scenario == OFFLINE and minimum and run.samples and run.samples > minimum:
        share = (run.samples / minimum - 1) * 100
        text = f"the score counts {run.samples - minimum} samples that only pad the last batch: {share:.2f} % too much"
        report.warning("padded-samples", place, text)


def _performance(
    file: FileOf, result: AppResult, run: Run, logged: LoggedRun | None, place: Place, report: Report
) -> None:
    if logged is None or logged.detail is None or logged.verdict is None:
        report.skip("score-agrees", place, "there is no log of this run to compare with")
        return
    found, log = logged.verdict, logged.detail
    digits = _DIGITS[file.content.form]
    if result.scenario == OFFLINE:
        _offline_agrees(run, logged, place, report)
    else:
        score = found.score
        wrong = f"the score is {run.throughput}, the log gives {score}"
        report.require("score-agrees", verdict.same(run.throughput, score, digits), place, wrong)
        if run.queries is not None and found.queries is not None:
            ok = run.queries == found.queries
            report.require("queries-agree", ok, place, f"{run.queries} queries, the log says {found.queries}")
    if run.p90_s is not None and found.p90_ns is not None and not run.token_based:
        wrong = f"latency90 is {run.p90_s} s, the log says {found.p90_ns:.0f} ns"
        equal = bool(verdict.same(run.p90_s * 1e9, found.p90_ns, 12))
        longer = result.scenario == OFFLINE and run.p90_s * 1e9 > found.p90_ns  # of the whole query: no better a score
        report.require("latency-agrees", equal or longer, place, wrong)
    mean = log.number("result_mean_latency_ns")
    if run.mean_s is not None and mean is not None and not run.token_based:
        ok = abs(run.mean_s * 1e9 - mean) <= 1.0
        report.require("latency-agrees", ok, place, f"latency_mean is {run.mean_s} s, the log says {mean:.0f} ns")
    _token_times_agree(run, log, place, report)
    for name, claimed, key in (
        ("the run is valid", run.valid, None),
        ("the minimum duration is met", run.min_duration_met, "result_min_duration_met"),
        ("the minimum of queries is met", run.min_queries_met, "result_min_queries_met"),
        ("early stopping is met", run.early_stopping_met, "early_stopping_met"),
    ):
        own = verdict.own_valid(log) if key is None else log.flag(key)
        if claimed is not None and own is not None:
            wrong = f"the result file says that {name}: {claimed}; the log says {own}"
            report.require("validity-agrees", claimed == own, place, wrong)


def _token_times_agree(run: Run, log: DetailLog, place: Place, report: Report) -> None:
    """The app's times to the first token are LoadGen's."""
    measured = bool(log.flag("requested_use_token_latencies"))
    wrong = f"is_token_based is {run.token_based}, but use_token_latencies {measured} in the log"
    report.require("latency-agrees", run.token_based == measured, place, wrong)
    for name, claimed, key in (
        ("latency_first_token_mean", run.first_token_mean_s, "result_first_token_mean_latency_ns"),
        ("latency_first_token90", run.first_token_p90_s, "result_first_token_90.00_percentile_latency_ns"),
    ):
        logged = log.number(key)
        if run.token_based and logged is not None:
            ok = claimed is not None and abs(claimed * 1e9 - logged) <= 1.0
            report.require("latency-agrees", ok, place, f"{name} is {claimed} s, the log says {logged:.0f} ns")


def _offline_agrees(run: Run, logged: LoggedRun, place: Place, report: Report) -> None:
    """The app's number counts padding, LoadGen's does not; without padding they are equal."""
    found = logged.verdict
    if found is None or not found.throughput or not run.throughput or not found.samples:
        report.skip("score-agrees", place, "a number is missing in the file or in the log")
        return
    expected = found.throughput * max(run.samples or 0, found.samples) / found.samples
    share = run.throughput / expected
    wrong = f"the score is {run.throughput}, the log gives {expected:.6g}"
    severity = Severity.ERROR if share > 1 else Severity.WARNING
    report.require("score-agrees", abs(share - 1) < 1e-5, place, wrong, severity)


def _target(context: Context, benchmark: str, run: Run, place: Place) -> None:
    report, accuracy = context.report, run.accuracy
    if accuracy is None:
        return
    if not 0 <= accuracy.normalized <= 1:
        report.error("accuracy-target", place, f"the accuracy is {accuracy.normalized}, but must be from 0 to 1")
        return
    written = app_results.accuracy_of_text(accuracy.formatted, benchmark)
    if written is None and not benchmarks.is_generative(benchmark):
        report.error("accuracy-text", place, f"{accuracy.formatted[:40]!r} is not an accuracy as the app writes it")
    if written and written.metric:
        near = abs(written.normalized - accuracy.normalized) <= _half_a_digit(accuracy) * 1.01
        wrong = f"the accuracy is {accuracy.normalized}, but its text {accuracy.formatted!r}"
        report.require("accuracy-text", near, place, wrong)
    required = context.required(benchmark)
    target = required.target if required else None
    if target is None:
        where = f"the installed suite {context.round.name} has" if context.round else "the installed suites have"
        report.skip("accuracy-target", place, f"{where} no target for {benchmark}")
        return
    _judge(accuracy, target, place, report)


def _judge(accuracy: app_results.Accuracy, target: Target, place: Place, report: Report) -> None:
    if accuracy.metric is not None and accuracy.metric != target.metric:
        report.error("accuracy-target", place, f"the accuracy is {accuracy.formatted!r}, but should be {target.metric}")
        return
    if accuracy.metric is None:
        report.skip("accuracy-target", place, f"the accuracy {accuracy.formatted!r} does not name its metric")
        return
    text_only = 100 if target.metric == "PSNR" else 1
    slack = _half_a_digit(accuracy) * text_only
    reached = accuracy.value >= target.value
    wrong = f"the accuracy {accuracy.value:.6g} misses the target {target.value:.6g} ({target.metric}; {target.source})"
    if target.doubt:
        report.skip("accuracy-target", place, f"{'reached' if reached else wrong}, but {target.doubt}")
    elif not reached and accuracy.value + slack >= target.value and _rounded(accuracy):
        report.skip(
            "accuracy-target",
            place,
            f"{accuracy.formatted!r} is too coarse to say whether {target.value:.6g} is reached",
        )
    else:
        report.require("accuracy-target", reached, place, wrong)


def _rounded(accuracy: app_results.Accuracy) -> bool:
    """Whether the number was read from the text, as in v1.1 and v2.0, which have no other."""
    read = app_results.accuracy_of_text(accuracy.formatted, "LU_" if accuracy.metric == "F1" else "IC_")
    return read is not None and read.normalized == accuracy.normalized


def _half_a_digit(accuracy: app_results.Accuracy) -> float:
    """Half of the last digit of an accuracy's text, of a number from 0 to 1."""
    number = accuracy.formatted.strip().rstrip("%").split(" ")[0]
    digits = len(number.partition(".")[2])
    share = 0.01 if accuracy.metric in ("F1", "PSNR") or "%" in accuracy.formatted else 1.0
    return 0.5 * float(10**-digits) * share
