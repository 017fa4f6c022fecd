"""The hooks of this distribution."""

from __future__ import annotations

from collections.abc import Iterable

from mlperf_mobile.plugin import DatasetInfo, Ref, SuitesInfo, TaskInfo, hookimpl

_PACKAGE = "mlperf_mobile_task_question_answering"


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
        summary="a JSON file in SQuAD v1.1's format, with the model's vocabulary",
        dataset=Ref(f"{_PACKAGE}.squad:Squad"),
        tasks=("question_answering",),
        options=Ref(f"{_PACKAGE}.options:SquadOptions"),
        hook_api=(2, 0),
    )
    yield DatasetInfo(
        name="squad_tfrecord",
        summary="SQuAD v1.1 in the MLPerf Mobile app's format: tokenised, in two TFRecord files",
        dataset=Ref(f"{_PACKAGE}.squad_tfrecord:SquadRecords"),
        tasks=("question_answering",),
        options=Ref(f"{_PACKAGE}.options:RecordOptions"),
        hook_api=(2, 0),
    )
    yield DatasetInfo(
        name="made_up_facts",
        summary="200 questions about 100 made-up passages; packaged",
        dataset=Ref(f"{_PACKAGE}.made_up_facts:MadeUpFacts"),
        tasks=("question_answering",),
        needs_path=False,
        hook_api=(2, 0),
    )


@hookimpl
def mlperf_mobile_suites() -> Iterable[SuitesInfo]:
    """Offer this task's part of the quickstart and of the rounds."""
    yield SuitesInfo(settings=f"{_PACKAGE}:suites.yaml", hook_api=(2, 0))
