"""The offers beside the task of these proofs: its data set, and its part of the quickstart."""

from __future__ import annotations

from mlperf_mobile.plugin import DatasetInfo, Ref, SuitesInfo, hookimpl


@hookimpl
def mlperf_mobile_datasets():
    yield DatasetInfo(
        name="numbers",
        summary="0, 1 and 2",
        dataset=Ref("task_defects:Numbers"),
        tasks=("echo",),
        needs_path=False,
        hook_api=(2, 0),
    )


@hookimpl
def mlperf_mobile_suites():
    yield SuitesInfo(settings="kit_settings:suites.yaml", hook_api=(2, 0))
