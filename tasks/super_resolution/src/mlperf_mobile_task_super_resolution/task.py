"""The task: one image in, the same image enlarged by an integer factor out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mlperf_mobile.contracts import Codec, Dataset, Metric, Tensors, TensorSpec
from mlperf_mobile.errors import DataError, ModelError
from mlperf_mobile_images.model_input import ImageInput, Values, describe, size_of_samples
from mlperf_mobile_images.resize import Pixels, resize_bilinear
from mlperf_mobile_task_super_resolution.greys import OUTPUT_TYPES, reading, storing
from mlperf_mobile_task_super_resolution.metric import PSNR
from mlperf_mobile_task_super_resolution.options import TaskOptions
from mlperf_mobile_task_super_resolution.pairs import LowResolution


class SuperResolution:
    """Unprocessed images in, images as bytes out; PSNR."""

    def __init__(self, options: TaskOptions) -> None:
        self._options = options

    def bind(self, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> Codec:
        """Check for one image input, [1, H, W, 3], and one output, [1, sH, sW, 3], with an integer s of at least 2."""
        return _Codec(inputs, outputs, self._options)

    def input_shapes(self, inputs: Sequence[TensorSpec], dataset: Dataset) -> Mapping[str, tuple[int, ...]]:
        """An open input gets the size of the pairs' images, which are never resized."""
        sample = dataset.sample(0)
        return size_of_samples(inputs, sample) if isinstance(sample, LowResolution) else {}

    def metric(self, dataset: Dataset) -> Metric:
        """PSNR against the high-resolution images of ``dataset``."""
        return PSNR(dataset)


_OTHER = "give a model for super resolution with --model, or choose the task that fits the model"


class _Codec:
    """The task bound to one model."""

    def __init__(self, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], options: TaskOptions) -> None:
        self._image = ImageInput(inputs, self._resized, self._unchanged, quantises=True)
        height, width = self._image.height, self._image.width
        if self._image.channels != 3:
            raise ModelError("model-input", f"the model takes {describe(inputs)}, the task gives three colours", _OTHER)
        if len(outputs) != 1 or not _is_larger(outputs[0], height, width):
            expected = f"one image, [1,{height}s,{width}s,3] of {', '.join(OUTPUT_TYPES)}, s = 2, 3, …"
            raise ModelError("model-output", f"the model gives {describe(outputs)}, the task takes {expected}", _OTHER)
        self._size = outputs[0].shape[1:3]
        self._store = storing(inputs[0], options.input_range)
        self._read = reading(outputs[0], options.output_range)
        scales = inputs[0].quantisation if inputs[0].scales else f"{inputs[0].scale!r} {inputs[0].zero_point}"
        stored = f"{options.input_range} {scales}"
        self.recipe = self._image.recipe(f"super-resolution 1, {stored}")

    def encode(self, sample: object) -> Tensors:
        """The image's values; only images of a plain folder are resized, by the benchmark's bilinear method.

        Raises:
            DataError: It is not an image, or belongs to a pair that does not have the model's sizes.
        """
        if isinstance(sample, LowResolution) and sample.high not in (None, self._size):
            (high, wide), (height, width) = sample.high, self._size
            reason = f"the high-resolution image of {sample.source} is {wide}x{high}, the model gives {width}x{height}"
            raise DataError("image-size", reason, "choose a data set that fits the model, or another --model")
        return self._image.encode(sample)

    def decode(self, outputs: Tensors) -> bytes:
        """The image: sH x sW x 3 bytes, row by row."""
        return self._read(outputs[0])

    def _resized(self, pixels: Pixels, height: int, width: int, dtype: np.dtype[np.generic]) -> Values:
        if pixels.shape[:2] == (height, width):
            return self._store(pixels)
        return self._store(resize_bilinear(pixels, (height, width)))

    def _unchanged(self, pixels: Pixels, height: int, width: int, dtype: np.dtype[np.generic]) -> Values:
        return self._store(pixels)


def _is_larger(spec: TensorSpec, height: int, width: int) -> bool:
    if len(spec.shape) != 4 or spec.shape[0] != 1 or spec.shape[3] != 3 or spec.dtype.name not in OUTPUT_TYPES:
        return False
    factor, rest = divmod(spec.shape[1], height)
    return factor >= 2 and not rest and spec.shape[2] == factor * width
