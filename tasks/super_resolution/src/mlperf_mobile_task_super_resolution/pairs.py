"""Folders of image pairs: low resolution, and the same images in high resolution, such as SNU-SR or DIV2K."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path

from mlperf_mobile.errors import DataError
from mlperf_mobile_images.folder import ImageFiles, file_fingerprint, image_files
from mlperf_mobile_images.image import Image, is_raw, read_image
from mlperf_mobile_images.raw import RawSize, Size, file_bytes
from mlperf_mobile_task_super_resolution.names import mispaired_files, pair
from mlperf_mobile_task_super_resolution.options import PairsOptions

LOW, HIGH = "lr", "hr"
"""The folders' names in the reference app's data set."""


@dataclass(frozen=True, slots=True, eq=False)
class LowResolution(Image):
    """A low-resolution image that is never resized."""

    high: Size | None = None
    """Height and width of its high-resolution image; None without one."""


class Pairs(ImageFiles):
    """Image pairs, decoded on demand; without high-resolution images it supports performance runs only.

    Args:
        path: A folder with ``lr`` and ``hr`` in it, or the folder of the low-resolution images itself.
        options: See :class:`PairsOptions`.
    """

    def __init__(self, path: Path | None, options: PairsOptions) -> None:
        hint = "--set width=W and --set height=H set the size of .rgb8 images"
        self._raw = RawSize(options.height, options.width, hint)
        low, high = path, options.high
        if path and (path / LOW).is_dir():
            low = path / LOW
            high = high or (path / HIGH if (path / HIGH).is_dir() else None)
        super().__init__(low)
        self._high = pair(self._files, image_files(high)) if high else None
        wrong = mispaired_files(self._files, self._high) if self._high else None
        self.warnings = [f"images are paired in order, such as {wrong}; give them the same names"] if wrong else []
        """A warning if images are paired in order although numbered names differ."""

    def sample(self, index: int) -> LowResolution:
        """The low-resolution image.

        Raises:
            DataError: It cannot be read, or its high-resolution image is not an integer multiple of its size.
        """
        path = self._files[index]
        pixels = self._raw.shaped(read_image(path)).pixels
        high = self._high_size(index, (pixels.shape[0], pixels.shape[1])) if self._high else None
        return LowResolution(pixels, str(path), prepared=True, high=high)

    def fingerprint(self, index: int) -> bytes:
        """Digest of the low-resolution image's file, and of its size if that is set by options."""
        path = self._files[index]
        size = (self._raw.height, self._raw.width) if is_raw(path) else ()
        return hashlib.sha256(file_fingerprint(path) + repr(size).encode()).digest()

    def truth(self, index: int) -> Image:
        """The high-resolution image, [height, width, 3].

        Raises:
            DataError: There are no high-resolution images, or this one cannot be read.
        """
        if self._high is None:
            remedy = f"put them into a folder {HIGH} beside {LOW}, or give --set high=DIR"
            raise self.unlabelled("high-resolution images", remedy)
        path = self._high[index]
        image = read_image(path)
        if image.pixels.ndim == 3:
            return image
        size = self._high_size(index, self._raw.image_size(self._files[index]))
        return Image(image.pixels.reshape(*size, 3), str(path))

    def _high_size(self, index: int, low: Size) -> Size:
        """Height and width of a pair's larger image, checked to be a multiple of the smaller one's."""
        assert self._high is not None
        path = self._high[index]
        if is_raw(path):
            count = file_bytes(path)
            factor = math.isqrt(count // (3 * low[0] * low[1]))
            size = factor * low[0], factor * low[1]
            size_text, fits = f"has {count} bytes", 3 * size[0] * size[1] == count
        else:
            size = self._raw.image_size(path)
            factor = size[0] // low[0]
            size_text, fits = f"is {size[1]}x{size[0]}", size == (factor * low[0], factor * low[1])
        if not fits or factor < 2:
            reason = f"{path} {size_text}, {self._files[index]} is {low[1]}x{low[0]}"
            raise DataError("pair-sizes", reason, "a pair's larger image must be 2, 3, … times as high and as wide")
        return size
