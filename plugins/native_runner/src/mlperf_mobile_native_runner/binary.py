"""Finds the runner's program for a machine: one that the user built, or the one that is installed."""

from __future__ import annotations

import importlib
import json
import os
from pathlib import Path
from typing import Any

from mlperf_mobile.contracts import NativePlace
from mlperf_mobile.errors import BackendError

NAME = "mlperf-mobile-runner"
PLAN = 1
"""The version of the plans that are written here."""
_PACKAGE = "mlperf_mobile_runner"


def own_folder() -> Path:
    """Where users put the runners that they build: ``$XDG_DATA_HOME/mlperf-mobile/runners``."""
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data, "mlperf-mobile", "runners")


def path(place: NativePlace) -> Path:
    """The program for a machine.

    Raises:
        BackendError: ``runner-missing``: no program for that machine is installed.
    """
    own = own_folder() / f"{place.system}-{place.machine}" / NAME
    if own.is_file():
        return own
    found, why = _installed(place)
    if found is not None:
        return found
    hint = f"{why}; or put one that you built into {own}"
    raise BackendError("runner-missing", f"there is no native runner for {place}", hint)


def _installed(place: NativePlace) -> tuple[Path | None, str]:
    """The program of the installed distribution, or None and the reason."""
    if place.system != "linux":
        return None, f"build it for {place.system}, as the README of {NAME} says"
    try:
        package: Any = importlib.import_module(_PACKAGE)
    except ImportError:
        return None, f"pip install {NAME}"
    try:
        return Path(package.binary(place.machine)), ""
    except FileNotFoundError as error:
        return None, str(error)


def check(answer: bytes, address: str, engine: str) -> dict[str, Any]:
    """What the program answers to ``--version``, if it can carry out our plans.

    Args:
        answer: Its output.
        address: The device.
        engine: The engine that the run needs.

    Raises:
        BackendError: ``runner-version`` or ``runner-engine``.
    """
    try:
        found = json.loads(answer)
        version, plan, engines = str(found["runner"]), int(found["plan"]), list(map(str, found["engines"]))
    except (ValueError, KeyError, TypeError) as error:
        summary = f"{address}: the runner does not report its version: {answer[:100]!r}"
        raise BackendError("runner-version", summary, f"update or reinstall {NAME}") from error
    if plan != PLAN:
        summary = f"{address}: the runner {version[:40]} reads plans of version {plan}, these have version {PLAN}"
        raise BackendError("runner-version", summary, f"update {NAME} and mlperf-mobile-native-runner")
    if engine not in engines:
        summary = f"{address}: the runner {version[:40]} has no engine {engine}"
        raise BackendError("runner-engine", summary, f"it has {', '.join(engines)[:200]}; or use --runner python")
    return dict(found)
