"""A model's image input: checks it, and turns samples into its tensor."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from mlperf_mobile.contracts import Tensors, TensorSpec
from mlperf_mobile.errors import DataError, ModelError
from mlperf_mobile_images.image import Image
from mlperf_mobile_images.normalise import normalise
from mlperf_mobile_images.resize import Pixels
from mlperf_mobile_images.stored import storing

INPUT_TYPES = ("float32", "float16", "uint8", "int8", "int16", "uint16")

Values = npt.NDArray[np.generic]
Prepare = Callable[[Pixels, int, int, np.dtype[np.generic]], Values]
"""From (pixels, height, width, dtype) of any image to [height, width, channels] of the model's type."""


def describe(specs: Sequence[TensorSpec]) -> str:
    """Tensors as shown in messages."""
    return ", ".join(f"{spec.name} {spec}" for spec in specs) or "nothing"


class ImageInput:
    """The one image input of a model, [1, height, width, 1 or 3] of :data:`INPUT_TYPES`.

    Args:
        inputs: All inputs of the model.
        prepare: Turns an image of any size into the model's values: of its type by the benchmark's rule, or float32
            from -1 to 1 if the input's scales decide (:mod:`mlperf_mobile_images.stored`).
        prepared: The same for an image that already has the model's size.
        official: Always use the benchmark's rule for uint8 and int8.
        quantises: ``prepare`` and ``prepared`` return the tensor's stored values, so no rule is applied here.
        hint: The hint of the error for prepared images of another size.

    Raises:
        ModelError: The model's inputs are different.
    """

    def __init__(
        self,
        inputs: Sequence[TensorSpec],
        prepare: Prepare,
        prepared: Prepare | None = None,
        *,
        official: bool = False,
        quantises: bool = False,
        hint: str = "choose a data set that fits the model, with --dataset",
    ) -> None:
        if len(inputs) != 1 or not _is_image(inputs[0]):
            expected = f"one image, [1,H,W,3] or [1,H,W,1] of {', '.join(INPUT_TYPES)}"
            reason = f"the model takes {describe(inputs)}, the task gives {expected}"
            raise ModelError("model-input", reason, "give another --model, or choose the task that fits the model")
        _, self.height, self.width, self.channels = inputs[0].shape
        self.dtype = inputs[0].dtype
        self._hint = hint
        self._prepare, self._prepared = prepare, prepared or _as_it_is
        self._store = None if quantises else storing(inputs[0], official=official)
        self._made = np.dtype(np.float32) if self._store else self.dtype
        self._stored = f" {inputs[0].quantisation}" if self._store else ""

    def recipe(self, preparation: str) -> str:
        """Everything that :meth:`encode`'s result depends on besides the sample: a key for encoded samples on disk.

        Args:
            preparation: Name and version of ``prepare``; a change of its results needs a new version.
        """
        return f"{preparation}: {self.dtype.name}[1,{self.height},{self.width},{self.channels}]{self._stored}"

    def encode(self, sample: object) -> Tensors:
        """The sample as the model's input tensor.

        Raises:
            DataError: It is not an image, or does not fit the input.
        """
        if not isinstance(sample, Image):
            reason = f"the data set gives {type(sample).__name__}, the task takes images"
            raise DataError("not-an-image", reason, "choose a data set that fits the task, with --dataset")
        pixels = sample.pixels
        shape = (self.height, self.width, self.channels)
        if pixels.ndim == 1:
            if pixels.size != self.height * self.width * self.channels:
                size = f"{sample.source} has {pixels.size} bytes"
                raise DataError("image-size", f"{size}, the model takes {shape} pixels", "prepare it for this model")
            pixels = pixels.reshape(shape)
        adapted = sample.adaptable and pixels.shape != shape
        if adapted and pixels.shape[2] == 1:
            pixels = np.repeat(pixels, self.channels, axis=2)
        if pixels.shape[2] != self.channels:
            reason = f"{sample.source} has {pixels.shape[2]} channels, the model takes {self.channels}"
            raise DataError("image-channels", reason, "choose a data set that fits the model, with --dataset")
        if not sample.prepared or (adapted and pixels.shape != shape):
            values = self._prepare(pixels, self.height, self.width, self._made)
        elif pixels.shape == shape:
            values = self._prepared(pixels, self.height, self.width, self._made)
        else:
            reason = f"{sample.source} is {pixels.shape}, the model takes {shape}"
            raise DataError("image-size", reason, self._hint)
        tensor = np.ascontiguousarray(values)[None]
        return (self._store(tensor) if self._store else tensor,)


def size_of_samples(inputs: Sequence[TensorSpec], sample: object) -> dict[str, tuple[int, ...]]:
    """The shape of a model's only image input if it follows the samples, by the input's name; otherwise empty.

    Args:
        inputs: All inputs of the model; sizes may be open.
        sample: A sample of a data set whose samples have one size, and are not resized.
    """
    if len(inputs) != 1 or len(inputs[0].shape) != 4 or not isinstance(sample, Image) or sample.pixels.ndim != 3:
        return {}
    height, width, channels = sample.pixels.shape
    return {inputs[0].name: (1, height, width, channels if 3 in inputs[0].open_axes else inputs[0].shape[3])}


def _as_it_is(pixels: Pixels, height: int, width: int, dtype: np.dtype[np.generic]) -> Values:
    return normalise(pixels, dtype)


def _is_image(spec: TensorSpec) -> bool:
    shape = spec.shape
    fits = len(shape) == 4 and shape[0] == 1 and shape[1] > 0 and shape[2] > 0 and shape[3] in (1, 3)
    return fits and spec.dtype.name in INPUT_TYPES
