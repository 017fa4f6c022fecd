"""The description of a pipeline, its main file, and the tables beside it; all are checked before they are used."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mlperf_mobile.errors import ModelError
from mlperf_mobile.regular_files import read_regular
from mlperf_mobile_backend_tflite.diffusion.ddim import Floats

MAX_DESCRIPTION, MAX_TABLE = 1 << 16, 1 << 26
"""Bytes."""

_HINT = "see the README of mlperf-mobile-backend-tflite for its form"
_Id = Annotated[int, Field(ge=0, lt=1 << 31)]


class Description(BaseModel):
    """What a pipeline is made of: names of the model's files, and numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    kind: Literal["diffusion"]
    text_encoder: str
    denoiser: str
    decoder: str
    noise: str
    """The first latent of every image: float32 [1, h, w, c] in numpy's format ``.npy``."""
    time_embeddings: str
    """The steps and their embeddings, in the reference app's format."""
    unconditional: tuple[_Id, ...] = Field(min_length=1, max_length=4096, strict=False)
    """The ids of the empty text; the last one is repeated up to the text encoder's length."""
    guidance: float = Field(default=7.5, ge=0, le=1000, allow_inf_nan=False)
    betas: tuple[float, float] = Field(default=(0.00085, 0.012), strict=False)
    training_steps: int = Field(default=1000, ge=1, le=100_000)
    positions: Literal[0, 1] | None = None
    """Which input of the text encoder takes the positions 0, 1, 2, …; None if it has only one input."""

    @model_validator(mode="after")
    def _betas(self) -> Self:
        if not 0 < self.betas[0] <= self.betas[1] < 1:
            raise ValueError(f"betas: {list(self.betas)} are not two rising numbers between 0 and 1")
        return self


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A checked pipeline: its description, its parts and its tables."""

    about: Description
    parts: Mapping[str, Path]
    """``text_encoder``, ``denoiser`` and ``decoder``."""
    noise: Floats
    noise_sha256: str
    """Of the file."""
    steps: tuple[int, ...]
    """From the noisiest to the last."""
    embeddings: Floats
    """One row for each step."""


def read(model: Path, files: Mapping[str, Path]) -> Pipeline:
    """Read a pipeline.

    Args:
        model: The description.
        files: All files of the model by name.

    Raises:
        ModelError: ``pipeline-damaged``: the description or a table is not what it should be, or a file is not among
            the model's.
    """
    try:
        about = Description.model_validate_json(_bytes(model, MAX_DESCRIPTION))
    except ValidationError as error:
        found = error.errors(include_url=False)[0]
        where = ".".join(map(str, found["loc"]))
        raise _damaged(model, f"{where}: {found['msg']}".removeprefix(": ")) from error

    def named(name: str) -> Path:
        if name not in files:
            raise _damaged(model, f"it names {name!r:.80}, which is not a file of the model")
        return files[name]

    parts = {part: named(getattr(about, part)) for part in ("text_encoder", "denoiser", "decoder")}
    noise = _bytes(named(about.noise), MAX_TABLE)
    steps, embeddings = _embeddings(named(about.time_embeddings), about.training_steps)
    digest = hashlib.sha256(noise).hexdigest()
    return Pipeline(about, parts, _noise(named(about.noise), noise), digest, steps, embeddings)


def _noise(path: Path, data: bytes) -> Floats:
    try:
        found = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError, OSError, MemoryError) as error:
        raise _damaged(path, f"it is not a .npy file: {error}") from error
    if found.dtype != np.float32 or found.ndim != 4 or found.shape[0] != 1 or not found.size:
        shape = ",".join(map(str, found.shape))
        raise _damaged(path, f"it holds {found.dtype}[{shape}], not float32[1,h,w,c]")
    if not np.isfinite(found).all():
        raise _damaged(path, "it has a number that is not finite")
    return np.ascontiguousarray(found)


def _embeddings(path: Path, training_steps: int) -> tuple[tuple[int, ...], Floats]:
    """The table of the reference app: a count in 32 bits, as many steps in 32 bits, and a row of float32 for each."""
    data = _bytes(path, MAX_TABLE)
    count = int(np.frombuffer(data[:4], "<u4")[0]) if len(data) >= 4 else 0
    rest = len(data) - 4 - 4 * count
    if not 1 <= count <= training_steps or rest <= 0 or rest % (4 * count):
        raise _damaged(path, f"{len(data)} bytes do not hold {count} steps with an embedding each")
    steps: npt.NDArray[np.int32] = np.frombuffer(data, "<i4", count, 4)
    rows = np.frombuffer(data, "<f4", rest // 4, 4 + 4 * count).reshape(count, -1).astype(np.float32)
    order = np.argsort(-steps.astype(np.int64))
    ordered = steps[order].tolist()
    if ordered[-1] < 0 or ordered[0] >= training_steps or len(set(ordered)) != count:
        raise _damaged(path, f"its steps are not different numbers from 0 to {training_steps - 1}")
    if not np.isfinite(rows).all():
        raise _damaged(path, "it has a number that is not finite")
    return tuple(ordered), np.ascontiguousarray(rows[order])


def _bytes(path: Path, most: int) -> bytes:
    try:
        return read_regular(path, most)
    except OSError as error:
        raise ModelError("model-missing", f"cannot read {path}: {error.strerror or error}", "check --model") from error


def _damaged(path: Path, why: str) -> ModelError:
    return ModelError("pipeline-damaged", f"{path}: {' '.join(why.split())[:300]}", _HINT)
