"""A folder of images with annotated objects, such as COCO's validation set."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mlperf_mobile.errors import DataError
from mlperf_mobile_images.folder import ImageFiles
from mlperf_mobile_images.header import read_header, turned_images
from mlperf_mobile_images.image import is_raw
from mlperf_mobile_task_object_detection.coco_json import read_instances
from mlperf_mobile_task_object_detection.coco_pbtxt import read_ground_truth
from mlperf_mobile_task_object_detection.files import image_key
from mlperf_mobile_task_object_detection.options import CocoOptions
from mlperf_mobile_task_object_detection.truth import NOTHING, Truth

DEFAULT_ANNOTATIONS = ("instances_val2017.json", "instances.json", "coco_val_full.pbtxt", "coco_val.pbtxt")


class Coco(ImageFiles):
    """Images in the order of their file names, decoded on demand.

    Without annotations it supports performance runs only. Annotations of images that are not in the folder are
    ignored, so any subset of the images will do.

    Args:
        path: The folder.
        options: See :class:`CocoOptions`.

    Raises:
        DataError: There are no images, two names differ only in the suffix, or the annotations are damaged, belong to
            other images, or do not list an image (JSON only, which lists all images).
    """

    def __init__(self, path: Path | None, options: CocoOptions) -> None:
        super().__init__(path)
        keys: dict[str, str] = {}
        for file in self._files:
            other = keys.setdefault(image_key(file.name), file.name)
            if other != file.name:
                reason = f"{self._folder}: {other} and {file.name} differ only in the suffix"
                raise DataError(
                    "image-names", reason, "keep one of them: annotations are matched by name without suffix"
                )
        self._annotations = annotations = options.annotations or _beside(self._folder)
        self._truths = self._matched(annotations, list(keys)) if annotations else None

    def truth(self, index: int) -> Truth:
        """The objects in the image.

        Raises:
            DataError: There are no annotations, or they belong to an image of another size.
        """
        if self._truths is None:
            raise self.unlabelled("annotations", "give them with --set annotations=FILE")
        truth = self._truths[index]
        if truth.coco and not is_raw(self._files[index]):
            self._check_size(index, truth.coco.height, truth.coco.width)
        return truth

    @property
    def warnings(self) -> list[str]:
        """A warning about images that viewers rotate, but this data set, like the reference app, does not."""
        turned = turned_images(self._files) if self._truths is not None else ""
        return [f"{turned}; check that its boxes fit the stored image"] if turned else []

    def _check_size(self, index: int, height: int, width: int) -> None:
        """Boxes are in pixels: in an image of another size than the annotations say, they would be misplaced."""
        path = self._files[index]
        header = read_header(path)
        if (header.height, header.width) == (height, width):
            return
        reason = f"{path} is {header.width}x{header.height}, {self._annotations} says {width}x{height}"
        hint = "use the annotated images, or the annotations of these images"
        if header.turned and (header.width, header.height) == (height, width):
            hint = "viewers rotate it by its EXIF orientation: store the rotated image, or annotate the stored pixels"
        raise DataError("annotation-size", reason, hint)

    def _matched(self, annotations: Path, keys: list[str]) -> list[Truth]:
        textual = annotations.suffix.lower() in (".pbtxt", ".textproto", ".txtpb")
        known: Mapping[str, Truth] = (read_ground_truth if textual else read_instances)(annotations)
        absent = [file.name for key, file in zip(keys, self._files, strict=True) if key not in known]
        if len(absent) == len(keys):
            reason = f"{annotations} has none of the images in {self._folder}, such as {absent[0]}"
            raise DataError("annotations", reason, "give the annotations of these images")
        if absent and not textual:
            reason = f"{annotations} does not list {absent[0]} and {len(absent) - 1} more of the images"
            raise DataError("annotations", reason, "give the annotations of these images, or remove the others")
        return [known.get(key, NOTHING) for key in keys]


def _beside(folder: Path) -> Path | None:
    """The first file with a usual name in the folder, beside it, or in ``annotations`` in one of the two."""
    places = (folder, folder / "annotations", folder.parent / "annotations", folder.parent)
    return next((p / name for p in places for name in DEFAULT_ANNOTATIONS if (p / name).is_file()), None)
