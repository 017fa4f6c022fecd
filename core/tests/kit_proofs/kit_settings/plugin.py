"""The offers beside the task of these proofs: its data set, and its part of the quickstart."""

from __future__ import annotations

from mlperf_mobile.plugin import DatasetInfo, Ref, SuiteInfo, hookimpl


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
    yield SuiteInfo(
        suite="quickstart",
        task="echo",
        summary="numbers",
        settings="kit_settings:quickstart.yaml",
        hook_api=(2, 0),
    )
