"""The packaged pairs, cropped from photographs in the public domain."""

from __future__ import annotations

from pathlib import Path

from mlperf_mobile.errors import DataError
from mlperf_mobile_images.packaged import packaged_folder
from mlperf_mobile_task_super_resolution.options import PairsOptions
from mlperf_mobile_task_super_resolution.pairs import Pairs

SHA256 = "95079bdd559cda497fa7c128f3e95850b9a750c7cda47736308639b901c5fe29"
"""Digest of the packaged folder, see :func:`mlperf_mobile_images.packaged.folder_digest`."""


class PhotoPairs(Pairs):
    """25 images of 128x128 and 256x256 pixels; see quickstart/README.md.

    Args:
        path: A folder with folders ``lr`` and ``hr``; by default the packaged one, checked by sha256.
        options: None.
    """

    def __init__(self, path: Path | None, options: None) -> None:
        folder = path or packaged_folder("mlperf_mobile_task_super_resolution", "quickstart/pairs", SHA256)
        if not folder.is_dir():
            raise DataError("data-missing", f"{folder} is not a folder", "check --data-path")
        super().__init__(folder, PairsOptions())
