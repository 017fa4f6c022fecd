"""The pairs that come with this package, cut out of photographs in the public domain."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from pathlib import Path

from mlperf_mobile.contracts import Options
from mlperf_mobile.errors import DataError
from mlperf_mobile_images.folder import image_files
from mlperf_mobile_task_super_resolution.pairs import HIGH, LOW, Pairs

SHA256 = "95079bdd559cda497fa7c128f3e95850b9a750c7cda47736308639b901c5fe29"
"""Of the lines ``SUM  hr/NAME`` and ``SUM  lr/NAME`` for all files, by folder and name; SUM is a file's sha256."""


class PhotoPairs(Pairs):
    """25 images of 128x128 and 256x256 pixels; see quickstart/README.md.

    Args:
        path: A folder with such folders ``lr`` and ``hr``; by default those of this package, checked by their sha256.
        options: None.
    """

    def __init__(self, path: Path | None, options: Options) -> None:
        folder = path or Path(str(files("mlperf_mobile_task_super_resolution").joinpath("quickstart", "pairs")))
        if not folder.is_dir():
            raise DataError("data-missing", f"{folder} is not a folder", "check --data-path")
        if path is None and _digest(folder) != SHA256:
            raise DataError(
                "data-damaged", f"{folder} does not hold the images that were packaged", "reinstall the package"
            )
        super().__init__(folder, {})


def _digest(folder: Path) -> str:
    images = [file for part in (HIGH, LOW) for file in image_files(folder / part)]
    lines = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.parent.name}/{file.name}\n" for file in images]
    return hashlib.sha256("".join(lines).encode()).hexdigest()
