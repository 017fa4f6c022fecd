"""Captions in JSON lines: ``{"caption": "a red ring on blue", "input_ids": [0, …], "attention_mask": [1, …]}``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mlperf_mobile.errors import DataError
from mlperf_mobile.regular_files import read_regular
from mlperf_mobile_task_text_to_image.caption import MOST_TOKENS, Caption, Captioned
from mlperf_mobile_task_text_to_image.options import CaptionOptions

MOST_BYTES = 1 << 28
"""Of a file."""

_HINT = 'each line is {"caption": TEXT, "input_ids": [ID, …], "attention_mask": [1, …, 0]}'


class _Line(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    caption: str = Field(max_length=10_000)
    input_ids: list[Annotated[int, Field(ge=0, lt=1 << 31)]] = Field(min_length=1, max_length=MOST_TOKENS)
    attention_mask: list[Annotated[int, Field(ge=0, le=1)]] | None = Field(default=None, max_length=MOST_TOKENS)

    @model_validator(mode="after")
    def _same_length(self) -> Self:
        if self.attention_mask is not None and len(self.attention_mask) != len(self.input_ids):
            raise ValueError(f"{len(self.input_ids)} ids, but a mask of {len(self.attention_mask)}")
        return self


class Captions:
    """One sample for each line, in the order of the file.

    Args:
        path: The file.
        options: See :class:`CaptionOptions`.

    Raises:
        DataError: The file cannot be read, or a line is not a caption.
    """

    def __init__(self, path: Path | None, options: CaptionOptions) -> None:
        assert path is not None  # the offer needs a path
        self._options = options
        try:
            data = read_regular(path, MOST_BYTES)
        except OSError as error:
            raise DataError(
                "data-missing", f"cannot read {path}: {error.strerror or error}", "check the path"
            ) from error
        self._captions = [
            _caption(line, f"{path}:{number}") for number, line in enumerate(data.splitlines(), 1) if line.strip()
        ]

    def __len__(self) -> int:
        return len(self._captions)

    def sample(self, index: int) -> Caption:
        """The caption."""
        return self._captions[index]

    def fingerprint(self, index: int) -> bytes:
        """Digest of the caption's ids."""
        return self.sample(index).digest()

    def truth(self, index: int) -> Captioned:
        """The caption, and what scores its picture."""
        return Captioned(self._captions[index], self._options)


def _caption(line: bytes, source: str) -> Caption:
    try:
        found = _Line.model_validate(json.loads(line))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the line"
        raise DataError("data-damaged", f"{source}: {where}: {first['msg']}", _HINT) from error
    except (ValueError, RecursionError) as error:
        raise DataError("data-damaged", f"{source}: {str(error)[:200]}", _HINT) from error
    ids = np.array(found.input_ids, np.int32)
    mask = np.ones_like(ids) if found.attention_mask is None else np.array(found.attention_mask, np.int32)
    return Caption(found.caption, ids, mask, source)
