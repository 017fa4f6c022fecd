"""Scores accuracy logs with a metric, or with the task and data set that the metric belongs to."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from mlperf_mobile import loadgen
from mlperf_mobile.contracts import Dataset, DatasetWithWarnings, Metric, Score
from mlperf_mobile.errors import NOT_FOREIGN, DataError, ModelError, described
from mlperf_mobile.options import validated
from mlperf_mobile.picking import pick
from mlperf_mobile.plan import DatasetRef
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
    """
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
    score = metric.score()
    if not math.isfinite(score.value):
        summary = f"{path}: the metric {score.metric} is {score.value}, not a finite number"
        raise ModelError("score-not-finite", summary, "look for NaN in the outputs of the model or the backend")
    return score


def score(registry: Registry, scoring: Scoring, log: Path, warn: Callable[[str], None] = lambda text: None) -> Score:
    """Score a log with the task and data set in ``scoring``; ``warn`` receives the data set's warnings.

    Raises:
        DataError: The data set or the log is damaged, or they do not belong together.
    """
    try:
        dataset = open_dataset(registry, scoring.dataset)
        offer = pick("task", scoring.task, registry.tasks, registry)
        task = offer.info.task.load()(validated("task", offer, scoring.task_options))
        metric = task.metric(dataset)
        for text in warnings_of(dataset):
            warn(text)
        return score_log(log, metric, len(dataset))
    except NOT_FOREIGN:
        raise
    except BaseException as error:
        summary = f"task {scoring.task} failed: {described(error)}"
        raise ModelError("task-failed", summary, "--debug shows where") from error


def warnings_of(dataset: Dataset) -> list[str]:
    """The first warnings of a data set, each shortened."""
    texts = dataset.warnings if isinstance(dataset, DatasetWithWarnings) else ()
    return [str(text)[:MAX_WARNING] for text in islice(texts, MAX_WARNINGS)]


def open_dataset(registry: Registry, reference: DatasetRef) -> Dataset:
    """Open a data set.

    Raises:
        DataError: It has no samples, or cannot be read.
    """
    offer = pick("dataset", reference.offer, registry.datasets, registry)
    try:
        dataset = offer.info.dataset.load()(reference.path, validated("dataset", offer, reference.options))
        total = len(dataset)
    except NOT_FOREIGN:
        raise
    except BaseException as error:
        summary = f"dataset {reference.name} failed: {described(error)}"
        raise DataError("dataset-failed", summary, "worker.log in the result folder has the details") from error
    if not total:
        raise DataError("data-empty", f"data set {reference.name} has no samples", "check --data-path")
    return dataset
