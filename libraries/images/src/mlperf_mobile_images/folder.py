"""Folders of images: their files in the benchmark's order, and a data set for performance runs."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection
from pathlib import Path

from mlperf_mobile.errors import DataError
from mlperf_mobile_images.image import SUFFIXES, Image, read_image


def image_files(folder: Path | None, suffixes: Collection[str] = SUFFIXES) -> list[Path]:
    """The images in a folder in the byte order of their names, as the reference app sorts them.

    A dangling link counts as an image, so that reading it is an error and other images keep their places.

    Raises:
        DataError: The folder does not exist, cannot be listed, or has no images.
    """
    if folder is None or not folder.is_dir():
        raise DataError("data-missing", f"{folder} is not a folder of images", "give one with --data-path DIR")
    try:
        with os.scandir(folder) as entries:
            names = [e.name for e in entries if Path(e.name).suffix.lower() in suffixes and not e.is_dir()]
    except OSError as error:
        raise DataError("data-missing", f"cannot list {folder}: {error.strerror}", "check --data-path") from error
    if not names:
        raise DataError("data-empty", f"no images in {folder}", f"it must contain {', '.join(sorted(suffixes))} files")
    return [folder / name for name in sorted(names, key=os.fsencode)]


def file_fingerprint(path: Path) -> bytes:
    """SHA-256 of a file and of its suffix, which selects the decoder.

    Raises:
        DataError: The file cannot be read.
    """
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256")
    except OSError as error:
        raise DataError("image-missing", f"cannot read {path}: {error.strerror}", "check the folder") from error
    digest.update(path.suffix.lower().encode())
    return digest.digest()


class ImageFiles:
    """The images of a folder in the order of their names, decoded on demand; a base for data sets.

    Args:
        folder: Where the images are.

    Raises:
        DataError: The folder does not exist, or has no images.
    """

    def __init__(self, folder: Path | None) -> None:
        self._files = image_files(folder)
        self._folder = self._files[0].parent

    def __len__(self) -> int:
        return len(self._files)

    def sample(self, index: int) -> Image:
        """The decoded image."""
        return read_image(self._files[index])

    def fingerprint(self, index: int) -> bytes:
        """Digest of the image's file."""
        return file_fingerprint(self._files[index])

    def unlabelled(self, missing: str, remedy: str) -> DataError:
        """The error for a truth that is not available: the images have no ``missing``; ``remedy`` adds it."""
        hint = f"{remedy}, or measure with --mode performance"
        return DataError("no-labels", f"the images in {self._folder} have no {missing}", hint)


class ImageFolder(ImageFiles):
    """Images without labels, for performance runs.

    Args:
        path: The folder.
        options: None.
    """

    def __init__(self, path: Path | None, options: None) -> None:
        super().__init__(path)

    def truth(self, index: int) -> object:
        """Not available.

        Raises:
            DataError: Always.
        """
        hint = "measure with --mode performance, or choose a data set with labels"
        raise DataError("no-labels", "a plain folder of images has no labels", hint)
