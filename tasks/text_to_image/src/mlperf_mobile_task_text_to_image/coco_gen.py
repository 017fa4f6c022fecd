"""The reference app's captions of COCO, in a TFRecord file.

Source: mobile_app_open, flutter/cpp/datasets/coco_gen.cc: records with ``caption``, ``input_ids`` of 77 tokens and
``attention_mask``.
"""

from __future__ import annotations

from pathlib import Path

from mlperf_mobile_task_text_to_image.caption import MOST_TOKENS, Caption, Captioned
from mlperf_mobile_task_text_to_image.options import CaptionOptions
from mlperf_mobile_tfrecords.container import read_records
from mlperf_mobile_tfrecords.record import Record


class CocoGen:
    """One sample for each record, in the order of the file.

    Args:
        path: The file.
        options: See :class:`CaptionOptions`.

    Raises:
        DataError: The file cannot be read, or is damaged.
    """

    def __init__(self, path: Path | None, options: CaptionOptions) -> None:
        assert path is not None  # the offer needs a path
        self._path, self._options = path, options
        self._records = read_records(path)

    def __len__(self) -> int:
        return len(self._records)

    def sample(self, index: int) -> Caption:
        """The caption.

        Raises:
            DataError: The record is damaged.
        """
        record = Record(self._records[index], f"{self._path} record {index}")
        ids, mask = record.integers("input_ids"), record.integers("attention_mask")
        if not 0 < len(ids) == len(mask) <= MOST_TOKENS:
            record.damaged(f"it has {len(ids)} ids and a mask of {len(mask)}")
        if mask.max() > 1:
            record.damaged("its mask has values other than 0 and 1")
        return Caption(record.text("caption"), ids, mask, record.source)

    def fingerprint(self, index: int) -> bytes:
        """Digest of the caption's ids."""
        return self.sample(index).digest()

    def truth(self, index: int) -> Captioned:
        """The caption, and what scores its picture."""
        return Captioned(self.sample(index), self._options)
