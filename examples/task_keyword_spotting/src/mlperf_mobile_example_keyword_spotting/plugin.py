"""The offers of this distribution."""

from __future__ import annotations

from collections.abc import Iterable

from mlperf_mobile.plugin import DatasetInfo, Ref, TaskInfo, hookimpl

_PACKAGE = "mlperf_mobile_example_keyword_spotting"


@hookimpl
def mlperf_mobile_tasks() -> Iterable[TaskInfo]:
    """Offer the task."""
    yield TaskInfo(
        name="example_keyword_spotting",
        summary="which keyword a short recording has; top-1 (an example)",
        task=Ref(f"{_PACKAGE}.task:KeywordSpotting"),
        settings=f"{_PACKAGE}:task.yaml",
        hook_api=(2, 0),
    )


@hookimpl
def mlperf_mobile_datasets() -> Iterable[DatasetInfo]:
    """Offer folders of recordings, of which one is packaged."""
    yield DatasetInfo(
        name="example_keywords",
        summary="recordings in one folder per keyword; 40 synthetic ones are packaged",
        dataset=Ref(f"{_PACKAGE}.recordings:Recordings"),
        tasks=("example_keyword_spotting",),
        needs_path=False,
        options=Ref(f"{_PACKAGE}.options:Options"),
        hook_api=(2, 0),
    )
