"""A compiled network in a folder: its bytes, and beside them what the adapter does not keep about it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mlperf_mobile.contracts import Placement, TensorSpec
from mlperf_mobile.errors import ModelError
from mlperf_mobile_backend_neuron.options import DTYPES

MANIFEST, NETWORK = "network.json", "network.bin"

WHOLE = "COMPILED_NETWORK"
"""The operation that stands for a network whose operations nothing tells."""

HINT = "compile the model again: remove it with mlperf-mobile cache prune, or leave the cache out"


class Described(BaseModel):
    """A tensor of the model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    shape: tuple[int, ...]
    dtype: str = Field(pattern=rf"^({'|'.join(DTYPES)})$")
    scale: float = 0.0
    zero_point: int = 0
    position: int = Field(ge=0)
    """Which of the network's inputs or outputs it is."""

    @classmethod
    def of(cls, spec: TensorSpec, position: int) -> Self:
        return cls(
            name=spec.name,
            shape=spec.shape,
            dtype=spec.dtype.name,
            scale=spec.scale,
            zero_point=spec.zero_point,
            position=position,
        )

    @property
    def spec(self) -> TensorSpec:
        return TensorSpec(self.name, self.shape, np.dtype(self.dtype), self.scale, self.zero_point)


class Compiled(BaseModel):
    """What is known about a compiled network."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["adapter", "dla"]
    """Stored by the adapter, or a .dla file."""
    model: str
    """The file that it was made from, for messages."""
    accelerator: str
    version: str = ""
    """Of the library that compiled it; empty where nothing tells."""
    soc: str = ""
    """What it was compiled for; empty where nothing tells."""
    devices: tuple[str, ...] = ()
    sha256: str
    inputs: tuple[Described, ...]
    outputs: tuple[Described, ...]
    operations: Mapping[str, Mapping[str, int]]
    """How many operations of which name run where; :data:`WHOLE` where nothing tells."""

    @property
    def placement(self) -> Placement:
        return Placement({where: sum(names.values()) for where, names in self.operations.items()}, {}, self.operations)


def opaque(
    kind: Literal["adapter", "dla"],
    model: Path,
    accelerator: str,
    network: bytes,
    inputs: tuple[Described, ...],
    outputs: tuple[Described, ...],
    *,
    version: str = "",
    soc: str = "",
) -> Compiled:
    """A network that came compiled, and whose operations nothing tells."""
    return Compiled(
        kind=kind,
        model=model.name,
        accelerator=accelerator,
        version=version,
        soc=soc,
        sha256=digest(network),
        inputs=inputs,
        outputs=outputs,
        operations={accelerator: {WHOLE: 1}},
    )


def write(folder: Path, compiled: Compiled, network: bytes) -> Path:
    """Write both files; returns the one that describes the other."""
    (folder / NETWORK).write_bytes(network)
    manifest = folder / MANIFEST
    manifest.write_text(json.dumps(compiled.model_dump(mode="json"), indent=1) + "\n", "utf-8")
    return manifest


def read(manifest: Path) -> tuple[Compiled, bytes]:
    """Read what :func:`write` wrote.

    Raises:
        ModelError: ``network-damaged``: something is missing or not as it was written.
    """
    try:
        compiled = Compiled.model_validate_json(manifest.read_bytes())
        network = (manifest.parent / NETWORK).read_bytes()
    except (OSError, ValidationError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not written as it should be"
        raise ModelError("network-damaged", f"the compiled network at {manifest}: {reason}", HINT) from error
    if digest(network) != compiled.sha256:
        summary = f"the compiled network of {compiled.model} at {manifest.parent} is not what was stored"
        raise ModelError("network-damaged", summary, HINT)
    return compiled, network


def digest(network: bytes) -> str:
    """The checksum that is kept with a network."""
    return hashlib.sha256(network).hexdigest()
