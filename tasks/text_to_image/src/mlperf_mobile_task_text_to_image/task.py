"""The task: a caption's token ids in, a picture out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mlperf_mobile.contracts import Codec, Dataset, Metric, Tensors, TensorSpec
from mlperf_mobile.errors import DataError, ModelError
from mlperf_mobile_task_text_to_image.caption import MOST_TOKENS, Caption
from mlperf_mobile_task_text_to_image.clip_score import CLIPScore

_OTHER = "give a text-to-image pipeline with --model, or choose the task that fits the model"


class TextToImage:
    """Token ids in, pictures as bytes out; CLIP score."""

    def __init__(self, options: None = None) -> None:
        """There are no options."""

    def bind(self, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> Codec:
        """Check for one input, int32 [1, n], and one output, float32 [1, h, w, 3] from -1, black, to 1."""
        if [(len(spec.shape), spec.shape[:1], spec.dtype.name) for spec in inputs] != [(2, (1,), "int32")]:
            raise ModelError("model-input", f"the model takes {_text(inputs)}, the task gives ids, int32[1,n]", _OTHER)
        if not 1 <= inputs[0].shape[1] <= MOST_TOKENS:
            raise ModelError("model-input", f"the model takes {inputs[0].shape[1]} tokens", _OTHER)
        found = [(len(spec.shape), spec.shape[:1], spec.shape[3:], spec.dtype.name) for spec in outputs]
        if found != [(4, (1,), (3,), "float32")]:
            expected = "one picture, float32[1,h,w,3]"
            raise ModelError("model-output", f"the model gives {_text(outputs)}, the task takes {expected}", _OTHER)
        return _Codec(inputs[0])

    def metric(self, dataset: Dataset) -> Metric:
        """The CLIP score of the pictures with the captions of ``dataset``."""
        return CLIPScore(dataset)


class _Codec:
    """The task bound to one model."""

    def __init__(self, ids: TensorSpec) -> None:
        self._length = ids.shape[1]
        self.recipe = f"text-to-image 1, {ids.dtype.name} {self._length}"

    def encode(self, sample: object) -> Tensors:
        """The caption's ids.

        Raises:
            DataError: It is not a caption, or has another number of tokens than the model takes.
        """
        if not isinstance(sample, Caption):
            raise DataError(
                "sample", f"{sample!r:.80} is not a caption", "choose a data set of captions, with --dataset"
            )
        if len(sample.ids) != self._length:
            reason = f"{sample.source} has {len(sample.ids)} tokens, the model takes {self._length}"
            raise DataError(
                "caption-length", reason, "choose captions that were tokenised for the model, with --dataset"
            )
        return (sample.ids[None],)

    def decode(self, outputs: Tensors) -> bytes:
        """The picture: h x w x 3 bytes, row by row.

        As in the reference app, (x + 1) / 2 · 255 is truncated; beyond black and white, where the app's result is
        undefined, it is black or white.
        """
        pixels = (outputs[0] + np.float32(1)) * np.float32(127.5)
        return np.clip(pixels, 0, 255, out=pixels).astype(np.uint8).tobytes()


def _text(specs: Sequence[TensorSpec]) -> str:
    return ", ".join(map(str, specs)) or "nothing"
