"""Reads size and EXIF orientation of an image file without decoding it."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image as Pillow

from mlperf_mobile.errors import DataError
from mlperf_mobile_images.image import PILLOWS_ERRORS, is_raw, read_image

ORIENTATION = 0x0112
"""EXIF's tag: 1 upright, 2 to 4 mirrored or upside down, 5 to 8 rotated by 90 degrees."""
SHORT = 3
"""The type of its value, uint16."""


@dataclass(frozen=True, slots=True)
class Header:
    """Height and width of the stored pixels; ``turned`` if the file asks viewers to rotate or mirror them."""

    height: int
    width: int
    turned: bool = False


def read_header(path: Path) -> Header:
    """The header of a ``.jpg``, ``.jpeg`` or ``.png`` file.

    Raises:
        DataError: It is not such an image; the message names it.
    """
    try:
        with Pillow.open(path, formats=("JPEG", "PNG")) as image:
            turned = _orientation(image.info.get("exif", b"")) in range(2, 9)
            return Header(image.height, image.width, turned)
    except PILLOWS_ERRORS:
        pixels = read_image(path).pixels  # reports what is wrong
        return Header(pixels.shape[0], pixels.shape[1])


def turned_images(files: Iterable[Path]) -> str:
    """A warning about files with an EXIF orientation, which the reference app ignores; empty if there are none.

    Unreadable files are skipped here; reading them reports the error.
    """
    found = []
    for path in files:
        try:
            if not is_raw(path) and read_header(path).turned:
                found.append(path)
        except DataError:
            continue
    if not found:
        return ""
    subject = f"{found[0]} and {len(found) - 1} more have" if len(found) > 1 else f"{found[0]} has"
    return f"{subject} an EXIF orientation, but images are used as stored, without rotation"


def _orientation(exif: bytes) -> int:
    """The orientation in an untrusted EXIF block; 1 if there is none.

    Source: EXIF 2.3, 4.5 and 4.6; TIFF 6.0, section 2: byte order, offset of the first directory, entries of 12 bytes.
    """
    data = exif.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(f"{order}I", data, 4)
        (count,) = struct.unpack_from(f"{order}H", data, start)
        entries = (struct.unpack_from(f"{order}HHIH", data, start + 2 + 12 * number) for number in range(count))
        return next((value for tag, kind, _, value in entries if (tag, kind) == (ORIENTATION, SHORT)), 1)
    except struct.error:
        return 1
