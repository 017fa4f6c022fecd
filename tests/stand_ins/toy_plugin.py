"""A stand-in plugin for tests: a task, a data set and a backend that multiplies, and can be told to misbehave."""

from __future__ import annotations

from collections.abc import Iterable

from mlperf_mobile.plugin import BackendInfo, Capability, DatasetInfo, EnvFact, Ref, SuitesInfo, TaskInfo, hookimpl


@hookimpl
def mlperf_mobile_backends() -> Iterable[BackendInfo]:
    yield BackendInfo(
        name="toy",
        summary="multiplies by a number (a stand-in for tests)",
        vendor="nobody",
        backend=Ref("toy_parts:ToyBackend"),
        accelerators=("cpu", "npu"),
        model_formats=("toy", "bin"),
        capabilities=frozenset({Capability.BATCH}),
        options=Ref("toy_parts:BackendOptions"),
        hook_api=(2, 0),
    )


@hookimpl
def mlperf_mobile_tasks() -> Iterable[TaskInfo]:
    yield TaskInfo(
        name="product",
        summary="multiply a vector by a number (a stand-in for tests)",
        task=Ref("toy_parts:Product"),
        settings="toy_parts:product.yaml",
        options=Ref("toy_parts:TaskOptions"),
        hook_api=(2, 0),
    )


@hookimpl
def mlperf_mobile_datasets() -> Iterable[DatasetInfo]:
    yield DatasetInfo(
        name="vectors",
        summary="vectors of four numbers (a stand-in for tests)",
        dataset=Ref("toy_parts:Vectors"),
        tasks=("product",),
        needs_path=False,
        options=Ref("toy_parts:DatasetOptions"),
        hook_api=(2, 0),
    )


@hookimpl
def mlperf_mobile_suites() -> Iterable[SuitesInfo]:
    yield SuitesInfo(settings="toy_parts:suites.yaml", hook_api=(2, 0))


@hookimpl
def mlperf_mobile_environment(backend: str) -> Iterable[EnvFact]:
    if backend == "toy":
        yield EnvFact("toy.weather", "sunny")
