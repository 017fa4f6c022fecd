"""Offers the command ``farm``, the flag ``run --farm``, and simulated devices."""

from __future__ import annotations

from collections.abc import Iterable

from mlperf_mobile.plugin import CommandInfo, ExecutorInfo, Ref, RunnerInfo, TransportInfo, hookimpl

_API = (2, 1)


@hookimpl
def mlperf_mobile_commands() -> Iterable[CommandInfo]:
    """Offer ``mlperf-mobile farm``."""
    yield CommandInfo(
        name="farm",
        summary="serve the devices of this host to a farm, and show or drain it",
        command=Ref("mlperf_mobile_farm.commands.farm:add"),
        group="measure",
        hook_api=_API,
    )


@hookimpl
def mlperf_mobile_executors() -> Iterable[ExecutorInfo]:
    """Offer ``run --farm``."""
    yield ExecutorInfo(
        name="farm",
        summary="run on devices of the farm whose scheduler is at this address",
        arguments=Ref("mlperf_mobile_farm.commands.run_flags:add"),
        execute=Ref("mlperf_mobile_farm.commands.run:execute"),
        hook_api=_API,
    )


@hookimpl
def mlperf_mobile_transports() -> Iterable[TransportInfo]:
    """Offer simulated devices."""
    yield TransportInfo(
        name="simulated",
        summary="simulated devices: stand-ins that measure nothing, to try a farm",
        transport=Ref("mlperf_mobile_farm.simulated.transport:Simulated"),
        runner="simulated",
        hook_api=_API,
    )


@hookimpl
def mlperf_mobile_runners() -> Iterable[RunnerInfo]:
    """Offer the runner of simulated devices."""
    yield RunnerInfo(
        name="simulated",
        summary="waits as long as a run takes; its numbers are simulated",
        driver="mlperf_mobile_farm.simulated.driver",
        places=("simulated",),
        hook_api=_API,
    )
