"""The rounds of MLPerf Mobile: their seeds and counts, their commands, and where a result ranks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from mlperf_mobile.plugin import CommandInfo, Ref, Remark, SuitesInfo, hookimpl

if TYPE_CHECKING:
    from mlperf_mobile.results.model import Result

_COMMANDS = (
    ("audit", "audit", "measure a result again, and compare it with its claim"),
    ("comply", "comply", "run MLPerf's compliance tests on a result"),
    ("check", "check", "check a submission or results against the rules"),
    ("sign", "sign", "sign results with an SSH key"),
    ("import", "import_results", "import results of the reference app"),
    ("export", "export", "write results as the app's result file, or as a submission"),
)


@hookimpl
def mlperf_mobile_suites() -> Iterable[SuitesInfo]:
    """Offer the common settings of each round, and the definitions of the official benchmarks."""
    yield SuitesInfo(settings="mlperf_mobile_rounds:rounds.yaml", hook_api=(2, 0))
    yield SuitesInfo(settings="mlperf_mobile_rounds:benchmarks.yaml", hook_api=(2, 0))


@hookimpl
def mlperf_mobile_commands() -> Iterable[CommandInfo]:
    """Offer the commands that check results against the rules of a round."""
    for name, module, summary in _COMMANDS:
        path = f"mlperf_mobile_rounds.commands.{module}:add"
        yield CommandInfo(name=name, summary=summary, command=Ref(path), group="rules and submissions", hook_api=(2, 0))


@hookimpl
def mlperf_mobile_remarks(result: Result) -> Iterable[Remark]:
    """Rank a result among the published ones."""
    from mlperf_mobile_rounds.reference import standing_of

    standing = standing_of(result)
    return [Remark("stands", standing.sentence)] if standing else []
