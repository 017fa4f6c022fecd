"""The published results, each with the log that it was read from; light enough for a listing.

``official.csv`` has every performance log of rounds v1.1 to v5.0 that is public: the 90th percentile of single-stream
in nanoseconds, or the samples per second of offline, digit by digit as LoadGen printed them; the accuracy as the result
file of the submission states it; device and processor as its systems file names them. Empty is what was not published.
Sources: github.com/mlcommons, the repositories ``mobile_submission_1.1`` and ``mobile_results_v2.0`` to ``v5.0``.
Other distributions add tables with the same columns: ``results`` under ``official`` in their suites.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, fields
from functools import cache, lru_cache

from mlperf_mobile import performance_score
from mlperf_mobile.config.document import resource
from mlperf_mobile.errors import UsageError, did_you_mean
from mlperf_mobile.performance_score import PerformanceScore
from mlperf_mobile.problems import Problem
from mlperf_mobile_rounds import benchmarks as described

PREFIX = "official:"
_OFFLINE = "_offline"
"""The suffix of a task's throughput benchmark in the rounds: ``image_classification_offline``."""
_QUALIFIER = re.compile(
    r"[uq]?int(8|16)|dynamic|float(16|32)?|fp(16|32)|quant(ized)?|qat|ptq|full|conv|large|l|x2|argmax|ade20k|batch|offline"
    r"|224|320|384|512|0|1|4|20200602|htp|dsp|npu|gpu|cpu|tpu|tflite|dlc|nnc|onnx"
)
"""Words in a file name that do not make it another model."""
OFFLINE = "offline"
_NUMBER = re.compile(r"0*[1-9][0-9]*|(?=.*[1-9])[0-9]+\.[0-9]+")


@dataclass(frozen=True, slots=True)
class PublishedBenchmark:
    """What the results of one benchmark have in common; results of two benchmarks are never compared."""

    name: str
    scenario: str
    task: str
    metric: str
    model: str
    known_as: tuple[str, ...]
    """Prefixes of the model's file names."""

    @property
    def score(self) -> PerformanceScore:
        """The first published score, for the name, unit and direction of all of them."""
        return _first_score(self.name, self.scenario)

    def runs(self, model: str) -> bool:
        """Whether a model of this name is the benchmark's, in any precision or format."""
        name = re.sub(r"[^a-z0-9]+", "_", model.lower()).strip("_")
        starts = (start for start in self.known_as if f"{name}_".startswith(f"{start}_"))
        return any(all(map(_QUALIFIER.fullmatch, filter(None, name[len(start) :].split("_")))) for start in starts)


@dataclass(frozen=True, slots=True)
class PublishedResult:
    """One published result."""

    round: str
    division: str
    category: str
    organisation: str
    system: str
    """The folder of the submission."""
    device: str
    soc: str
    benchmark: str
    scenario: str
    p90_ns: str
    samples_per_s: str
    accuracy: str
    framework: str
    accelerator: str
    repository: str
    path: str

    @property
    def name(self) -> str:
        """``ROUND/SYSTEM/BENCHMARK``; a throughput of a benchmark that is named without it is ``…_offline``."""
        benchmark = self.benchmark
        if self.score.higher_is_better and _OFFLINE not in benchmark:
            benchmark += _OFFLINE
        return f"{self.round}/{self.system}/{benchmark}"

    @property
    def score(self) -> PerformanceScore:
        """The published number: the 90th percentile of the latency, or the throughput."""
        if self.p90_ns:
            return performance_score.latency(0.9, float(self.p90_ns))
        return performance_score.throughput(float(self.samples_per_s))

    @property
    def value(self) -> float:
        """Nanoseconds of the 90th percentile, or samples per second."""
        return float(self.p90_ns or self.samples_per_s)

    @property
    def text(self) -> str:
        """The value with its published digits: milliseconds, or samples per second."""
        return f"{_milliseconds(self.p90_ns)} ms" if self.p90_ns else f"{self.samples_per_s} samples/s"

    @property
    def accuracy_value(self) -> float | None:
        """The accuracy as a fraction, or in dB, from its text; None if it has no number."""
        number = re.match(r"[0-9.]+", self.accuracy)
        if number is None:
            return None
        value = float(number.group())
        percent = self.accuracy.endswith("%") or described.metric_of(self.benchmark) == "F1"
        return value / 100 if percent else value

    @property
    def runs_on(self) -> str:
        """Framework and accelerator, as far as published."""
        return " ".join(filter(None, (self.framework, self.accelerator)))


@cache
def benchmarks() -> tuple[PublishedBenchmark, ...]:
    """Every benchmark with published results, in each of its scenarios."""
    published = {(row.benchmark, row.scenario) for row in published_results()}
    return tuple(
        PublishedBenchmark(each.name, scenario, each.of.task, each.of.metric, each.model, each.models)
        for each in described.known().benchmarks.values()
        for scenario in each.scenarios
        if (each.name, scenario) in published
    )


@cache
def published_results() -> tuple[PublishedResult, ...]:
    """Every published result, by round; an unusable table is a problem of its plugin."""
    rows: list[PublishedResult] = []
    for reference, source in described.known().results:
        try:
            rows += _table(reference)
        except UsageError as error:
            problem = Problem(error.code, source, error.summary, error.hint)
            described.known().problems.append(problem)
    return tuple(rows)


def _table(reference: str) -> list[PublishedResult]:
    """The results in a CSV file of a package.

    Raises:
        UsageError: It cannot be read, or a row is not that of a known benchmark with one number; names file and line.
    """
    label = reference.replace(":", "/", 1)
    known = {(each.name, scenario) for each in described.known().benchmarks.values() for scenario in each.scenarios}
    columns = [each.name for each in fields(PublishedResult)]
    rows = []
    try:
        reader = csv.DictReader(resource(reference, label).decode("utf-8").splitlines(), strict=True)
        if reader.fieldnames != columns:
            raise UsageError("bad-value", f"{label}:1: the columns are not {','.join(columns)}", "write these columns")
        for row in reader:
            place = f"{label}:{reader.line_num}"
            if None in row or None in row.values():
                raise UsageError("bad-value", f"{place}: a row has {len(columns)} values", "write one for each column")
            if (row["benchmark"], row["scenario"]) not in known:
                name = f"{row['benchmark']} ({row['scenario']})"
                raise UsageError(
                    "bad-value", f"{place}: no benchmark {name} is described", "describe it, or correct it"
                )
            score, other = ("samples_per_s", "p90_ns") if row["scenario"] == OFFLINE else ("p90_ns", "samples_per_s")
            if row[other] or not _NUMBER.fullmatch(row[score]):
                summary = f"{place}: the score of {row['scenario']} is {score} alone, a number over zero"
                raise UsageError("bad-value", summary, "write the number that was published")
            rows.append(PublishedResult(**row))
    except (UnicodeError, csv.Error) as error:
        raise UsageError("bad-value", f"{label}: {error}", "the file must be CSV in UTF-8") from error
    return rows


@cache
def _first_score(benchmark: str, scenario: str) -> PerformanceScore:
    return next(row.score for row in published_results() if (row.benchmark, row.scenario) == (benchmark, scenario))


@lru_cache(maxsize=1024)
def benchmark_of(model: str, scenario: str) -> PublishedBenchmark | None:
    """The benchmark whose published results a run of this model in this scenario can be compared with."""
    return next((b for b in benchmarks() if b.scenario == scenario and b.runs(model)), None)


def find(name: str) -> list[PublishedResult]:
    """The results that ``[official:]ROUND/SYSTEM[/BENCHMARK]`` names, ignoring case.

    Raises:
        UsageError: No result has this name.
    """
    label = name.removeprefix(PREFIX)
    key = label.strip("/").lower()
    found = [row for row in published_results() if key in (row.name.lower(), row.name.rpartition("/")[0].lower())]
    if not found:
        names = {row.name for row in published_results()} | {row.name.rpartition("/")[0] for row in published_results()}
        near = {each for each in names if each.count("/") == label.count("/")} or names
        hint = did_you_mean(label, near)
        if len(hint) > 300:
            hint = "names are ROUND/SYSTEM/BENCHMARK, as 'mlperf-mobile leaderboard' shows them"
        raise UsageError("no-official-result", f"no official result is called {label!r}", hint)
    return found


def _milliseconds(nanoseconds: str) -> str:
    digits = nanoseconds.rjust(7, "0")
    return f"{digits[:-6]}.{digits[-6:]}"
