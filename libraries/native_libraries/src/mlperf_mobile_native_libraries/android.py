"""What Android says of the device."""

from __future__ import annotations

import shutil
import subprocess


def property_of(name: str) -> str:
    """A property, ``"ro.product.model"``, through Android's own program; empty elsewhere."""
    program = shutil.which("getprop")
    if program is None:
        return ""
    try:
        done = subprocess.run([program, name], stdin=subprocess.DEVNULL, capture_output=True, timeout=5, check=True)  # noqa: S603
    except (OSError, ValueError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode("utf-8", "replace")
