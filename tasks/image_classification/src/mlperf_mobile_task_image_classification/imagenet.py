"""A folder of images with a label file, such as ImageNet's validation set."""

from __future__ import annotations

from pathlib import Path

from mlperf_mobile_images.folder import ImageFiles
from mlperf_mobile_task_image_classification.labels import read_labels
from mlperf_mobile_task_image_classification.options import ImageNetOptions

DEFAULT_LABELS = ("labels.txt", "val.txt")


class ImageNet(ImageFiles):
    """Images in the order of their file names, decoded on demand.

    Without labels it supports performance runs only.

    Args:
        path: The folder.
        options: See :class:`ImageNetOptions`.
    """

    def __init__(self, path: Path | None, options: ImageNetOptions) -> None:
        super().__init__(path)
        places = (self._folder / name for name in DEFAULT_LABELS)
        beside = next((place for place in places if place.is_file()), None)
        labels = options.labels or beside
        self.warnings: list[str] = []
        """A warning if labels are assigned in order although numbered file names disagree."""
        names = [file.name for file in self._files]
        self._labels = read_labels(labels, names, options.classes, self.warnings) if labels else None

    def truth(self, index: int) -> int:
        """The class.

        Raises:
            DataError: There are no labels.
        """
        if self._labels is None:
            raise self.unlabelled("labels", "give them with --set labels=FILE")
        return self._labels[index]
