"""One caption: its text, and its token ids for text encoder and scorer."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mlperf_mobile_task_text_to_image.options import CaptionOptions

MOST_TOKENS = 4096
"""How long a caption may be."""


@dataclass(frozen=True, slots=True)
class Caption:
    """A sample, and its own truth: a picture is right if it fits its caption."""

    text: str
    ids: npt.NDArray[np.int32]
    """[n], padding included, as the tokenizer of the text encoder and of the scorer makes them."""
    mask: npt.NDArray[np.int32]
    """[n]: 1 for the caption, 0 for padding; for the scorer."""
    source: str
    """The file and its record, for messages."""

    def digest(self) -> bytes:
        """A digest of what is encoded."""
        return hashlib.sha256(self.ids.tobytes()).digest()


@dataclass(frozen=True, slots=True)
class Captioned:
    """The truth of a caption: itself, and what scores its pictures."""

    caption: Caption
    options: CaptionOptions
