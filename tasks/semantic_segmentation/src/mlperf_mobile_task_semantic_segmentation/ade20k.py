"""ADE20K: images with a label for each pixel, prepared for the benchmark or as published."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from mlperf_mobile.errors import DataError
from mlperf_mobile_images.folder import ImageFiles, file_fingerprint
from mlperf_mobile_images.header import Header, read_header, turned_images
from mlperf_mobile_images.image import Image, is_raw, read_image
from mlperf_mobile_images.order import mispaired
from mlperf_mobile_images.raw import RawSize, Size
from mlperf_mobile_images.resize import Pixels
from mlperf_mobile_task_semantic_segmentation.annotations import annotation_files, read_labels
from mlperf_mobile_task_semantic_segmentation.options import ADE20KOptions
from mlperf_mobile_task_semantic_segmentation.preparation import fit_image, fit_labels

OFFICIAL = 512
"""The benchmark's height and width."""


class ADE20K(ImageFiles):
    """Images and annotations in the order of the images' names, decoded on demand.

    Those of another size than the selected one are prepared as by the reference app's script; annotations keep
    ADE20K's own numbers, of which the first 31 are the benchmark's classes. Without annotations it supports
    performance runs only.

    Args:
        path: A folder with ``images`` and ``annotations``, each with or without ``validation`` in it.
        options: See :class:`ADE20KOptions`.
    """

    classes = 31
    """Classes that count by default; see :class:`mlperf_mobile_task_semantic_segmentation.metric.Annotated`."""

    def __init__(self, path: Path | None, options: ADE20KOptions) -> None:
        super().__init__(options.images or _part(path, "images") or path)
        side = _common_side(self._files) if options.size is None else options.size
        self._size: Size | None = (side, side) if side else None
        self._raw = RawSize(side, side, "--set size=N sets the size of .rgb8 images")
        folder = options.annotations or _part(path, "annotations")
        self._annotations = annotation_files(folder, self._files) if folder else None

    def sample(self, index: int) -> Image:
        """The image, in the selected size."""
        path = self._files[index]
        pixels = self._raw.shaped(read_image(path)).pixels
        if self._size and pixels.shape[:2] != self._size:
            pixels = _through_jpeg(fit_image(pixels, self._size))
        return Image(pixels, str(path), prepared=True)

    def fingerprint(self, index: int) -> bytes:
        """Digest of the image's file and of the size that it is prepared for."""
        return hashlib.sha256(file_fingerprint(self._files[index]) + repr(self._size).encode()).digest()

    def truth(self, index: int) -> Pixels:
        """The label of each pixel, uint8 [height, width]: 1 to 31 for the classes, anything else for none.

        Raises:
            DataError: There are no annotations, or this one cannot be read or differs from its image in size.
        """
        if self._annotations is None:
            raise self.unlabelled("annotations", "give them with --set annotations=DIR")
        path = self._annotations[index]
        labels = read_labels(path)
        size = self._raw.image_size(self._files[index])
        if labels.shape != size:
            (high, wide), (height, width) = labels.shape, size
            reason = f"{path} is {wide}x{high}, its image {self._files[index].name} is {width}x{height}"
            raise DataError("annotation-size", reason, "an annotation must have one label for each pixel of its image")
        return fit_labels(labels, self._size) if self._size else labels

    @property
    def warnings(self) -> list[str]:
        """Warnings about pairs in order whose numbered names differ, and about images that viewers rotate."""
        found = []
        if self._annotations is not None:
            here, there = ([file.name for file in files] for files in (self._files, self._annotations))
            in_order = self._files[0].stem != self._annotations[0].stem
            if in_order and (place := mispaired(here, there)) is not None:
                pair = f"{here[place]} with {there[place]}"
                found.append(f"images and annotations are paired in order, such as {pair}; give them the same names")
            if pair := turned_images(self._files):
                found.append(f"{pair}; check that its annotation fits the stored image")
        return found


def _common_side(files: Sequence[Path]) -> int:
    """The side of the images if all are squares of one size, otherwise the benchmark's, which is that of ``.rgb8``."""
    side = 0
    for path in files:
        try:
            header = Header(OFFICIAL, OFFICIAL) if is_raw(path) else read_header(path)
        except DataError:
            return OFFICIAL  # a damaged image is reported when it is read
        if header.height != header.width or side not in (0, header.height):
            return OFFICIAL
        side = header.height
    return side


def _part(path: Path | None, name: str) -> Path | None:
    """The folder of the images or of the annotations; None if it does not exist."""
    folders = (path / name / "validation", path / name) if path else ()
    return next((folder for folder in folders if folder.is_dir()), None)


def _through_jpeg(pixels: Pixels) -> Pixels:
    """As the preparation script stores images: JPEG of quality 100, colours at half the resolution."""
    file = io.BytesIO()
    Pillow.fromarray(pixels).save(file, "JPEG", quality=100)
    with Pillow.open(file, formats=("JPEG",)) as image:
        return np.asarray(image)
