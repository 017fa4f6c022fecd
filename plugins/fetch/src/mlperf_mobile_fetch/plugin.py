"""The command that downloads models and data."""

from __future__ import annotations

from collections.abc import Iterable

from mlperf_mobile.plugin import CommandInfo, Ref, hookimpl


@hookimpl
def mlperf_mobile_commands() -> Iterable[CommandInfo]:
    """Offer ``fetch``."""
    yield CommandInfo(
        name="fetch",
        summary="download models and data",
        command=Ref("mlperf_mobile_fetch.command:add"),
        group="models and data",
        hook_api=(2, 0),
    )
