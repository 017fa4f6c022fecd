"""The task: one image in, the boxes and classes of the objects in it out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mlperf_mobile.contracts import Codec, Dataset, Metric, TensorSpec
from mlperf_mobile_images.model_input import ImageInput
from mlperf_mobile_images.normalise import normalise
from mlperf_mobile_images.resize import Pixels, resize_bilinear
from mlperf_mobile_task_object_detection.decoders import PostProcessed, Raw
from mlperf_mobile_task_object_detection.metric import MeanAveragePrecision
from mlperf_mobile_task_object_detection.options import TaskOptions
from mlperf_mobile_task_object_detection.outputs import find_outputs


class ObjectDetection:
    """The benchmark's preprocessing, SSD decoding if the model leaves it to the task, and mAP."""

    def __init__(self, options: TaskOptions) -> None:
        self._options = options

    def bind(self, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> Codec:
        """Check that the model has one image input, and detections as outputs, post-processed or raw."""
        image = ImageInput(inputs, detection_input, official=self._options.quantised_input == "official")
        places = find_outputs(outputs, self._options.output_order)
        if "count" in places:
            return _Codec(image, PostProcessed(outputs, places, self._options))
        return _Codec(image, Raw(outputs, places, self._options, (image.height, image.width)))

    def metric(self, dataset: Dataset) -> Metric:
        """The reference app's mAP against the boxes of ``dataset``."""
        return MeanAveragePrecision(dataset, self._options.num_classes)


class _Codec:
    """The task bound to one model."""

    def __init__(self, image: ImageInput, decoder: PostProcessed | Raw) -> None:
        self.encode, self.decode = image.encode, decoder.decode
        self.recipe = image.recipe("detection 1")


def detection_input(pixels: Pixels, height: int, width: int, dtype: np.dtype[np.generic]) -> npt.NDArray[np.generic]:
    """Resize without keeping the aspect ratio, and normalise, as the reference app does (flutter/cpp/datasets/coco.cc).

    Args:
        pixels: uint8 [h, w, channels].
        height: Height of the result.
        width: Width of the result.
        dtype: float32, uint8 or int8.

    Returns:
        [height, width, channels] of ``dtype``.
    """
    return normalise(resize_bilinear(pixels, (height, width)), dtype, overwrite=True)
