"""What this distribution offers."""

from __future__ import annotations

from collections.abc import Iterable

from mlperf_mobile.plugin import DatasetInfo, Ref, SuiteInfo, TaskInfo, hookimpl

_PACKAGE = "mlperf_mobile_task_question_answering"
_ROUNDS = ("v0.7", "v1.0", "v1.1", "v2.0", "v2.1", "v3.0", "v3.1", "v4.0", "v4.1", "v5.0", "v6.0")


@hookimpl
def mlperf_mobile_tasks() -> Iterable[TaskInfo]:
    """Offer the task."""
    yield TaskInfo(
        name="question_answering",
        summary="which words of a passage answer a question; F1",
        task=Ref(f"{_PACKAGE}.task:QuestionAnswering"),
        settings=f"{_PACKAGE}:task.yaml",
        options=Ref(f"{_PACKAGE}.options:TaskOptions"),
        hook_api=(2, 0),
    )


@hookimpl
def mlperf_mobile_datasets() -> Iterable[DatasetInfo]:
    """Offer SQuAD as text and as the reference app's records, and the quickstart's data."""
    yield DatasetInfo(
        name="squad",
        summary="a JSON file in the format of SQuAD v1.1, with the model's vocabulary",
        dataset=Ref(f"{_PACKAGE}.squad:Squad"),
        tasks=("question_answering",),
        options=Ref(f"{_PACKAGE}.options:SquadOptions"),
        hook_api=(2, 0),
    )
    yield DatasetInfo(
        name="squad_tfrecord",
        summary="SQuAD v1.1 as MLPerf Mobile's app has it: tokenised, in two TFRecord files",
        dataset=Ref(f"{_PACKAGE}.squad_tfrecord:SquadRecords"),
        tasks=("question_answering",),
        options=Ref(f"{_PACKAGE}.options:RecordOptions"),
        hook_api=(2, 0),
    )
    yield DatasetInfo(
        name="made_up_facts",
        summary="200 questions about 100 made-up passages; comes with this package",
        dataset=Ref(f"{_PACKAGE}.made_up_facts:MadeUpFacts"),
        tasks=("question_answering",),
        needs_path=False,
        hook_api=(2, 0),
    )


@hookimpl
def mlperf_mobile_suites() -> Iterable[SuiteInfo]:
    """Offer this task's part of the quickstart and of the rounds."""
    yield SuiteInfo(
        suite="quickstart",
        task="question_answering",
        summary="a small transformer on made-up passages",
        settings=f"{_PACKAGE}:quickstart.yaml",
        hook_api=(2, 0),
    )
    for name in _ROUNDS:
        yield SuiteInfo(
            suite=name,
            task="question_answering",
            benchmark="natural_language_processing",
            summary="MobileBERT 384",
            settings=f"{_PACKAGE}:suites.yaml#natural_language_processing",
            hook_api=(2, 0),
        )
