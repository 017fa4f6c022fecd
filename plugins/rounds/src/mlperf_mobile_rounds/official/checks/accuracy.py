"""Computes accuracies again from the accuracy logs, if the data set is on this machine."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlperf_mobile import loadgen
from mlperf_mobile.errors import MobileError
from mlperf_mobile.registry import Registry
from mlperf_mobile_rounds import benchmarks
from mlperf_mobile_rounds.official import loadgen_logs
from mlperf_mobile_rounds.official.checks.context import Context, LoggedRun
from mlperf_mobile_rounds.official.findings import Place, Report
from mlperf_mobile_rounds.official.rounds import RoundBenchmark
from mlperf_mobile_rounds.official.submission import ACCURACY

RULE = "accuracy-recomputed"
TOLERANCE = 1e-4
"""Of a number from 0 to 1; the app computes in 32 bits."""
MAX_BYTES = 2 << 30
"""Accuracy logs in parts are joined up to this size."""


def check(context: Context, registry: Registry) -> None:
    """Compare the accuracy in a result file with the one that the answers give."""
    claims = {
        key: result.accuracy.accuracy
        for _, result, key, _ in context.results()
        if result.accuracy and result.accuracy.accuracy
    }
    for key, run in context.of(ACCURACY).items():
        required = context.required(run.benchmark)
        paths = _parts(run, context.report)
        place = Place(paths[0] if paths else run.folder.path)
        if reason := _not_possible(run, paths, required):
            context.report.skip(RULE, place, reason)
            continue
        assert required is not None
        assert context.round is not None
        value = _score(paths, required, context.round.name, place, registry, context.report)
        claimed = claims.get(key)
        if value is None:
            continue
        if claimed is None:
            context.report.note(
                RULE,
                place,
                f"the accuracy log gives {value:.6g} ({required.dataset}); there is no result file to compare with",
            )
            continue
        scale = 100.0 if required.target and required.target.metric == "PSNR" else 1.0
        ok = abs(value / scale - claimed.normalized) <= TOLERANCE
        wrong = (
            f"the accuracy log gives {value:.6g}, but the result file says {claimed.formatted!r} ({claimed.normalized})"
        )
        context.report.require(RULE, ok, place, wrong)


def _parts(run: LoggedRun, report: Report) -> list[Path]:
    try:
        return loadgen_logs.parts(run.folder.path, loadgen.ACCURACY_LOG)
    except OSError as error:
        report.error("unreadable", Place(run.folder.path), f"cannot be read: {error.strerror}")
        return []


def _not_possible(run: LoggedRun, paths: list[Path], required: RoundBenchmark | None) -> str:
    """Why the accuracy cannot be computed; empty if it may be possible."""
    if not paths:
        return "there is no accuracy log"
    task = benchmarks.task(benchmarks.task_of(run.benchmark))
    if task and task.placeholder_responses and run.detail and run.detail.text("qsl_name") == task.library:
        return "the app logs no responses of this benchmark"
    if required is None:
        return "the data set of this benchmark is not known"
    try:
        with paths[0].open("rb") as file:
            start = file.read(4096)
    except OSError as error:
        return f"the accuracy log cannot be read: {error.strerror}"
    lines = [line for line in start.splitlines() if b'"data"' in line]
    if not lines:
        return "the accuracy log has no responses"
    if not re.search(rb'"data"\s*:\s*"[^"]', start):
        return "the app logs no responses of this benchmark"
    return ""


def _score(
    paths: list[Path], required: RoundBenchmark, round_name: str, place: Place, registry: Registry, report: Report
) -> float | None:
    from mlperf_mobile.config.document import Setting
    from mlperf_mobile.config.layers import load_environment
    from mlperf_mobile.config.scoring import resolve_scoring
    from mlperf_mobile.config.selection import Request
    from mlperf_mobile.scoring import score

    flags = {"suite": Setting(round_name, "--round"), "tasks": Setting([required.name], "check")}
    try:
        scoring = resolve_scoring(registry, Request(environment=load_environment(), flags=flags))
    except MobileError as error:
        report.skip(RULE, place, f"data set {required.dataset}: {error.summary}")
        return None
    if scoring.missing:
        report.skip(RULE, place, f"data set {required.dataset} is not on this machine; get it with mlperf-mobile fetch")
        return None
    try:
        with _joined(paths) as log:
            return float(score(registry, scoring, log).value)
    except MobileError as error:
        report.error(RULE, place, f"the responses cannot be scored: {error.summary}")
    except (OSError, MemoryError) as error:
        report.skip(RULE, place, f"the responses cannot be scored: {error}")
    return None


@contextmanager
def _joined(paths: list[Path]) -> Iterator[Path]:
    """One file: the only one, or a temporary copy of all parts."""
    if len(paths) == 1:
        yield paths[0]
        return
    if sum(path.stat().st_size for path in paths) > MAX_BYTES:
        raise OSError(f"larger than {MAX_BYTES >> 30} GB in all")
    with tempfile.TemporaryDirectory(prefix="mlperf-mobile-") as folder:
        whole = Path(folder) / loadgen.ACCURACY_LOG
        with whole.open("wb") as out:
            for path in paths:
                with path.open("rb") as part:
                    while data := part.read(1 << 20):
                        out.write(data)
        yield whole
