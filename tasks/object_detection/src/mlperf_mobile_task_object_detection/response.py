"""A response: the detections of one image, as the reference app logs them.

Source: MLPerf Mobile's app, flutter/cpp/datasets/coco.cc.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mlperf_mobile.errors import DataError

Floats = npt.NDArray[np.float32]

FIELDS = 7
"""Sample, ymin, xmin, ymax, xmax, score, class; each a little-endian float32, boxes as fractions of the image."""
SAMPLE, BOX, SCORE, CLASS = 0, slice(1, 5), 5, 6
NUMBERS = slice(1, 6)
"""Box and score."""
NO_SAMPLE = -1.0
"""In place of the sample's index, which a codec does not know; the log records it beside the response."""
MAX_DETECTIONS = 100_000


def new_response(count: int) -> Floats:
    """A response of ``count`` detections, float32 [count, FIELDS]; the caller fills all fields but the first."""
    table = np.empty((count, FIELDS), "<f4")
    table[:, SAMPLE] = NO_SAMPLE
    return table


def read_response(index: int, response: bytes, classes: int) -> Floats:
    """The detections in the response to sample ``index``, as little-endian float32 [detections, FIELDS].

    Args:
        index: The sample's index; the one in the response is ignored.
        response: The bytes in the log.
        classes: The number of classes, from 0; fractions are truncated, as in the reference app.

    Raises:
        DataError: The response is not one of this task, or names a class that is out of range.
    """
    if len(response) % (4 * FIELDS) or len(response) > 4 * FIELDS * MAX_DETECTIONS:
        reason = f"the response to sample {index} has {len(response)} bytes, not a multiple of {4 * FIELDS}"
        raise DataError("response", reason, "the log belongs to another task")
    table = np.frombuffer(response, "<f4").reshape(-1, FIELDS)
    named = table[:, CLASS]
    if named.size and not (named.min() > -1 and named.max() < classes):  # false for NaN as well
        reason = f"the response to sample {index} names class {named[~((named > -1) & (named < classes))][0]:g}"
        hint = "check label_offset, and num_classes if the data set has more classes"
        raise DataError("class-range", f"{reason}, classes are 0 to {classes - 1}", hint)
    return table
