"""The task: one image in, one class out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mlperf_mobile.contracts import Codec, Dataset, Metric, Options, Tensors, TensorSpec
from mlperf_mobile.errors import DataError, ModelError
from mlperf_mobile_task_image_classification.image import Image
from mlperf_mobile_task_image_classification.metric import RESPONSE, Top1
from mlperf_mobile_task_image_classification.options import TaskOptions
from mlperf_mobile_task_image_classification.preprocess import classification_input, normalise

INPUT_TYPES = ("float32", "uint8", "int8")
OUTPUT_TYPES = ("float32", "float16", "uint8", "int8")


class ImageClassification:
    """Official preprocessing, and top-1 with a label offset."""

    def __init__(self, options: Options) -> None:
        self._offset = TaskOptions.model_validate(options).label_offset

    def bind(self, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> Codec:
        """Check for one image in, [1, height, width, 1 or 3], and one vector of classes out."""
        if len(inputs) != 1 or not _is_image(inputs[0]):
            expected = f"one image, [1,H,W,3] or [1,H,W,1] of {', '.join(INPUT_TYPES)}"
            raise ModelError("model-input", f"the model takes {_list(inputs)}, the task gives {expected}", _OTHER)
        if len(outputs) != 1 or not _is_vector(outputs[0]):
            expected = f"one vector [1,classes] of {', '.join(OUTPUT_TYPES)}"
            raise ModelError("model-output", f"the model gives {_list(outputs)}, the task takes {expected}", _OTHER)
        classes = int(np.prod(outputs[0].shape)) - self._offset
        if classes < 2:
            reason = f"label_offset {self._offset} leaves {classes} classes of {outputs[0]}"
            raise ModelError("model-output", reason, "set label_offset to what the model has")
        return _Codec(inputs[0], outputs[0], self._offset)

    def metric(self, dataset: Dataset) -> Metric:
        """Top-1 against the labels of ``dataset``."""
        return Top1(dataset)


_OTHER = "give a classifier with --model, or choose the task that fits the model"


def _list(specs: Sequence[TensorSpec]) -> str:
    return ", ".join(f"{spec.name} {spec}" for spec in specs) or "nothing"


def _is_image(spec: TensorSpec) -> bool:
    shape = spec.shape
    fits = len(shape) == 4 and shape[0] == 1 and shape[1] > 0 and shape[2] > 0 and shape[3] in (1, 3)
    return fits and spec.dtype.name in INPUT_TYPES


def _is_vector(spec: TensorSpec) -> bool:
    *ones, classes = spec.shape or (0,)
    return all(size == 1 for size in ones) and classes > 1 and spec.dtype.name in OUTPUT_TYPES


class _Codec:
    """The task bound to one model."""

    def __init__(self, image: TensorSpec, classes: TensorSpec, offset: int) -> None:
        _, self._height, self._width, self._channels = image.shape
        self._dtype, self._offset = image.dtype, offset
        self._floating = np.issubdtype(classes.dtype, np.floating)

    def encode(self, sample: object) -> Tensors:
        """The image as the model's input, [1, height, width, channels]."""
        if not isinstance(sample, Image):
            reason = f"the data set gives {type(sample).__name__}, the task takes images"
            raise DataError("not-an-image", reason, "choose a data set that fits the task, with --dataset")
        pixels = sample.pixels
        shape = (self._height, self._width, self._channels)
        if pixels.ndim == 1:
            if pixels.size != self._height * self._width * self._channels:
                size = f"{sample.source} has {pixels.size} bytes"
                raise DataError("image-size", f"{size}, the model takes {shape} pixels", "prepare it for this model")
            pixels = pixels.reshape(shape)
        if pixels.shape[2] != self._channels:
            reason = f"{sample.source} has {pixels.shape[2]} channels, the model takes {self._channels}"
            raise DataError("image-channels", reason, "choose a data set that fits the model, with --dataset")
        if not sample.prepared:
            values = classification_input(pixels, self._height, self._width, self._dtype)
        elif pixels.shape == shape:
            values = normalise(pixels, self._dtype)
        else:
            reason = f"{sample.source} is {pixels.shape}, the model takes {shape}"
            raise DataError("image-size", reason, "choose a data set that fits the model, with --dataset")
        return (np.ascontiguousarray(values)[None],)

    def decode(self, outputs: Tensors) -> bytes:
        """The class with the largest value, the first one among equals; a value that is no number never wins."""
        values = outputs[0].reshape(-1)
        best = int(values[self._offset :].argmax()) if self._offset else int(values.argmax())
        if self._floating and values[best + self._offset] != values[best + self._offset]:
            best = _largest_number(values[self._offset :])
        return RESPONSE.pack(best)


def _largest_number(values: npt.NDArray[np.floating]) -> int:
    numbers = np.flatnonzero(~np.isnan(values))
    return int(numbers[values[numbers].argmax()]) if numbers.size else -1
