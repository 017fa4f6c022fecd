"""The test images of Fashion-MNIST, which come with this package."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from pathlib import Path

from mlperf_mobile.errors import DataError
from mlperf_mobile_images.image import Image
from mlperf_mobile_task_image_classification.idx import read_idx

IMAGES, LABELS = "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"
SHA256 = {
    IMAGES: "cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa",
    LABELS: "8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05",
}
"""Digests of the two files in Debian's package dataset-fashion-mnist."""
CLASSES = 10


class FashionMnist:
    """10,000 greyscale images of 28x28 pixels, ten classes of clothes; neither resized nor cropped.

    Args:
        path: A folder with two files of these names; by default the packaged ones, checked by sha256.
        options: None.
    """

    def __init__(self, path: Path | None, options: None) -> None:
        folder = path or Path(str(files("mlperf_mobile_task_image_classification").joinpath("quickstart")))
        if not folder.is_dir():
            raise DataError("data-missing", f"{folder} is not a folder", "check --data-path")
        self._images = read_idx(folder / IMAGES, 3)
        self._labels = read_idx(folder / LABELS, 1)
        for name, expected in SHA256.items() if path is None else ():
            if _sha256(folder / name) != expected:
                reason = f"{folder / name} differs from the packaged file (sha256)"
                raise DataError("data-damaged", reason, "reinstall the package")
        if len(self._images) != len(self._labels) or (self._labels >= CLASSES).any():
            raise DataError("data-damaged", f"the labels in {folder} do not fit the images", "replace both files")

    def __len__(self) -> int:
        return len(self._images)

    def sample(self, index: int) -> Image:
        """The image, uint8 [28, 28, 1]."""
        name = f"{IMAGES} image {index}"
        return Image(self._images[index][:, :, None], name, prepared=True, adaptable=True)

    def truth(self, index: int) -> int:
        """The class, 0 to 9."""
        return int(self._labels[index])


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
