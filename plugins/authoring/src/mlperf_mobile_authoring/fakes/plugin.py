"""The offers of the fakes; only ``fakes.installed`` makes them a plugin."""

from __future__ import annotations

from collections.abc import Iterable

from mlperf_mobile.plugin import BackendInfo, Capability, DatasetInfo, Ref, TaskInfo, hookimpl


@hookimpl
def mlperf_mobile_backends() -> Iterable[BackendInfo]:
    """Offer the backend."""
    yield BackendInfo(
        name="fake",
        summary="a fake in NumPy, for tests of plugins",
        vendor="none",
        backend=Ref("mlperf_mobile_authoring.fakes.backend:FakeBackend"),
        model_formats=("npz",),
        capabilities=frozenset({Capability.BATCH, Capability.QUANTIZED}),
        options=Ref("mlperf_mobile_authoring.fakes.backend:FakeOptions"),
        hook_api=(2, 0),
    )


@hookimpl
def mlperf_mobile_tasks() -> Iterable[TaskInfo]:
    """Offer the task."""
    yield TaskInfo(
        name="fake_classes",
        summary="a fake: the class of a point",
        task=Ref("mlperf_mobile_authoring.fakes.task:FakeClasses"),
        settings="mlperf_mobile_authoring.fakes:settings.yaml",
        hook_api=(2, 0),
    )


@hookimpl
def mlperf_mobile_datasets() -> Iterable[DatasetInfo]:
    """Offer the data set."""
    yield DatasetInfo(
        name="fake_points",
        summary="a fake: 96 points of three classes",
        dataset=Ref("mlperf_mobile_authoring.fakes.task:FakePoints"),
        tasks=("fake_classes",),
        needs_path=False,
        hook_api=(2, 0),
    )
