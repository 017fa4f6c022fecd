"""The command line as a layer of settings, each with its flag as its source."""

from __future__ import annotations

import argparse
from collections.abc import Iterable

from mlperf_mobile.config import sweep
from mlperf_mobile.config.document import Layer, Setting
from mlperf_mobile.config.layers import from_assignments
from mlperf_mobile.config.selection import Request
from mlperf_mobile.config.settings import Settings
from mlperf_mobile.errors import UsageError


def flags(args: argparse.Namespace) -> Layer:
    """The settings in ``--set``, in the flags that have the name of a setting, and in the task names."""
    layer = from_assignments(args.set)
    swept = sweep.from_assignments(getattr(args, "sweep", ()))
    for name, value in vars(args).items():
        if value is None or not (name in Settings.model_fields or name == "suite"):
            continue
        flag = f"--{name.replace('_', '-')}"
        if isinstance(value, list) and name != "device":
            if len(value) > 1 and f"{sweep.SWEEP}.{name}" in swept:
                raise UsageError("duplicate-key", f"{flag}: {name} is swept twice", "give all values in one --sweep")
            key, given = (name, value[0]) if len(value) == 1 else (f"{sweep.SWEEP}.{name}", value)
        else:
            key, given = name, value
        layer[key] = Setting(given, flag)
    layer |= swept
    if args.tasks:
        layer["tasks"] = Setting(args.tasks, "command line")
    return layer


def overridden(assignments: Iterable[str]) -> list[str]:
    """What each ``--set`` says that a later one of the same key overrides."""
    found, latest = [], dict[str, str]()
    for text in assignments:
        key = text.partition("=")[0].strip()
        if key in latest and latest[key] != text:
            found.append(f"--set {latest[key]:.200} is overridden by --set {text:.200}; to measure both, use --sweep")
        latest[key] = text
    return found


def request(args: argparse.Namespace, *, chosen_later: bool = False) -> Request:
    """The user's request: the run file of ``--config``, the environment, and the command line.

    Args:
        args: The command line.
        chosen_later: Whether an executor chooses the device.
    """
    return Request.of_user(getattr(args, "config", None), flags(args), chosen_later=chosen_later)
