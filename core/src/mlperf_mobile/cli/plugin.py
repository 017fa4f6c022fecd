"""The commands of the core, in the order of the help.

To add a command, add a line here and a module beside it.
"""

from __future__ import annotations

from collections.abc import Iterable

from mlperf_mobile.plugin import CommandInfo, Ref, hookimpl

MEASURE, RESULTS, FILES, INSTALLED = "measure", "results", "models and data", "installed plugins"

_COMMANDS = (
    ("run", "run", "measure performance and accuracy", MEASURE),
    ("score", "score", "recompute the accuracy from a LoadGen accuracy log", RESULTS),
    ("show", "show", "show a stored result", RESULTS),
    ("recover", "recover", "recover the results of interrupted runs", RESULTS),
    ("compile", "compile", "compile models ahead of time", FILES),
    ("cache", "cache", "list, verify or prune cached compiled models", FILES),
    ("list", "lists", "list backends, tasks, datasets, scenarios, suites or plugins", INSTALLED),
    ("list-backends", "lists:backends", "inference backends, and whether each is usable here", INSTALLED),
    ("list-tasks", "lists:tasks", "benchmark tasks", INSTALLED),
    ("list-datasets", "lists:datasets", "data sets, and the tasks that use them", INSTALLED),
    ("list-scenarios", "lists:scenarios", "ways of issuing queries", INSTALLED),
    ("list-suites", "lists:suites", "suites, with their benchmarks", INSTALLED),
    ("list-plugins", "lists:plugins", "installed plugins, with the hooks they implement", INSTALLED),
    ("doctor", "doctor", "what is installed, what is missing, and facts about this machine", INSTALLED),
)


@hookimpl
def mlperf_mobile_commands() -> Iterable[CommandInfo]:
    """Offer the commands of the core."""
    for name, place, summary, group in _COMMANDS:
        module, _, function = place.partition(":")
        path = f"mlperf_mobile.cli.{module}:{function or 'add'}"
        yield CommandInfo(name=name, summary=summary, command=Ref(path), group=group, hook_api=(2, 0))
