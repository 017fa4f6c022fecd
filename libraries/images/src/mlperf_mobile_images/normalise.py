"""The benchmark's three normalisations, by the type of the model's input.

Source of every formula: TensorFlow Lite, tools/evaluation/stages/image_preprocessing_stage.{h,cc} and
kernels/internal/reference/resize_bilinear.h, as MLPerf Mobile's app calls them (flutter/cpp/datasets).
All arithmetic is in float32 and in the order of that code, because the integer types truncate at the end.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def normalise(
    values: npt.NDArray[np.generic], dtype: np.dtype[np.generic], *, overwrite: bool = False
) -> npt.NDArray[np.generic]:
    """The benchmark's three normalisations of values between 0 and 255; integers truncate towards zero.

    float32: ``(x - 127.5) * (1 / 127.5)``, and float16 the same, rounded; uint8: ``x``; int8: ``x - 128``.

    Args:
        values: An array of any shape.
        dtype: float32, float16, uint8 or int8.
        overwrite: May overwrite float32 values, because new memory for a large image costs as much as the arithmetic.

    Raises:
        ValueError: ``dtype`` is another type.
    """
    if dtype == np.float16:
        return normalise(values, np.dtype(np.float32), overwrite=overwrite).astype(np.float16)
    if dtype == np.float32:
        centred = values.astype(np.float32, copy=not overwrite)
        centred -= np.float32(127.5)
        centred *= np.float32(1 / 127.5)
        return centred
    if dtype == np.uint8:
        return values.astype(np.uint8)
    if dtype == np.int8:
        return (values.astype(np.float32, copy=False) - np.float32(128)).astype(np.int8)
    raise ValueError(f"no normalisation for {dtype}")
