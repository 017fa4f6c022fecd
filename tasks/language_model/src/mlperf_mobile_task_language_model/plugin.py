"""The hooks of this distribution."""

from __future__ import annotations

from collections.abc import Iterable

from mlperf_mobile.plugin import DatasetInfo, Ref, SuitesInfo, TaskInfo, hookimpl

_PACKAGE = "mlperf_mobile_task_language_model"


@hookimpl
def mlperf_mobile_tasks() -> Iterable[TaskInfo]:
    """Offer both tasks."""
    yield TaskInfo(
        name="multiple_choice",
        summary="which of four answers a language model chooses; accuracy",
        task=Ref(f"{_PACKAGE}.multiple_choice:MultipleChoice"),
        settings=f"{_PACKAGE}:multiple_choice.yaml",
        options=Ref(f"{_PACKAGE}.options:MultipleChoiceOptions"),
        hook_api=(2, 3),
    )
    yield TaskInfo(
        name="instruction_following",
        summary="whether a language model's answers follow instructions; IFEval",
        task=Ref(f"{_PACKAGE}.instruction_following:InstructionFollowing"),
        settings=f"{_PACKAGE}:instruction_following.yaml",
        options=Ref(f"{_PACKAGE}.options:InstructionOptions"),
        hook_api=(2, 3),
    )


@hookimpl
def mlperf_mobile_datasets() -> Iterable[DatasetInfo]:
    """Offer TinyMMLU and IFEval in all their forms, data of one's own, and the quickstart's."""
    yield DatasetInfo(
        name="tinymmlu",
        summary="TinyMMLU: the MLPerf Mobile app's TFRecord file, or the parquet file of tinyBenchmarks",
        dataset=Ref(f"{_PACKAGE}.choices:TinyMmlu"),
        tasks=("multiple_choice",),
        options=Ref(f"{_PACKAGE}.options:FileOptions"),
        hook_api=(2, 3),
    )
    yield DatasetInfo(
        name="multiple_choice_lines",
        summary="questions of your own as JSON lines: prompts, or questions with choices",
        dataset=Ref(f"{_PACKAGE}.choices:MultipleChoiceLines"),
        tasks=("multiple_choice",),
        options=Ref(f"{_PACKAGE}.options:ChoiceOptions"),
        hook_api=(2, 3),
    )
    yield DatasetInfo(
        name="made_up_questions",
        summary="100 questions about a made-up world, in TinyMMLU's form; packaged",
        dataset=Ref(f"{_PACKAGE}.choices:MadeUpQuestions"),
        tasks=("multiple_choice",),
        needs_path=False,
        hook_api=(2, 3),
    )
    yield DatasetInfo(
        name="ifeval",
        summary="IFEval: the MLPerf Mobile app's TFRecord file, the published JSON lines, or your own in this form",
        dataset=Ref(f"{_PACKAGE}.requests:IfEval"),
        tasks=("instruction_following",),
        options=Ref(f"{_PACKAGE}.options:FileOptions"),
        hook_api=(2, 3),
    )
    yield DatasetInfo(
        name="made_up_requests",
        summary="60 requests with instructions in IFEval's form; packaged",
        dataset=Ref(f"{_PACKAGE}.requests:MadeUpRequests"),
        tasks=("instruction_following",),
        needs_path=False,
        hook_api=(2, 3),
    )


@hookimpl
def mlperf_mobile_suites() -> Iterable[SuitesInfo]:
    """Offer these tasks' part of the quickstart and of the rounds."""
    yield SuitesInfo(settings=f"{_PACKAGE}:suites.yaml", hook_api=(2, 3))
