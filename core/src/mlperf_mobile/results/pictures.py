"""The pictures that a metric leaves in a run's folder, for people to look at."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

PICTURES = PurePosixPath("accuracy/pictures")
"""Their folder, in that of the run."""
MOST_BYTES = 8 << 20
"""Of a picture that is shown."""


def of_run(folder: Path) -> list[Path]:
    """The PNG files, sorted by name; empty if there are none."""
    try:
        return sorted(path for path in (folder / PICTURES).iterdir() if path.suffix == ".png")
    except OSError:
        return []
