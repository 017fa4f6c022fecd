"""A folder of images with a label file, as of ImageNet's validation set."""

from __future__ import annotations

from pathlib import Path

from mlperf_mobile.contracts import Options
from mlperf_mobile.errors import DataError
from mlperf_mobile_images.folder import file_fingerprint, image_files
from mlperf_mobile_images.image import Image, read_image
from mlperf_mobile_task_image_classification.labels import read_labels
from mlperf_mobile_task_image_classification.options import ImageNetOptions

DEFAULT_LABELS = ("labels.txt", "val.txt")


class ImageNet:
    """Images in the order of their file names, read when they are asked for.

    Without labels the set serves performance runs only.

    Args:
        path: The folder.
        options: See :class:`ImageNetOptions`.
    """

    def __init__(self, path: Path | None, options: Options) -> None:
        chosen = ImageNetOptions.model_validate(options)
        self._files = image_files(path)
        folder = self._files[0].parent
        beside = next((folder / name for name in DEFAULT_LABELS if (folder / name).is_file()), None)
        labels = chosen.labels or beside
        self.warnings: list[str] = []
        """That labels go by order where file names are numbered otherwise."""
        names = [file.name for file in self._files]
        self._labels = read_labels(labels, names, chosen.classes, self.warnings) if labels else None

    def __len__(self) -> int:
        return len(self._files)

    def sample(self, index: int) -> Image:
        """The decoded image."""
        return read_image(self._files[index])

    def fingerprint(self, index: int) -> bytes:
        """Of the image's file."""
        return file_fingerprint(self._files[index])

    def truth(self, index: int) -> int:
        """The class.

        Raises:
            DataError: There are no labels.
        """
        if self._labels is None:
            hint = "give them with --set labels=FILE, or measure with --mode performance"
            raise DataError("no-labels", f"the images in {self._files[0].parent} have no labels", hint)
        return self._labels[index]
