"""The task: a recording becomes a spectrogram, an output a keyword, and keywords a score."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np

from mlperf_mobile.contracts import Codec, Dataset, Metric, Score, Tensors, TensorSpec
from mlperf_mobile.errors import DataError, ModelError
from mlperf_mobile_example_keyword_spotting.sound import BANDS, FRAMES, spectrogram

RESPONSE = struct.Struct("<i")
"""A response in the accuracy log: the number of the keyword."""


class KeywordSpotting:
    """Which keyword a recording has."""

    def __init__(self, options: None) -> None:
        """There are no options."""

    def bind(self, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> Codec:
        """Check for one spectrogram in, and one vector of scores out."""
        if [(spec.shape, spec.dtype.name) for spec in inputs] != [((1, FRAMES, BANDS), "float32")]:
            given = ", ".join(map(str, inputs)) or "nothing"
            reason = f"the model takes {given}, the task gives float32[1,{FRAMES},{BANDS}]"
            raise ModelError("model-input", reason, "give another --model")
        if len(outputs) != 1 or len(outputs[0].shape) != 2 or outputs[0].dtype.kind not in "fiu":
            given = ", ".join(map(str, outputs)) or "nothing"
            reason = f"the model gives {given}, the task takes one vector of scores"
            raise ModelError("model-output", reason, "give another --model")
        return _Codec()

    def metric(self, dataset: Dataset) -> Metric:
        """The share of recordings whose keyword was recognised."""
        return Top1(dataset)


class _Codec:
    """The task, bound to one model."""

    recipe = f"log-mel spectrogram 1, float32, {FRAMES} x {BANDS}"
    """Encoded samples are kept between runs under this name."""

    def encode(self, sample: object) -> Tensors:
        """The spectrogram; not timed."""
        return (np.ascontiguousarray(spectrogram(np.asarray(sample, np.float32))[None]),)

    def decode(self, outputs: Tensors) -> bytes:
        """The keyword with the highest score; timed."""
        return RESPONSE.pack(int(outputs[0].argmax()))


class Top1:
    """The share of right answers."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset, self._right, self._total = dataset, 0, 0

    def update(self, index: int, response: bytes) -> None:
        """Score the response to one sample."""
        if len(response) != RESPONSE.size:
            reason = f"the response to sample {index} has {len(response)} bytes, not {RESPONSE.size}"
            raise DataError("response", reason, "the log belongs to another task")
        self._right += RESPONSE.unpack(response)[0] == self._dataset.truth(index)
        self._total += 1

    def score(self) -> Score:
        """Name, value and number of samples."""
        return Score("top-1", self._right / self._total if self._total else 0.0, self._total)
