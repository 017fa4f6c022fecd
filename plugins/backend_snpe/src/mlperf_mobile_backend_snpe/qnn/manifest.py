"""The manifest beside a compiled model: the tensors of the source model, the operations, and checksums."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile.errors import ModelError

NAME = "manifest.json"
MAX_BYTES = 4_000_000
_HINT = "compile the model again; mlperf-mobile cache prune --all forgets what is kept"

DTYPES = (
    "float16", "float32", "float64", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "bool",
)  # fmt: skip

Count = Annotated[int, Field(ge=0, le=10_000_000)]


class Tensor(BaseModel):
    """One input or output."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    """The name in the source model."""
    compiled: str
    """The name in the compiled model, where LiteRT allows only letters, digits and underscores."""
    shape: tuple[Annotated[int, Field(ge=0, lt=2**31)], ...] = Field(max_length=16)
    dtype: str = Field(pattern=f"^({'|'.join(DTYPES)})$")
    scale: float = 0.0
    zero_point: int = 0

    @property
    def spec(self) -> TensorSpec:
        """The tensor of a whole batch, as the contract describes it."""
        return TensorSpec(self.name, self.shape, np.dtype(self.dtype), self.scale, self.zero_point)


class Manifest(BaseModel):
    """Written and read by :mod:`mlperf_mobile_backend_snpe.qnn` only."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    compiler: str
    """``"LiteRT 2.3.0"`` or ``"ONNX Runtime 1.32.0"``."""
    qnn: str
    soc: str
    batch: int = Field(1, ge=1, le=100_000)
    inputs: tuple[Tensor, ...] = Field(max_length=1000)
    outputs: tuple[Tensor, ...] = Field(max_length=1000)
    operations: dict[str, Count]
    """The number of operations in the context binaries, by name."""
    sha256: dict[str, str] = Field(max_length=100)
    """The sha256 of the files beside it, by name."""

    def write(self, folder: Path) -> None:
        """Write it into the folder of the compiled model."""
        (folder / NAME).write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")


def sums(*paths: Path) -> dict[str, str]:
    """The sha256 of files, by name."""
    found = {}
    for path in paths:
        with path.open("rb") as file:
            found[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def read(folder: Path) -> Manifest | None:
    """The manifest in a folder, whose files are verified; None if the folder has no manifest.

    Raises:
        ModelError: ``context-damaged``: it cannot be read, or a file has another checksum.
    """
    path = folder / NAME
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)
        if len(text) > MAX_BYTES:
            raise ModelError("context-damaged", f"{path} is larger than {MAX_BYTES} bytes", _HINT)
        manifest = Manifest.model_validate_json(text)
        wrong = [name for name, digest in manifest.sha256.items() if sums(folder / Path(name).name)[name] != digest]
    except (OSError, ValidationError, KeyError) as error:
        raise ModelError("context-damaged", f"{path} is damaged: {str(error).splitlines()[0]}", _HINT) from error
    if wrong:
        raise ModelError("context-damaged", f"{folder / wrong[0]} is not the file that was compiled", _HINT)
    return manifest
