"""The flags of executors, which carry out the campaigns of ``run`` elsewhere."""

from __future__ import annotations

import argparse
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlperf_mobile.errors import UsageError, described
from mlperf_mobile.plugin import ExecutorInfo
from mlperf_mobile.registry import installed_plugins

if TYPE_CHECKING:
    from mlperf_mobile.campaigns.campaign import Campaign


def add(command: argparse.ArgumentParser) -> None:
    """Add the flags of all installed executors to the parser of ``run``; one that fails is left out, with a note."""
    found = {}
    for name, offer in installed_plugins().executors.items():
        try:
            command.add_argument(f"--{name}", metavar="ADDRESS", help=offer.info.summary.replace("%", "%%"))
            with redirect_stdout(sys.stderr):
                offer.info.arguments.load()(command)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001  a plugin may raise anything while it is imported
            fix = f"update or uninstall it, or set MLPERF_MOBILE_BLOCK={offer.source.plugin}"
            print(f"mlperf-mobile: {offer.source}: --{name} cannot be used: {described(error)}; {fix}", file=sys.stderr)
            continue
        found[name] = offer.info
    command.set_defaults(executors=found)


@dataclass(frozen=True, slots=True)
class Executor:
    """An executor that the user named, and where it is."""

    info: ExecutorInfo
    address: str

    def execute(self, args: argparse.Namespace, campaign: Campaign | None) -> int:
        """Carry out the campaign; None for the one in the file of ``--resume``. Returns the exit code."""
        return self.info.execute.load()(self.address, args, campaign)


def chosen(args: argparse.Namespace) -> Executor | None:
    """The executor that the command line names.

    Raises:
        UsageError: It names several.
    """
    named = [
        Executor(info, address)
        for name, info in args.executors.items()
        if (address := getattr(args, name.replace("-", "_"), None)) is not None
    ]
    if len(named) > 1:
        flags = " and ".join(f"--{each.info.name}" for each in named)
        raise UsageError("bad-flag", f"{flags} cannot be combined", "give one of them")
    return named[0] if named else None
