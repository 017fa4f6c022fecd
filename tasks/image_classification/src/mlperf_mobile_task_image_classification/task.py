"""The task: one image in, one class out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from mlperf_mobile.contracts import (
    Codec,
    Dataset,
    Metric,
    Tensors,
    TensorSpec,
    check_quantisation,
    real_values,
)
from mlperf_mobile.errors import ModelError
from mlperf_mobile_images.image import Image
from mlperf_mobile_images.model_input import ImageInput, describe, size_of_samples
from mlperf_mobile_task_image_classification.metric import RESPONSE, Top1
from mlperf_mobile_task_image_classification.options import TaskOptions
from mlperf_mobile_task_image_classification.preprocess import classification_input

OUTPUT_TYPES = ("float32", "float16", "uint8", "int8", "int16", "uint16")


class ImageClassification:
    """The benchmark's preprocessing, and top-1 with a label offset."""

    def __init__(self, options: TaskOptions) -> None:
        self._offset, self._official = options.label_offset, options.quantised_input == "official"

    def bind(self, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> Codec:
        """Check for one image input, [1, height, width, 1 or 3], and one output vector of class scores."""
        image = ImageInput(inputs, classification_input, official=self._official)
        if len(outputs) != 1 or not _is_vector(outputs[0]):
            expected = f"one vector [1,classes] of {', '.join(OUTPUT_TYPES)}"
            raise ModelError("model-output", f"the model gives {describe(outputs)}, the task takes {expected}", _OTHER)
        classes = int(np.prod(outputs[0].shape)) - self._offset
        if classes < 2:
            reason = f"label_offset {self._offset} leaves {classes} classes of {outputs[0]}"
            raise ModelError("model-output", reason, "set label_offset to the number of the model's extra outputs")
        return _Codec(image, outputs[0], self._offset)

    def input_shapes(self, inputs: Sequence[TensorSpec], dataset: Dataset) -> Mapping[str, tuple[int, ...]]:
        """An open input gets the size of the images if they are not resized; otherwise any size fits."""
        sample = dataset.sample(0)
        return size_of_samples(inputs, sample) if isinstance(sample, Image) and sample.prepared else {}

    def metric(self, dataset: Dataset) -> Metric:
        """Top-1 against the labels of ``dataset``."""
        return Top1(dataset)


_OTHER = "give a classifier with --model, or choose the task that fits the model"


def _is_vector(spec: TensorSpec) -> bool:
    *ones, classes = spec.shape or (0,)
    return all(size == 1 for size in ones) and classes > 1 and spec.dtype.name in OUTPUT_TYPES


class _Codec:
    """The task bound to one model."""

    def __init__(self, image: ImageInput, classes: TensorSpec, offset: int) -> None:
        self.encode, self._offset = image.encode, offset
        self.recipe = image.recipe("classification 1")
        check_quantisation(classes)
        self._real = real_values(classes) if classes.scales else None  # one scale leaves the order as it is
        self._floating = np.issubdtype(classes.dtype, np.floating)

    def decode(self, outputs: Tensors) -> bytes:
        """The class with the largest value, the first among equals; NaN never wins."""
        values = outputs[0].reshape(-1) if self._real is None else self._real(outputs[0]).reshape(-1)
        best = int(values[self._offset :].argmax()) if self._offset else int(values.argmax())
        if self._floating and values[best + self._offset] != values[best + self._offset]:
            best = _largest_number(values[self._offset :])
        return RESPONSE.pack(best)


def _largest_number(values: npt.NDArray[np.floating]) -> int:
    numbers = np.flatnonzero(~np.isnan(values))
    return int(numbers[values[numbers].argmax()]) if numbers.size else -1
