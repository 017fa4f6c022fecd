"""The command that compares two backends, and the runner that records what each computes."""

from __future__ import annotations

from collections.abc import Iterable

from mlperf_mobile.plugin import CommandInfo, Ref, RunnerInfo, hookimpl

RECORDER = "recorder"


@hookimpl
def mlperf_mobile_commands() -> Iterable[CommandInfo]:
    """Offer ``diff``."""
    yield CommandInfo(
        name="diff",
        summary="run the same samples on two backends, and show where they differ",
        command=Ref("mlperf_mobile_diff.command:add"),
        group="models and data",
        hook_api=(2, 1),
    )


@hookimpl
def mlperf_mobile_runners() -> Iterable[RunnerInfo]:
    """Offer the runner of ``diff``; it measures nothing, so no ``run`` can choose it."""
    yield RunnerInfo(
        name=RECORDER,
        summary="records the tensors of a few samples for mlperf-mobile diff",
        driver="mlperf_mobile_diff.recorder",
        places=(),
        hook_api=(2, 1),
    )
