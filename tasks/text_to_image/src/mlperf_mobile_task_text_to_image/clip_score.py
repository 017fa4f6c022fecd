"""CLIP score: how well pictures fit their captions, by a CLIP model."""

from __future__ import annotations

import io
import math
from pathlib import Path
from statistics import fmean

import numpy as np
from PIL import Image

from mlperf_mobile.contracts import Dataset, Score
from mlperf_mobile.errors import DataError
from mlperf_mobile.names import as_file_name
from mlperf_mobile_task_text_to_image.caption import Captioned
from mlperf_mobile_task_text_to_image.clip_model import ClipModel

NAME = 80
"""Characters of a caption in its picture's file name."""


class CLIPScore:
    """The mean of ``logits_per_text`` over all captions, divided by 100, as in the reference app (coco_gen.cc).

    Not comparable with other CLIP scores, which resize to 224 pixels, normalise colours, and clip at 0.

    Args:
        dataset: The captions.

    Raises:
        DataError: The data set has no CLIP model, or one that does not fit; raised here, before the first inference.
    """

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._logits: list[float] = []
        self._pictures: dict[int, bytes] = {}
        options = self._truth(0).options
        if options.clip_model is None:
            hint = "give it with --set clip_model=FILE, or measure with --mode performance"
            raise DataError("clip-model", "the data set has no CLIP model to score pictures with", hint)
        self._clip = ClipModel(options.clip_model, options.clip_threads)

    def update(self, index: int, response: bytes) -> None:
        """Score one picture."""
        caption, (height, width) = self._truth(index).caption, self._clip.size
        if len(response) != height * width * 3:
            reason = f"the response to sample {index} has {len(response)} bytes, the CLIP model takes {width}x{height}"
            raise DataError(
                "response", reason, "the log belongs to another task or model, or choose another clip_model"
            )
        pixels = np.frombuffer(response, np.uint8).reshape(height, width, 3)
        self._logits.append(self._clip.logit(caption, pixels))
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "PNG")
        self._pictures[index] = file.getvalue()

    def score(self) -> Score:
        """The score; its details are the lowest and the highest of a picture."""
        count = len(self._logits)
        details = {"lowest": min(self._logits) / 100, "highest": max(self._logits) / 100} if count else {}
        return Score("CLIP", fmean(self._logits) / 100 if count else math.nan, count, details)

    def illustrate(self, folder: Path) -> None:
        """See :class:`mlperf_mobile.contracts.IllustratingMetric`: one PNG for each picture, named by its caption."""
        for index, data in sorted(self._pictures.items()):
            text = "".join(c if c.isascii() and c.isalnum() else "-" for c in self._truth(index).caption.text.lower())
            (folder / as_file_name(f"{index:04}-{text[:NAME].strip('-')}.png")).write_bytes(data)

    def _truth(self, index: int) -> Captioned:
        truth = self._dataset.truth(index)
        if not isinstance(truth, Captioned):
            reason = f"the truth of sample {index} is {truth!r:.40}, not a caption"
            raise DataError("label", reason, "choose a data set that fits the task, with --dataset")
        return truth
