"""Records of the reference app's result file, the same for all its forms since v1.1."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from mlperf_mobile.errors import DataError
from mlperf_mobile_rounds import benchmarks
from mlperf_mobile_rounds.benchmarks import OfficialBenchmark

OFFLINE = "Offline"
SINGLE_STREAM = "SingleStream"
_METRICS = {"%": "top-1", "map": "mAP", "miou": "mIoU", "db": "PSNR", "f1": "F1"}
_SHARES = ("top-1", "accuracy", "IFEval accuracy")
"""Metrics that the app writes in per cent."""
_WITHOUT_UNIT = ("F1", "CLIP")
_FORMATTED = re.compile(r"\s*(-?[0-9]+(?:\.[0-9]+)?) ?(%|[A-Za-z]{2,20}|)\s*")


class FormError(DataError):
    """A result file of an unknown form; ``where`` is the key."""

    def __init__(self, path: Path, where: str, what: str) -> None:
        summary = f"{path}: {where}: {what}" if where else f"{path}: {what}"
        super().__init__("result-form", summary, "is it the app's result file, or of a newer version?")
        self.where, self.what = where, what


@dataclass(frozen=True, slots=True)
class Accuracy:
    """An accuracy as the app gives it."""

    normalized: float
    """From 0 to 1; PSNR as a share of 100 dB."""
    formatted: str
    metric: str | None
    """The metric that the text names, if it does."""

    @property
    def value(self) -> float:
        """In the metric's own unit: PSNR in dB, everything else from 0 to 1."""
        return self.normalized * 100 if self.metric == "PSNR" else self.normalized


@dataclass(frozen=True, slots=True)
class Run:
    """One timed or accuracy run; fields that a form of the file lacks are None."""

    throughput: float | None
    accuracy: Accuracy | None
    accuracy2: Accuracy | None
    dataset: str
    data_type: str
    data_path: str
    groundtruth_path: str
    duration_s: float | None
    samples: int | None
    started: str | None
    valid: bool | None
    queries: int | None = None
    mean_s: float | None = None
    p90_s: float | None = None
    min_duration_met: bool | None = None
    min_queries_met: bool | None = None
    early_stopping_met: bool | None = None
    token_based: bool = False
    """A language model: the score is tokens per second, and the latencies are 0."""
    tokens_per_s: float | None = None
    first_token_mean_s: float | None = None
    first_token_p90_s: float | None = None
    busy_s: float | None = None
    """All latencies together, as v3.0 and v3.1 give them."""

    def valid_by(self, benchmark: OfficialBenchmark) -> bool:
        """Whether all that the benchmark does not waive is met, of a run that LoadGen calls invalid.

        The app always stops at the maximum duration, so that a run with too few queries has reached it.
        """
        waived = benchmark.of.early_stopping_ignored and self.early_stopping_met is False
        stopped = benchmark.of.generative and self.min_queries_met is False
        met = self.min_duration_met and (self.early_stopping_met or waived) and (self.min_queries_met or stopped)
        return bool(met and (waived or stopped))


@dataclass(frozen=True, slots=True)
class AppResult:
    """One benchmark of a result file."""

    key: str
    """The key of it in the file."""
    benchmark_id: str
    name: str
    scenario: str
    performance: Run | None
    accuracy: Run | None
    min_duration_s: float | None
    min_samples: int | None
    backend: str = ""
    vendor: str = ""
    library: str = ""
    accelerator: str = ""
    accelerator_code: str = ""
    accelerator_desc: str = ""
    framework: str = ""
    delegate: str = ""
    model_path: str = ""
    batch: int | None = None
    settings: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class AppFile:
    """A result file."""

    path: Path
    form: str
    """``flat`` (v1.1, v2.0), ``list`` (v2.1) or ``extended`` (since v3.0)."""
    results: tuple[AppResult, ...]
    uuid: str = ""
    created: str = ""
    run_mode: str = ""
    platform: str = ""
    device: tuple[tuple[str, str], ...] = ()
    app_version: str = ""
    app_build: tuple[tuple[str, str], ...] = ()
    unknown: tuple[str, ...] = ()
    """Keys that no known form has."""
    problems: tuple[tuple[str, str], ...] = ()
    """Keys, and what is wrong with their values."""
    facts: tuple[tuple[str, str], ...] = ()
    """Every value of the file by its key, as text; empty in the flat form."""
    empty: tuple[str, ...] = ()
    """The keys of every null and every empty object; empty in the flat form."""


def metric_of(formatted: str, benchmark: str) -> str | None:
    """The metric that an accuracy's text names, with what the benchmark says of texts that fit several."""
    found = _FORMATTED.fullmatch(formatted)
    unit = found[2].lower() if found else ""
    own = {"IC": "top-1", "LU": "F1"}.get(benchmark.partition("_")[0]) or benchmarks.metric_of(benchmark)
    if unit == "%":
        return own if own in _SHARES else None
    return _METRICS.get(unit) or (own if own in _WITHOUT_UNIT else None)


def accuracy_of_text(text: str, benchmark: str) -> Accuracy | None:
    """An accuracy from its text alone: ``75.32%``, ``0.2745 mAP``, ``94.4667``, ``33.39 dB``."""
    found = _FORMATTED.fullmatch(text)
    if not found:
        return None
    metric, number = metric_of(text, benchmark), float(found[1])
    share = found[2] == "%" or metric in ("F1", "PSNR")
    return Accuracy(number / 100 if share else number, text, metric)
