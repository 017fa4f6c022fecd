"""Scenes composed of the test images of Fashion-MNIST, with a label for each pixel; they come with this package."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from pathlib import Path

from mlperf_mobile.contracts import Options
from mlperf_mobile.errors import DataError
from mlperf_mobile_task_semantic_segmentation.ade20k import ADE20K

SHA256 = "8589cea251bef3c5a7a1ac7c5fd3598690ac65d1fa01a6918c8a3ddeee7990fb"
"""Of the packaged folder, see :func:`folder_digest`."""
SIDE = 128


class FashionMasks(ADE20K):
    """250 scenes of 128x128 pixels with one to five garments of ten classes, in the form of ADE20K.

    Args:
        path: A folder like the packaged one; by default that, checked by its sha256.
        options: None.
    """

    classes = 10

    def __init__(self, path: Path | None, options: Options) -> None:
        folder = path or Path(str(files("mlperf_mobile_task_semantic_segmentation").joinpath("quickstart", "scenes")))
        super().__init__(folder, {"size": SIDE})
        if path is None and folder_digest(folder) != SHA256:
            reason = f"{folder} is not what was packaged: its sha256 differs"
            raise DataError("data-damaged", reason, "reinstall the package")


def folder_digest(folder: Path) -> str:
    """SHA-256 of the lines ``sha256  folder/name`` of the files in a folder's folders, sorted by name.

    Raises:
        DataError: A file cannot be read.
    """
    try:
        names = sorted(path.relative_to(folder).as_posix() for path in folder.glob("*/*"))
        lines = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    except OSError as error:
        raise DataError("data-damaged", f"cannot read {folder}: {error.strerror}", "reinstall the package") from error
    return hashlib.sha256("".join(lines).encode()).hexdigest()
