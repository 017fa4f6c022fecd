"""The commands for plugin authors."""

from __future__ import annotations

from collections.abc import Iterable

from mlperf_mobile.plugin import CommandInfo, EnvFact, Ref, hookimpl


@hookimpl
def mlperf_mobile_commands() -> Iterable[CommandInfo]:
    """Offer ``new`` and ``verify-plugin``."""
    yield CommandInfo(
        name="new",
        summary="start a plugin project that works at once",
        command=Ref("mlperf_mobile_authoring.new:add"),
        group="write plugins",
        hook_api=(2, 0),
    )
    yield CommandInfo(
        name="verify-plugin",
        summary="run the conformance kit on an installed plugin",
        command=Ref("mlperf_mobile_authoring.verify:add"),
        group="write plugins",
        hook_api=(2, 0),
    )


@hookimpl
def mlperf_mobile_environment(backend: str) -> Iterable[EnvFact]:
    """The conformance of the backend's plugin, if it was verified on this machine."""
    from mlperf_mobile_authoring.verified import facts

    yield from facts(backend)
