"""Scores accuracy logs with a metric, or with the task and data set that the metric belongs to."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from mlperf_mobile.contracts import Dataset, DatasetWithWarnings, Metric, Score
from mlperf_mobile.errors import NOT_FOREIGN, DataError, ModelError, described
from mlperf_mobile.opening import open_dataset, open_task
from mlperf_mobile.options import shown
from mlperf_mobile.registry import Registry

if TYPE_CHECKING:
    from mlperf_mobile.config.scoring import Scoring  # a worker does without the configuration, which takes long

MAX_WARNINGS, MAX_WARNING = 20, 500
"""Maximum warnings of a data set, and characters of each."""


def score_log(path: Path, metric: Metric, sample_count: int) -> Score:
    """Score an accuracy log, which must have one response for each of ``sample_count`` samples.

    Raises:
        DataError: The log is damaged or incomplete.
        ModelError: The score is NaN or infinite.
        TypeError, ValueError: The metric returned something else than a score of at most ``sample_count`` samples.
    """
    from mlperf_mobile import loadgen

    seen = bytearray(sample_count)
    for index, response in loadgen.read_responses(path):
        if not 0 <= index < sample_count or seen[index]:
            why = "is answered twice" if 0 <= index < sample_count else f"is not one of the {sample_count} samples"
            raise DataError("accuracy-log", f"{path}: sample {index} {why}", "the log belongs to another data set")
        seen[index] = 1
        metric.update(index, response)
    if (answered := sum(seen)) != sample_count:
        hint = "the log belongs to another data set, or was cut short"
        raise DataError("accuracy-log", f"{path}: answers {answered} of {sample_count} samples", hint)
    return _checked(metric.score(), path, sample_count)


def _checked(found: object, path: Path, sample_count: int) -> Score:
    """What a metric returned, with Python's own numbers.

    Raises:
        TypeError: It is something else.
        ValueError: It counts more responses than there are, or none.
        ModelError: A number is NaN or infinite.
    """
    if not isinstance(found, Score):
        raise TypeError(f"score() returned {shown(found)}, a Score was expected")
    if not (isinstance(found.metric, str) and found.metric):
        raise TypeError(f"Score.metric is {shown(found.metric)}, a name was expected")
    details = {str(name): float(value) for name, value in found.details.items()}
    score = Score(found.metric, float(found.value), operator.index(found.samples), details)
    for name, value in {score.metric: score.value, **details}.items():
        if not math.isfinite(value):
            summary = f"{path.name}: the metric {name} is {value}, not a finite number"
            hint = "look at the metric of the task first, then for NaN in the outputs of the model or the backend"
            raise ModelError("score-not-finite", summary, hint)
    if not 0 < score.samples <= sample_count:
        raise ValueError(f"Score.samples is {score.samples}, but {sample_count} responses were scored")
    return score


def score(registry: Registry, scoring: Scoring, log: Path, warn: Callable[[str], None] = lambda text: None) -> Score:
    """Score a log with the task and data set in ``scoring``; ``warn`` receives the data set's warnings.

    Raises:
        DataError: The data set or the log is damaged, or they do not belong together.
    """
    dataset: Dataset | None = None
    try:
        dataset = open_dataset(registry, scoring.dataset)
        metric = open_task(registry, scoring.task, scoring.task_options).metric(dataset)
        for text in warnings_of(dataset):
            warn(text)
        return score_log(log, metric, len(dataset))
    except NOT_FOREIGN:
        raise
    except BaseException as error:
        if dataset is not None and in_truth(error, dataset):
            summary = f"dataset {scoring.dataset.name} failed: {described(error)}"
            raise DataError("dataset-failed", summary, "--debug shows where") from error
        summary = f"task {scoring.task} failed: {described(error)}"
        raise ModelError("task-failed", summary, "--debug shows where") from error


def in_truth(error: BaseException, dataset: Dataset) -> bool:
    """Whether an error that a metric passed on comes from the data set's ``truth``."""
    from traceback import walk_tb  # only after an error

    code = getattr(getattr(dataset, "truth", None), "__code__", None)
    return code is not None and any(frame.f_code is code for frame, _ in walk_tb(error.__traceback__))


def warnings_of(dataset: Dataset) -> list[str]:
    """The first warnings of a data set, each shortened."""
    texts = dataset.warnings if isinstance(dataset, DatasetWithWarnings) else ()
    return [str(text)[:MAX_WARNING] for text in islice(texts, MAX_WARNINGS)]
