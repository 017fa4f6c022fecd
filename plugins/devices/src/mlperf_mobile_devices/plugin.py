"""The runner for boards with Python, and the commands for devices."""

from __future__ import annotations

from collections.abc import Iterable

from mlperf_mobile.plugin import CommandInfo, Ref, RunnerInfo, hookimpl


@hookimpl
def mlperf_mobile_runners() -> Iterable[RunnerInfo]:
    """Offer ``python`` on devices."""
    yield RunnerInfo(
        name="python",
        summary="the Python worker, on a board with an environment of the same versions",
        driver="mlperf_mobile_devices.board",
        places=("*",),
        hook_api=(2, 1),
    )


@hookimpl
def mlperf_mobile_commands() -> Iterable[CommandInfo]:
    """Offer ``devices`` and ``attach``."""
    yield CommandInfo(
        name="devices",
        summary="list, set up and clean devices",
        command=Ref("mlperf_mobile_devices.commands.devices:add"),
        group="measure",
        hook_api=(2, 0),
    )
    yield CommandInfo(
        name="attach",
        summary="pick up runs that are still on their devices",
        command=Ref("mlperf_mobile_devices.commands.attach:add"),
        group="results",
        hook_api=(2, 0),
    )
