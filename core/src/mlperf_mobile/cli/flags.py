"""Flags as a layer of settings, each with the flag as its source."""

from __future__ import annotations

import argparse
from collections.abc import Iterable

from mlperf_mobile.config.document import Layer, Setting
from mlperf_mobile.config.layers import from_assignments


def flags(args: argparse.Namespace, names: Iterable[str]) -> Layer:
    """The settings in ``--set``, in the flags ``names``, and in the task names of a command line."""
    layer = from_assignments(args.set)
    for name in names:
        if (value := getattr(args, name)) is not None:
            layer[name] = Setting(value, f"--{name.replace('_', '-')}")
    if args.tasks:
        layer["tasks"] = Setting(args.tasks, "command line")
    return layer
