"""Scenes composed of the test images of Fashion-MNIST, which come with this package."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from pathlib import Path

from mlperf_mobile.contracts import Options
from mlperf_mobile.errors import DataError
from mlperf_mobile_task_object_detection.coco import Coco

SHA256 = "fd73fc0dafd3c96af3bc290804b46174a5d0292c581182a037663ffe3960a702"
"""Of the packaged folder, see :func:`folder_digest`."""


class FashionScenes(Coco):
    """250 scenes of 128x128 pixels with one to five garments of ten classes, in the form of COCO.

    Args:
        path: A folder like the packaged one; by default that, checked by its sha256.
        options: None.
    """

    def __init__(self, path: Path | None, options: Options) -> None:
        folder = path or Path(str(files("mlperf_mobile_task_object_detection").joinpath("quickstart", "scenes")))
        super().__init__(folder, {})
        if path is None and folder_digest(folder) != SHA256:
            reason = f"{folder} is not what was packaged: its sha256 differs"
            raise DataError("data-damaged", reason, "reinstall the package")


def folder_digest(folder: Path) -> str:
    """SHA-256 of the lines ``sha256  name`` of the files in a folder, sorted by name: ``sha256sum * | sha256sum``.

    Raises:
        DataError: A file cannot be read.
    """
    try:
        lines = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in sorted(folder.iterdir())]
    except OSError as error:
        raise DataError("data-damaged", f"cannot read {folder}: {error.strerror}", "reinstall the package") from error
    return hashlib.sha256("".join(lines).encode()).hexdigest()
