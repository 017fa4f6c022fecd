"""The hooks of this distribution."""

from __future__ import annotations

from collections.abc import Iterable

from mlperf_mobile.plugin import DatasetInfo, Ref, SuitesInfo, TaskInfo, hookimpl

_PACKAGE = "mlperf_mobile_task_image_classification"


@hookimpl
def mlperf_mobile_tasks() -> Iterable[TaskInfo]:
    """Offer the task."""
    yield TaskInfo(
        name="image_classification",
        summary="which of the classes an image shows; top-1",
        task=Ref(f"{_PACKAGE}.task:ImageClassification"),
        settings=f"{_PACKAGE}:task.yaml",
        options=Ref(f"{_PACKAGE}.options:TaskOptions"),
        hook_api=(2, 0),
    )


@hookimpl
def mlperf_mobile_datasets() -> Iterable[DatasetInfo]:
    """Offer ImageNet folders, and the quickstart's data."""
    yield DatasetInfo(
        name="imagenet",
        summary="a folder of images with a label file, such as ILSVRC 2012",
        dataset=Ref(f"{_PACKAGE}.imagenet:ImageNet"),
        tasks=("image_classification",),
        options=Ref(f"{_PACKAGE}.options:ImageNetOptions"),
        hook_api=(2, 0),
    )
    yield DatasetInfo(
        name="fashion_mnist",
        summary="the 10,000 test images of Fashion-MNIST, 28x28 greyscale, 10 classes; packaged",
        dataset=Ref(f"{_PACKAGE}.fashion_mnist:FashionMnist"),
        tasks=("image_classification",),
        needs_path=False,
        hook_api=(2, 0),
    )


@hookimpl
def mlperf_mobile_suites() -> Iterable[SuitesInfo]:
    """Offer this task's part of the quickstart and of the rounds."""
    yield SuitesInfo(settings=f"{_PACKAGE}:suites.yaml", hook_api=(2, 0))
