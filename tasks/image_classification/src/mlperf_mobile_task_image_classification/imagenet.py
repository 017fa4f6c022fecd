"""A folder of images with a label file, as of ImageNet's validation set."""

from __future__ import annotations

import os
from pathlib import Path

from mlperf_mobile.contracts import Options
from mlperf_mobile.errors import DataError
from mlperf_mobile_task_image_classification.image import SUFFIXES, Image, read_image
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
        if path is None or not path.is_dir():
            raise DataError("data-missing", f"{path} is not a folder of images", "give it with --data-path DIR")
        self._folder = path
        self._names = _image_names(path)
        if not self._names:
            raise DataError("data-empty", f"no images in {path}", f"it should hold {', '.join(sorted(SUFFIXES))} files")
        beside = next((path / name for name in DEFAULT_LABELS if (path / name).is_file()), None)
        labels = chosen.labels or beside
        self._labels = read_labels(labels, self._names, chosen.classes) if labels else None

    def __len__(self) -> int:
        return len(self._names)

    def sample(self, index: int) -> Image:
        """The decoded image."""
        return read_image(self._folder / self._names[index])

    def truth(self, index: int) -> int:
        """The class.

        Raises:
            DataError: There are no labels.
        """
        if self._labels is None:
            hint = "give them with --set labels=FILE, or measure with --mode performance"
            raise DataError("no-labels", f"the images in {self._folder} have no labels", hint)
        return self._labels[index]


def _image_names(folder: Path) -> list[str]:
    """Names of the images in byte order, as the reference app sorts them; labels may go by this order.

    A link that leads nowhere counts as an image, so that it is told when it is read and moves no other image's label.
    """
    try:
        with os.scandir(folder) as entries:
            names = [e.name for e in entries if Path(e.name).suffix.lower() in SUFFIXES and not e.is_dir()]
    except OSError as error:
        raise DataError("data-missing", f"cannot list {folder}: {error.strerror}", "check --data-path") from error
    return sorted(names, key=os.fsencode)
