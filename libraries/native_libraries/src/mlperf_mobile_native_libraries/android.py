"""Reads Android's description of the device."""

from __future__ import annotations

import shutil
import subprocess


def property_of(name: str) -> str:
    """A property such as ``"ro.product.model"``, read with Android's getprop; empty on other systems."""
    program = shutil.which("getprop")
    if program is None:
        return ""
    try:
        done = subprocess.run([program, name], stdin=subprocess.DEVNULL, capture_output=True, timeout=5, check=True)  # noqa: S603
    except (OSError, ValueError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode("utf-8", "replace")
