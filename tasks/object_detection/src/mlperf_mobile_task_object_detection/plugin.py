"""What this distribution offers."""

from __future__ import annotations

from collections.abc import Iterable

from mlperf_mobile.plugin import DatasetInfo, Ref, SuiteInfo, TaskInfo, hookimpl

_PACKAGE = "mlperf_mobile_task_object_detection"
_ROUNDS = {
    "v0.7": ("object_detection_first", "SSD-MobileNetV2 300"),
    **dict.fromkeys(
        ("v1.0", "v1.1", "v2.0", "v2.1", "v3.0", "v3.1", "v4.0", "v4.1", "v5.0", "v6.0"),
        ("object_detection", "SSD-MobileDet 320"),
    ),
}
"""The rounds of MLPerf Mobile, and their settings and models."""


@hookimpl
def mlperf_mobile_tasks() -> Iterable[TaskInfo]:
    """Offer the task."""
    yield TaskInfo(
        name="object_detection",
        summary="where which objects are in an image; mAP",
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
        summary="a folder of images with their objects, as of COCO's validation set",
        dataset=Ref(f"{_PACKAGE}.coco:Coco"),
        tasks=("object_detection",),
        options=Ref(f"{_PACKAGE}.options:CocoOptions"),
        hook_api=(2, 0),
    )
    yield DatasetInfo(
        name="fashion_scenes",
        summary="250 scenes of 128x128 pixels, composed of Fashion-MNIST, 10 classes; comes with this package",
        dataset=Ref(f"{_PACKAGE}.fashion_scenes:FashionScenes"),
        tasks=("object_detection",),
        needs_path=False,
        hook_api=(2, 0),
    )


@hookimpl
def mlperf_mobile_suites() -> Iterable[SuiteInfo]:
    """Offer this task's part of the quickstart and of the rounds."""
    yield SuiteInfo(
        suite="quickstart",
        task="object_detection",
        summary="a small SSD on scenes composed of Fashion-MNIST",
        settings=f"{_PACKAGE}:quickstart.yaml",
        hook_api=(2, 0),
    )
    for name, (settings, summary) in _ROUNDS.items():
        yield SuiteInfo(
            suite=name,
            task="object_detection",
            summary=summary,
            settings=f"{_PACKAGE}:suites.yaml#{settings}",
            hook_api=(2, 0),
        )
