"""What this distribution offers."""

from __future__ import annotations

from collections.abc import Iterable

from mlperf_mobile.plugin import DatasetInfo, Ref, SuiteInfo, TaskInfo, hookimpl

_PACKAGE = "mlperf_mobile_task_semantic_segmentation"
_BENCHMARKS = {
    "image_segmentation": ("DeepLabv3+ on MobileNetV2, 512", ("v0.7", "v1.0", "v1.1", "v2.0")),
    "image_segmentation_v2": ("MOSAIC, 512", ("v2.0", "v2.1", "v3.0", "v3.1", "v4.0", "v4.1", "v5.0", "v6.0")),
}
"""The task's benchmarks in the rounds of MLPerf Mobile, by their official names."""


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
        summary="images and annotations of ADE20K, prepared at 512x512 or as they are published; 31 classes",
        dataset=Ref(f"{_PACKAGE}.ade20k:ADE20K"),
        tasks=("semantic_segmentation",),
        options=Ref(f"{_PACKAGE}.options:ADE20KOptions"),
        hook_api=(2, 0),
    )
    yield DatasetInfo(
        name="fashion_masks",
        summary="250 scenes of 128x128 with clothes of Fashion-MNIST, 10 classes; comes with this package",
        dataset=Ref(f"{_PACKAGE}.fashion_masks:FashionMasks"),
        tasks=("semantic_segmentation",),
        needs_path=False,
        hook_api=(2, 0),
    )


@hookimpl
def mlperf_mobile_suites() -> Iterable[SuiteInfo]:
    """Offer this task's part of the quickstart and of the rounds."""
    yield SuiteInfo(
        suite="quickstart",
        task="semantic_segmentation",
        summary="a small segmenter on scenes of Fashion-MNIST",
        settings=f"{_PACKAGE}:quickstart.yaml",
        hook_api=(2, 0),
    )
    for benchmark, (summary, rounds) in _BENCHMARKS.items():
        for name in rounds:
            yield SuiteInfo(
                suite=name,
                task="semantic_segmentation",
                benchmark=benchmark,
                summary=summary,
                settings=f"{_PACKAGE}:suites.yaml#{benchmark}",
                hook_api=(2, 0),
            )
