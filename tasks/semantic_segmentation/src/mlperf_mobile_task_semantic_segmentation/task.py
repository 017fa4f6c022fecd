"""The task: one image in, one label for each pixel out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mlperf_mobile.contracts import Codec, Dataset, Metric, Tensors, TensorSpec
from mlperf_mobile.errors import ModelError
from mlperf_mobile_images.model_input import ImageInput, Values, describe, size_of_samples
from mlperf_mobile_images.normalise import normalise
from mlperf_mobile_images.resize import Pixels
from mlperf_mobile_task_semantic_segmentation.ade20k import ADE20K
from mlperf_mobile_task_semantic_segmentation.metric import MeanIoU
from mlperf_mobile_task_semantic_segmentation.options import TaskOptions
from mlperf_mobile_task_semantic_segmentation.outputs import Decode, reading
from mlperf_mobile_task_semantic_segmentation.preparation import fit_image


class SemanticSegmentation:
    """The benchmark's preparation and normalisation; label maps; mIoU."""

    def __init__(self, options: TaskOptions) -> None:
        self._options = options

    def bind(self, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> Codec:
        """Check that the model has one image input, and one output of labels or scores of its aspect ratio."""
        image = ImageInput(inputs, _prepared, official=self._options.quantised_input == "official", hint=_hint(inputs))
        decode = reading(outputs[0], background=self._options.background) if len(outputs) == 1 else None
        if decode is None or not _is_whole(outputs[0], image):
            expected = f"labels, [1,H,W] or [1,H,W,1], or scores, [1,H,W,C], of {image.height}x{image.width} or fewer"
            reason = f"the model gives {describe(outputs)}, the task takes {expected}"
            raise ModelError("model-output", reason, "give a segmenter with --model, or choose the task that fits")
        return _Codec(image, decode)

    def input_shapes(self, inputs: Sequence[TensorSpec], dataset: Dataset) -> Mapping[str, tuple[int, ...]]:
        """An open input gets the size that the data set prepares its images for."""
        return size_of_samples(inputs, dataset.sample(0)) if isinstance(dataset, ADE20K) else {}

    def metric(self, dataset: Dataset) -> Metric:
        """MIoU against the annotations of ``dataset``."""
        return MeanIoU(dataset, self._options.classes)


def _hint(inputs: Sequence[TensorSpec]) -> str:
    """The hint for images that are prepared for another size than the model's."""
    height, width = inputs[0].shape[1:3] if inputs and len(inputs[0].shape) == 4 else (0, 0)
    if height != width:
        return "choose a data set that fits the model, with --dataset; --set size=0 uses images unchanged"
    return f"--set size={height} prepares images and annotations for the model"


def _is_whole(output: TensorSpec, image: ImageInput) -> bool:
    """Whether an output can cover the whole image, at its resolution or a lower one."""
    height, width = output.shape[1:3]
    return height <= image.height and height * image.width == width * image.height


def _prepared(pixels: Pixels, height: int, width: int, dtype: np.dtype[np.generic]) -> Values:
    return normalise(fit_image(pixels, (height, width)), dtype)


class _Codec:
    """The task bound to one model."""

    def __init__(self, image: ImageInput, decode: Decode) -> None:
        self.encode, self._decode = image.encode, decode
        self.recipe = image.recipe("segmentation 1")

    def decode(self, outputs: Tensors) -> bytes:
        """One label per pixel, one byte each, row by row: H x W bytes in the output's resolution."""
        return self._decode(outputs[0])
