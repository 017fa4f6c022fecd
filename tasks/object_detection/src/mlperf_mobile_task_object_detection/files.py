"""Annotation files as text, if they are text of a bearable size."""

from __future__ import annotations

from pathlib import Path

from mlperf_mobile.errors import DataError

MAX_BYTES = 1 << 27
"""Six times the size of instances_val2017.json."""
MAX_CLASS = 100_000


def read_text(path: Path) -> str:
    """The text of an annotation file.

    Raises:
        DataError: It cannot be read, is too large or not UTF-8; names it.
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
    """What an image is known by: its file name without folder and suffix, for the app takes any suffix as ``.jpg``."""
    base = name.replace("\\", "/").rpartition("/")[2]
    stem, dot, _ = base.rpartition(".")
    return stem if dot and stem else base
