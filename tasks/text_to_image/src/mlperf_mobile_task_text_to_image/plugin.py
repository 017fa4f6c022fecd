"""The hooks of this distribution."""

from __future__ import annotations

from collections.abc import Iterable

from mlperf_mobile.plugin import DatasetInfo, Ref, SuitesInfo, TaskInfo, hookimpl

_PACKAGE = "mlperf_mobile_task_text_to_image"


@hookimpl
def mlperf_mobile_tasks() -> Iterable[TaskInfo]:
    """Offer the task."""
    yield TaskInfo(
        name="text_to_image",
        summary="a picture made from a caption; CLIP score",
        task=Ref(f"{_PACKAGE}.task:TextToImage"),
        settings=f"{_PACKAGE}:task.yaml",
        hook_api=(2, 0),
    )


@hookimpl
def mlperf_mobile_datasets() -> Iterable[DatasetInfo]:
    """Offer captions in JSON lines, and the reference app's."""
    yield DatasetInfo(
        name="captions",
        summary="captions with their token ids, one JSON object per line",
        dataset=Ref(f"{_PACKAGE}.captions:Captions"),
        tasks=("text_to_image",),
        options=Ref(f"{_PACKAGE}.options:CaptionOptions"),
        hook_api=(2, 0),
    )
    yield DatasetInfo(
        name="coco_gen",
        summary="captions of COCO as the reference app has them, a TFRecord file",
        dataset=Ref(f"{_PACKAGE}.coco_gen:CocoGen"),
        tasks=("text_to_image",),
        options=Ref(f"{_PACKAGE}.options:CaptionOptions"),
        hook_api=(2, 0),
    )


@hookimpl
def mlperf_mobile_suites() -> Iterable[SuitesInfo]:
    """Offer this task's part of the quickstart."""
    yield SuitesInfo(settings=f"{_PACKAGE}:suites.yaml", hook_api=(2, 0))
