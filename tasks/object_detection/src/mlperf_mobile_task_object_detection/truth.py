"""What is known of an image: its objects, as the reference app has them and as COCO's own evaluation has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True, eq=False)
class CocoObjects:
    """The objects of one image as in COCO's instances JSON, in its order."""

    width: int
    height: int
    """Of the image, in pixels."""
    boxes: npt.NDArray[np.float64]
    """[n, 4] pixels: left, top, width, height."""
    classes: npt.NDArray[np.int64]
    areas: npt.NDArray[np.float64]
    """[n] pixels, of the objects' outlines."""
    crowds: npt.NDArray[np.bool_]
    """[n] whether a box stands for many objects."""
    image: int = 0
    """The image's id, which decides between detections of equal scores."""
    numbered_0: npt.NDArray[np.bool_] | None = None
    """[n] whether an object's id is 0, for pycocotools never counts that as found; None where no id is."""


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """The objects of one image."""

    boxes: npt.NDArray[np.float32]
    """[n, 4]: ymin, xmin, ymax, xmax, as shares of the image."""
    classes: npt.NDArray[np.int64]
    coco: CocoObjects | None = None
    """Where the data set knows more."""


def as_boxes(rows: Sequence[Sequence[float]]) -> npt.NDArray[np.float32]:
    """Boxes of double precision, rounded: float32 [n, 4]."""
    return np.array(rows, np.float64).reshape(-1, 4).astype(np.float32)


NOTHING = Truth(as_boxes([]), np.zeros(0, np.int64))
"""Of an image without objects."""
