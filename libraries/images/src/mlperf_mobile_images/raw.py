"""Raw images, ``.rgb8``: height x width x 3 bytes, whose size is set by a data set's options."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mlperf_mobile.errors import DataError
from mlperf_mobile_images.header import read_header
from mlperf_mobile_images.image import Image, is_raw

Size = tuple[int, int]
"""Height and width."""


@dataclass(frozen=True, slots=True)
class RawSize:
    """Height and width of a data set's raw images; ``hint`` names the options that set them."""

    height: int
    width: int
    hint: str

    def image_size(self, path: Path) -> Size:
        """Height and width of any image, without decoding it.

        Raises:
            DataError: It cannot be read, or is a raw image of another size.
        """
        if not is_raw(path):
            header = read_header(path)
            return header.height, header.width
        self._check(str(path), file_bytes(path))
        return self.height, self.width

    def shaped(self, image: Image) -> Image:
        """The same image; a raw one as [height, width, 3].

        Raises:
            DataError: It is a raw image of another size.
        """
        if image.pixels.ndim == 3:
            return image
        self._check(image.source, image.pixels.size)
        return Image(image.pixels.reshape(self.height, self.width, 3), image.source, prepared=True)

    def _check(self, source: str, size: int) -> None:
        expected = 3 * self.height * self.width
        if size != expected:
            reason = f"{source} has {size} bytes, not the {expected} of a {self.width}x{self.height} image"
            raise DataError("image-size", reason, self.hint)


def file_bytes(path: Path) -> int:
    """The size of a file in bytes.

    Raises:
        DataError: It cannot be read.
    """
    try:
        return path.stat().st_size
    except OSError as error:
        raise DataError("image-missing", f"cannot read {path}: {error.strerror}", "check the folder") from error
