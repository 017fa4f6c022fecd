"""What this distribution offers."""

from __future__ import annotations

from collections.abc import Iterable

from mlperf_mobile.plugin import DatasetInfo, Ref, SuiteInfo, TaskInfo, hookimpl

_PACKAGE = "mlperf_mobile_task_image_classification"
_FIRST = ("v0.7", "v1.0", "v1.1", "v2.0", "v2.1", "v3.0", "v3.1", "v4.0")
_SECOND = ("v4.0", "v4.1", "v5.0", "v6.0")
_BENCHMARKS = {
    "image_classification": ("MobileNetEdgeTPU 224", _FIRST),
    "image_classification_offline": ("MobileNetEdgeTPU 224, offline", _FIRST),
    "image_classification_v2": ("MobileNetV4-Conv-L 384", _SECOND),
    "image_classification_offline_v2": ("MobileNetV4-Conv-L 384, offline", _SECOND),
}
"""The task's benchmarks in the rounds of MLPerf Mobile, by their official names."""


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
        summary="a folder of images with a label file, as of ILSVRC 2012",
        dataset=Ref(f"{_PACKAGE}.imagenet:ImageNet"),
        tasks=("image_classification",),
        options=Ref(f"{_PACKAGE}.options:ImageNetOptions"),
        hook_api=(2, 0),
    )
    yield DatasetInfo(
        name="fashion_mnist",
        summary="the 10,000 test images of Fashion-MNIST, 28x28 grey, 10 classes; comes with this package",
        dataset=Ref(f"{_PACKAGE}.fashion_mnist:FashionMnist"),
        tasks=("image_classification",),
        needs_path=False,
        hook_api=(2, 0),
    )


@hookimpl
def mlperf_mobile_suites() -> Iterable[SuiteInfo]:
    """Offer this task's part of the quickstart and of the rounds."""
    yield SuiteInfo(
        suite="quickstart",
        task="image_classification",
        summary="a small MobileNet on Fashion-MNIST",
        settings=f"{_PACKAGE}:quickstart.yaml",
        hook_api=(2, 0),
    )
    for benchmark, (summary, rounds) in _BENCHMARKS.items():
        for name in rounds:
            yield SuiteInfo(
                suite=name,
                task="image_classification",
                benchmark=benchmark,
                summary=summary,
                settings=f"{_PACKAGE}:suites.yaml#{benchmark}",
                hook_api=(2, 0),
            )
