"""Annotations: reads labels from PNG files' grey values or palette indices, and matches them with images."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from mlperf_mobile.errors import DataError
from mlperf_mobile_images.folder import image_files
from mlperf_mobile_images.image import MAX_PIXELS, decoding
from mlperf_mobile_images.resize import Pixels

HEADER = struct.Struct(">8s4x4sIIBB")
"""A PNG file's first bytes: signature, length of the first chunk, its name; width, height, bit depth, colour type."""
SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, PALETTE = 0, 3
"""Colour types with one value per pixel."""
KINDS = {0: "grey", 2: "RGB", 3: "palette", 4: "grey with alpha", 6: "RGBA"}


def read_labels(path: Path) -> Pixels:
    """The labels in a ``.png`` file of 8-bit grey values or palette indices; the palette's colours are ignored.

    Also reads the ``.raw`` files of the reference app's preparation script: a square of labels, row by row.

    Returns:
        uint8 [height, width].

    Raises:
        DataError: The file is missing, damaged, too large, or another kind of PNG, whose values would not be labels.
    """
    with decoding(path, "annotation"):
        if path.suffix.lower() == ".raw":
            return _read_square(path)
        with path.open("rb") as file:
            _check_header(path, file.read(HEADER.size))
        with Pillow.open(path, formats=("PNG",)) as image:
            return np.asarray(image)


def _check_header(path: Path, head: bytes) -> None:
    if len(head) < HEADER.size or head[:8] != SIGNATURE or head[12:16] != b"IHDR":
        raise DataError("annotation-damaged", f"{path} is not a PNG image", "replace the file")
    _, _, width, height, depth, kind = HEADER.unpack(head)
    if width * height > MAX_PIXELS:
        reason = f"{path} is {width}x{height} pixels, {MAX_PIXELS} are allowed"
        raise DataError("annotation-too-large", reason, "scale it down")
    if depth != 8 or kind not in (GREY, PALETTE):
        reason = f"{path} is a PNG image of {depth}-bit {KINDS.get(kind, 'unknown')}"
        hint = "an annotation must have one label per pixel, as 8-bit grey values or palette indices"
        raise DataError("annotation-kind", reason, hint)


def _read_square(path: Path) -> Pixels:
    size = path.stat().st_size
    side = math.isqrt(size)
    if not 0 < size <= MAX_PIXELS or side * side != size:
        reason = f"{path} has {size} bytes, which do not form a square of labels"
        raise DataError("annotation-size", reason, "give annotations as PNG files")
    return np.fromfile(path, np.uint8).reshape(side, side)


def annotation_files(folder: Path, images: Sequence[Path]) -> list[Path]:
    """The annotation of each image: the file in ``folder`` with the same name, suffix aside.

    Annotations of other images are ignored, so a subset of the images can be measured. If no name matches, and there
    are as many annotations as images, they are paired in order, as in the reference app.

    Raises:
        DataError: The folder cannot be read, an image has no annotation, or two images would share one.
    """
    found = image_files(folder, {".png", ".raw"})
    files = [file for file in found if file.suffix.lower() == ".png"] or found
    by_stem = {file.stem: file for file in files}
    stems = [image.stem for image in images]
    if len(files) == len(images) and not set(stems) & set(by_stem):
        return files
    if absent := next((image for image in images if image.stem not in by_stem), None):
        reason = f"{folder} has no annotation for {absent.name}, expected {absent.stem}{files[0].suffix}"
        raise DataError("annotation-missing", reason, "add it, or remove the image")
    if len(set(stems)) < len(stems):
        twice = next(stem for number, stem in enumerate(stems) if stem in stems[:number])
        reason = f"{folder} has one annotation for two images called {twice}"
        raise DataError("annotation-missing", reason, "remove one of the images, or rename it")
    return [by_stem[stem] for stem in stems]
