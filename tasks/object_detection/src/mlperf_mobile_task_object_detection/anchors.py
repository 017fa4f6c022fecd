"""The anchors of SSD models, and boxes encoded relative to them.

Sources: TensorFlow Object Detection API, anchor_generators/multiple_grid_anchor_generator.py (create_ssd_anchors) and
box_coders/faster_rcnn_box_coder.py; TensorFlow Lite, kernels/detection_postprocess.cc.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from mlperf_mobile_task_object_detection.options import TaskOptions

Floats = npt.NDArray[np.float32]

LOWEST = 0.1
"""Scale of the square anchor in a finest map with three anchors per place."""


def ssd_anchors(height: int, width: int, options: TaskOptions) -> Floats:
    """All anchors for an image size, float32 [anchors, 4]: centre y, centre x, height, width, in an image of size 1.

    They are ordered by feature map, and within a map by row, column and shape.
    """
    square = min(height, width)
    maps = []
    for stride, shapes in zip(options.anchor_strides, _shapes(options), strict=True):
        rows, columns = math.ceil(height / stride), math.ceil(width / stride)
        sizes = np.array(shapes) * (square / height, square / width)
        grid = np.empty((rows, columns, len(shapes), 4))
        grid[..., 0] = ((np.arange(rows) + 0.5) / rows)[:, None, None]
        grid[..., 1] = ((np.arange(columns) + 0.5) / columns)[None, :, None]
        grid[..., 2:] = sizes
        maps.append(grid.reshape(-1, 4))
    return np.concatenate(maps).astype(np.float32)


def anchor_count(height: int, width: int, options: TaskOptions) -> int:
    """The number of anchors that :func:`ssd_anchors` returns."""
    places = (math.ceil(height / stride) * math.ceil(width / stride) for stride in options.anchor_strides)
    return sum(place * len(shapes) for place, shapes in zip(places, _shapes(options), strict=True))


def _shapes(options: TaskOptions) -> list[list[tuple[float, float]]]:
    """(height, width) of each map's anchors, in a square image of size 1."""
    count = len(options.anchor_strides)
    low, high = options.anchor_min_scale, options.anchor_max_scale
    scales = [low + (high - low) * number / (count - 1) for number in range(count)] if count > 1 else [low]
    maps = []
    for number, (scale, following) in enumerate(zip(scales, [*scales[1:], 1.0], strict=True)):
        if number == 0 and options.anchor_reduced_lowest:
            shapes = [(LOWEST, 1.0), (scale, 2.0), (scale, 0.5)]
        else:
            shapes = [(scale, ratio) for ratio in options.anchor_aspect_ratios]
            if options.anchor_interpolated_ratio:
                shapes.append((math.sqrt(scale * following), options.anchor_interpolated_ratio))
        maps.append([(size / math.sqrt(ratio), size * math.sqrt(ratio)) for size, ratio in shapes])
    return maps


def decode_boxes(encodings: Floats, anchors: Floats, scales: npt.NDArray[np.float64]) -> Floats:
    """Boxes from the model's encodings relative to their anchors.

    Computed in double precision, and rounded to float32 where TensorFlow Lite does.

    Args:
        encodings: float32 [n, 4]: y, x, height, width.
        anchors: float32 [n, 4], see :func:`ssd_anchors`.
        scales: Of the four encodings, float64 [4], so that the arithmetic is in double precision.

    Returns:
        float32 [n, 4]: ymin, xmin, ymax, xmax.
    """
    relative = encodings / scales
    sizes = anchors[:, 2:]
    centre = (relative[:, :2] * sizes + anchors[:, :2]).astype(np.float32)
    with np.errstate(over="ignore"):
        half = (0.5 * np.exp(relative[:, 2:]) * sizes).astype(np.float32)
        return np.concatenate((centre - half, centre + half), axis=1)
