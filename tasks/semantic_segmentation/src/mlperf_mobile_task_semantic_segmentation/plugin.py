"""The hooks of this distribution."""

from __future__ import annotations

from collections.abc import Iterable

from mlperf_mobile.plugin import DatasetInfo, Ref, SuitesInfo, TaskInfo, hookimpl

_PACKAGE = "mlperf_mobile_task_semantic_segmentation"


@hookimpl
def mlperf_mobile_tasks() -> Iterable[TaskInfo]:
    """Offer the task."""
    yield TaskInfo(
        name="semantic_segmentation",
        summary="what each pixel of an image shows; mIoU",
        task=Ref(f"{_PACKAGE}.task:SemanticSegmentation"),
        settings=f"{_PACKAGE}:task.yaml",
        options=Ref(f"{_PACKAGE}.options:TaskOptions"),
        hook_api=(2, 0),
    )


@hookimpl
def mlperf_mobile_datasets() -> Iterable[DatasetInfo]:
    """Offer ADE20K, and the quickstart's data."""
    yield DatasetInfo(
        name="ade20k",
        summary="images and annotations of ADE20K, prepared at 512x512 or as published; 31 classes",
        dataset=Ref(f"{_PACKAGE}.ade20k:ADE20K"),
        tasks=("semantic_segmentation",),
        options=Ref(f"{_PACKAGE}.options:ADE20KOptions"),
        hook_api=(2, 0),
    )
    yield DatasetInfo(
        name="fashion_masks",
        summary="250 scenes of 128x128 pixels, composed of Fashion-MNIST, 10 classes; packaged",
        dataset=Ref(f"{_PACKAGE}.fashion_masks:FashionMasks"),
        tasks=("semantic_segmentation",),
        needs_path=False,
        hook_api=(2, 0),
    )


@hookimpl
def mlperf_mobile_suites() -> Iterable[SuitesInfo]:
    """Offer this task's part of the quickstart and of the rounds."""
    yield SuitesInfo(settings=f"{_PACKAGE}:suites.yaml", hook_api=(2, 0))
