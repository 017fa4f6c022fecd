"""A CLIP model on the runtime of the backend tflite: how well a picture fits its caption."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mlperf_mobile.contracts import Artifact, Session, TensorSpec
from mlperf_mobile.errors import DataError
from mlperf_mobile_backend_tflite.backend import TFLiteBackend
from mlperf_mobile_backend_tflite.options import TFLiteOptions
from mlperf_mobile_task_text_to_image.caption import Caption

_HINT = "give a CLIP model with inputs for mask, ids and pixels, with --set clip_model=FILE"
_LOGITS = "logits_per_text"


class ClipModel:
    """A CLIP model with the inputs mask and ids, of integers [1, n], and pixels, float32 [1, h, w, 3].

    Args:
        path: The .tflite file.
        threads: Threads to run it with.

    Raises:
        DataError: ``clip-model``: its inputs or outputs are others.
        ModelError: It is missing or damaged.
    """

    def __init__(self, path: Path, threads: int) -> None:
        self._path, self._stack = path, ExitStack()
        backend = TFLiteBackend(TFLiteOptions(threads=threads, shards=1))
        session: Session = backend.load(Artifact(path, "cpu"))
        self._session = self._stack.enter_context(session)
        inputs, outputs = self._session.inputs, self._session.outputs
        pixels = [n for n, spec in enumerate(inputs) if _is_picture(spec)]
        texts = [n for n, spec in enumerate(inputs) if len(spec.shape) == 2 and spec.dtype.kind == "i"]
        if len(inputs) != 3 or len(pixels) != 1 or len(texts) != 2 or inputs[texts[0]].shape != inputs[texts[1]].shape:
            raise self._unsuitable(f"takes {_text(inputs)}")
        masks = [n for n in texts if "mask" in inputs[n].name.lower()] or texts[:1]  # the app feeds the mask first
        self._mask, self._pixels = masks[0], pixels[0]
        (self._ids,) = set(texts) - {self._mask}
        self.length: int = inputs[self._ids].shape[1]
        height, width = inputs[self._pixels].shape[1:3]
        self.size = height, width
        """Height and width of its pictures."""
        scores = [n for n, spec in enumerate(outputs) if spec.dtype == np.float32 and int(np.prod(spec.shape)) == 1]
        named = [n for n in scores if _LOGITS in outputs[n].name]
        if not scores:
            raise self._unsuitable(f"gives {_text(outputs)}, none of one number")
        self._score = (named or scores)[0]

    def logit(self, caption: Caption, picture: npt.NDArray[np.uint8]) -> float:
        """``logits_per_text`` of one picture, height x width x 3: 100 times the cosine for CLIP.

        Pixels p become p / 128 - 1, without CLIP's mean and deviation, as in the reference app (coco_gen.cc).

        Raises:
            DataError: The caption has another number of tokens.
            BackendError: The runtime failed.
        """
        if len(caption.ids) != self.length:
            reason = f"{caption.source} has {len(caption.ids)} tokens, {self._path.name} takes {self.length}"
            raise DataError("caption-length", reason, "choose captions that were tokenised for the CLIP model")
        feeds: list[Any] = [None] * 3
        for place, ids in ((self._mask, caption.mask), (self._ids, caption.ids)):
            feeds[place] = ids[None].astype(self._session.inputs[place].dtype)
        feeds[self._pixels] = (picture.astype(np.float32) / np.float32(128) - np.float32(1))[None]
        return float(self._session.run(tuple(feeds))[self._score].reshape(-1)[0])

    def _unsuitable(self, why: str) -> DataError:
        self._stack.close()
        return DataError("clip-model", f"{self._path} {why}", _HINT)


def _is_picture(spec: TensorSpec) -> bool:
    return len(spec.shape) == 4 and spec.shape[0] == 1 and spec.shape[3] == 3 and spec.dtype == np.float32


def _text(specs: Sequence[TensorSpec]) -> str:
    return ", ".join(map(str, specs)) or "nothing"
