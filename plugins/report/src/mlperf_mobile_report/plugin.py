"""The commands that show many results together."""

from __future__ import annotations

from collections.abc import Iterable

from mlperf_mobile.plugin import CommandInfo, Ref, hookimpl

_COMMANDS = (
    ("report", "write results as an HTML page or a table"),
    ("compare", "show results side by side, with ratios and confidence intervals"),
    ("leaderboard", "rank published results, with your own among them"),
)


@hookimpl
def mlperf_mobile_commands() -> Iterable[CommandInfo]:
    """Offer the commands that show many results together."""
    for name, summary in _COMMANDS:
        path = f"mlperf_mobile_report.commands.{name}:add"
        yield CommandInfo(name=name, summary=summary, command=Ref(path), group="results", hook_api=(2, 0))
