"""The truth of an image: its objects as the reference app has them, and as COCO's own evaluation has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True, eq=False)
class CocoObjects:
    """The objects of one image in COCO's instances JSON, in its order."""

    width: int
    height: int
    """Size of the image, in pixels."""
    boxes: npt.NDArray[np.float64]
    """[n, 4] pixels: left, top, width, height."""
    classes: npt.NDArray[np.int64]
    areas: npt.NDArray[np.float64]
    """[n] pixels, inside the objects' outlines."""
    crowds: npt.NDArray[np.bool_]
    """[n] whether a box encloses many objects."""
    image: int = 0
    """The image's id, which orders detections of equal scores."""
    numbered_0: npt.NDArray[np.bool_] | None = None
    """[n] whether an object's id is 0, which pycocotools never counts as found; None if no id is."""


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """The objects of one image."""

    boxes: npt.NDArray[np.float32]
    """[n, 4]: ymin, xmin, ymax, xmax, as fractions of the image."""
    classes: npt.NDArray[np.int64]
    coco: CocoObjects | None = None
    """COCO's own data, if the data set has them."""


def as_boxes(rows: Sequence[Sequence[float]]) -> npt.NDArray[np.float32]:
    """Boxes in double precision, rounded to float32 [n, 4]."""
    return np.array(rows, np.float64).reshape(-1, 4).astype(np.float32)


NOTHING = Truth(as_boxes([]), np.zeros(0, np.int64))
"""The truth of an image without objects."""
