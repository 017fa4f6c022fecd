"""The hooks of this distribution."""

from __future__ import annotations

from collections.abc import Iterable

from mlperf_mobile.plugin import DatasetInfo, Ref, SuitesInfo, TaskInfo, hookimpl

_PACKAGE = "mlperf_mobile_task_super_resolution"


@hookimpl
def mlperf_mobile_tasks() -> Iterable[TaskInfo]:
    """Offer the task."""
    yield TaskInfo(
        name="super_resolution",
        summary="an image enlarged by an integer factor; PSNR in dB",
        task=Ref(f"{_PACKAGE}.task:SuperResolution"),
        settings=f"{_PACKAGE}:task.yaml",
        options=Ref(f"{_PACKAGE}.options:TaskOptions"),
        hook_api=(2, 0),
    )


@hookimpl
def mlperf_mobile_datasets() -> Iterable[DatasetInfo]:
    """Offer folders of image pairs, and the quickstart's data."""
    yield DatasetInfo(
        name="snu_sr",
        summary="two folders of images, low and high resolution, such as SNU-SR or DIV2K",
        dataset=Ref(f"{_PACKAGE}.pairs:Pairs"),
        tasks=("super_resolution",),
        options=Ref(f"{_PACKAGE}.options:PairsOptions"),
        hook_api=(2, 0),
    )
    yield DatasetInfo(
        name="photo_pairs",
        summary="25 pairs of 128x128 and 256x256 pixels, from photographs in the public domain; packaged",
        dataset=Ref(f"{_PACKAGE}.photo_pairs:PhotoPairs"),
        tasks=("super_resolution",),
        needs_path=False,
        hook_api=(2, 0),
    )


@hookimpl
def mlperf_mobile_suites() -> Iterable[SuitesInfo]:
    """Offer this task's part of the quickstart and of the rounds."""
    yield SuitesInfo(settings=f"{_PACKAGE}:suites.yaml", hook_api=(2, 0))
