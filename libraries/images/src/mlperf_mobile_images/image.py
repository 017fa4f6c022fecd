"""The images of data sets, read from untrusted files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow
from PIL import UnidentifiedImageError

from mlperf_mobile.errors import DataError

SUFFIXES = frozenset({".rgb8", ".jpg", ".jpeg", ".png"})
MAX_PIXELS = 64_000_000
"""Largest image; larger ones are rejected before they are decoded."""
MAX_RAW_BYTES = 3 * MAX_PIXELS
PILLOWS_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    Pillow.DecompressionBombError,
    Pillow.DecompressionBombWarning,  # raised where warnings are errors
)
"""What Pillow raises for files that it cannot decode."""


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """One image.

    ``pixels`` is uint8, [height, width, channels]; or flat, for a raw file whose size follows from the model.
    A ``prepared`` image already has the model's size, and is neither resized nor cropped.

    Raises:
        DataError: The pixels are not such an array, or it is empty.
    """

    pixels: npt.NDArray[np.uint8]
    source: str
    """Its name in messages: a file, or a record in one."""
    prepared: bool = False
    adaptable: bool = False
    """For a prepared image: if it does not fit the model, it is resized like any other, and grey becomes three equal
    channels. Meant for performance runs of other models than the ones it was prepared for."""

    def __post_init__(self) -> None:
        pixels = self.pixels
        if pixels.dtype != np.uint8 or pixels.ndim not in (1, 3) or not pixels.size:
            reason = f"{self.source} is {pixels.dtype}{list(pixels.shape)}, not an image of bytes"
            raise DataError("image-damaged", reason, "replace the file")


def read_image(path: Path) -> Image:
    """Read a ``.jpg``, ``.jpeg``, ``.png`` or ``.rgb8`` file.

    JPEG is decoded in full size with the accurate integer transform (libjpeg's ISLOW), as in the reference app.
    Grey, CMYK, palette and 16-bit images become three 8-bit channels; an alpha channel and an EXIF orientation are
    ignored. A ``.rgb8`` file holds height x width x 3 bytes and nothing else.

    Raises:
        DataError: The file is missing, damaged, too large, or not an image; the message names it.
    """
    with decoding(path):
        if is_raw(path):
            if path.stat().st_size > MAX_RAW_BYTES:
                raise DataError("image-too-large", f"{path} has more than {MAX_RAW_BYTES} bytes", "scale it down")
            return Image(np.fromfile(path, np.uint8), str(path), prepared=True)
        with Pillow.open(path, formats=("JPEG", "PNG")) as image:
            if image.width * image.height > MAX_PIXELS:
                size = f"{image.width}x{image.height}"
                raise DataError(
                    "image-too-large", f"{path} is {size} pixels, {MAX_PIXELS} are allowed", "scale it down"
                )
            return Image(_three_channels(image), str(path))


def is_raw(path: Path) -> bool:
    """Whether a file is a raw image, ``.rgb8``, by its suffix."""
    return path.suffix.lower() == ".rgb8"


@contextmanager
def decoding(path: Path, kind: str = "image") -> Iterator[None]:
    """Turn Pillow's errors in this block into a DataError about ``path``.

    Args:
        path: The file to read.
        kind: Its content; the error codes are ``KIND-missing`` and ``KIND-damaged``.

    Raises:
        DataError: The file is missing, or cannot be decoded.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise DataError(f"{kind}-missing", f"{path} does not exist", "check the data set's folder") from error
    except UnidentifiedImageError as error:
        raise DataError(f"{kind}-damaged", f"{path} is neither a JPEG nor a PNG image", "replace the file") from error
    except PILLOWS_ERRORS as error:
        raise DataError(f"{kind}-damaged", f"cannot decode {path}: {error}", "replace the file") from error


def _three_channels(image: Pillow.Image) -> npt.NDArray[np.uint8]:
    if image.mode.startswith("I"):  # 16-bit grey, which Pillow would clip instead of scaling
        wide: npt.NDArray[Any] = np.asarray(image)
        grey = (wide >> 8).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if image.mode == "CMYK":
        return _rgb_of_inks(np.asarray(image), inverted="adobe" in image.info)
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _rgb_of_inks(inks: npt.NDArray[np.uint8], *, inverted: bool) -> npt.NDArray[np.uint8]:
    """RGB from CMYK as in the reference app's decoder (TensorFlow, core/lib/jpeg/jpeg_mem.cc).

    Pillow inverts the inks of every CMYK JPEG; only files with Adobe's marker store them inverted.
    """
    paper = 255 - inks.astype(np.uint16) if inverted else inks.astype(np.uint16)
    return (paper[:, :, :3] * paper[:, :, 3:] // 255).astype(np.uint8)
