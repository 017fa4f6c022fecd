"""Non-maximum suppression: of boxes that overlap strongly, only the best is kept.

Source: TensorFlow Lite, kernels/detection_postprocess.cc.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.intp]

CHUNK = 48
"""Boxes compared with each other at a time: usually the first few are enough."""


def suppress(
    count: int, boxes_of: Callable[[slice], Floats], groups: Indices | None, threshold: float, most: int
) -> tuple[list[int], Floats]:
    """Choose boxes from first to last, except those that overlap a chosen box of their group too much.

    Args:
        count: Number of boxes, the best first.
        boxes_of: Returns a slice of them, float32 [n, 4]: ymin, xmin, ymax, xmax.
        groups: [count]; None if all boxes are in one group.
        threshold: The largest intersection over union that is allowed.
        most: How many boxes to choose at most.

    Returns:
        The indices of the chosen boxes, ascending, and the boxes.
    """
    chosen: list[int] = []
    boxes = np.empty((0, 4), np.float32)
    limit = np.float32(threshold)
    for start in range(0, count, CHUNK):
        part = slice(start, min(start + CHUNK, count))
        known, numbers = len(chosen), [*chosen, *range(start, part.stop)]
        boxes = np.concatenate((boxes, boxes_of(part))) if known else boxes_of(part)
        clash: npt.NDArray[np.bool_] = overlaps(boxes) > limit
        if groups is not None:
            mine = groups[numbers]
            clash &= mine[:, None] == mine
        gone = np.any(clash[:known], axis=0)
        kept = list(range(known))
        for place in range(known, len(numbers)):
            if not gone[place]:
                kept.append(place)
                if len(kept) == most:
                    break
                gone |= clash[place]
        chosen, boxes = [numbers[place] for place in kept], boxes[kept]
        if len(chosen) == most:
            break
    return chosen, boxes


def overlaps(boxes: Floats) -> Floats:
    """Intersection over union of each pair, float32 [n, n]; 0 if one of the two has no area."""
    corners = np.ascontiguousarray(boxes.T)
    low, high = corners[:2], corners[2:]
    with np.errstate(all="ignore"):
        sizes = high - low
        areas = sizes[0] * sizes[1]
        common = np.minimum(high[:, :, None], high[:, None]) - np.maximum(low[:, :, None], low[:, None])
        np.maximum(common, 0, out=common)
        shares: Floats = common[0] * common[1]
        shares /= areas[:, None] + areas - shares
    if not areas.min(initial=1) > 0:
        empty = ~(areas > 0)
        shares[empty] = 0
        shares[:, empty] = 0
    return shares
