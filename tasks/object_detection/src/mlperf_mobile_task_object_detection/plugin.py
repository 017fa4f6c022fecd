"""The hooks of this distribution."""

from __future__ import annotations

from collections.abc import Iterable

from mlperf_mobile.plugin import DatasetInfo, Ref, SuitesInfo, TaskInfo, hookimpl

_PACKAGE = "mlperf_mobile_task_object_detection"


@hookimpl
def mlperf_mobile_tasks() -> Iterable[TaskInfo]:
    """Offer the task."""
    yield TaskInfo(
        name="object_detection",
        summary="which objects an image shows, and where; mAP",
        task=Ref(f"{_PACKAGE}.task:ObjectDetection"),
        settings=f"{_PACKAGE}:task.yaml",
        options=Ref(f"{_PACKAGE}.options:TaskOptions"),
        hook_api=(2, 0),
    )


@hookimpl
def mlperf_mobile_datasets() -> Iterable[DatasetInfo]:
    """Offer folders of images with boxes, and the quickstart's data."""
    yield DatasetInfo(
        name="coco",
        summary="a folder of images with annotated objects, such as COCO's validation set",
        dataset=Ref(f"{_PACKAGE}.coco:Coco"),
        tasks=("object_detection",),
        options=Ref(f"{_PACKAGE}.options:CocoOptions"),
        hook_api=(2, 0),
    )
    yield DatasetInfo(
        name="fashion_scenes",
        summary="250 scenes of 128x128 pixels, composed of Fashion-MNIST, 10 classes; packaged",
        dataset=Ref(f"{_PACKAGE}.fashion_scenes:FashionScenes"),
        tasks=("object_detection",),
        needs_path=False,
        hook_api=(2, 0),
    )


@hookimpl
def mlperf_mobile_suites() -> Iterable[SuitesInfo]:
    """Offer this task's part of the quickstart and of the rounds."""
    yield SuitesInfo(settings=f"{_PACKAGE}:suites.yaml", hook_api=(2, 0))
