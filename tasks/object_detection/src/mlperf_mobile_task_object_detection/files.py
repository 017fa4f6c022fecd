"""Reads annotation files as text, up to a limited size."""

from __future__ import annotations

from pathlib import Path

from mlperf_mobile.errors import DataError

MAX_BYTES = 1 << 27
"""Six times the size of instances_val2017.json."""
MAX_CLASS = 100_000


def read_text(path: Path) -> str:
    """The text of an annotation file.

    Raises:
        DataError: It cannot be read, is too large or not UTF-8; the message names it.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        reason = f"cannot read {path}: {error.strerror}"
        raise DataError("annotations", reason, "check --set annotations=FILE") from error
    if len(data) > MAX_BYTES:
        hint = "give the annotations of the validation images"
        raise DataError("annotations", f"{path} is larger than {MAX_BYTES} bytes", hint)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError("annotations", f"{path} is not text in UTF-8", "give an annotation file") from error


def image_key(name: str) -> str:
    """An image's key: its file name without folder and suffix, because the app treats any suffix as ``.jpg``."""
    base = name.replace("\\", "/").rpartition("/")[2]
    stem, dot, _ = base.rpartition(".")
    return stem if dot and stem else base
