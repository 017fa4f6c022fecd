"""Finds the program ``mlperf-mobile-runner``, which is pushed to devices and is no part of this process."""

from __future__ import annotations

from pathlib import Path

__all__ = ["NAME", "PLAN_VERSION", "binary"]

NAME = "mlperf-mobile-runner"
PLAN_VERSION = 1
"""The version of the runner-plans that the program reads."""
_PROGRAMS = Path(__file__).parent / "bin"


def binary(machine: str) -> Path:
    """The program for Linux on a machine.

    Args:
        machine: As ``uname -m`` prints it: ``x86_64`` or ``aarch64``.

    Raises:
        FileNotFoundError: It is not part of this installation; says how to build it.
    """
    found = _PROGRAMS / machine / NAME
    if not found.is_file():
        there = sorted(each.parent.name for each in _PROGRAMS.glob(f"*/{NAME}"))
        raise FileNotFoundError(
            f"{NAME} has no program for {machine} (there: {', '.join(there) or 'none'}); "
            "build it from a checkout: make runner"
        )
    return found
