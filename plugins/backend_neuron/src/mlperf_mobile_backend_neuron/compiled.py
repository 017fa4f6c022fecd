"""A compiled network in a folder: its bytes, and a manifest with what the adapter does not store."""

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
"""The operation that stands for a network whose operations are unknown."""

HINT = "compile the model again: remove it with mlperf-mobile cache prune, or do not use the cache"


class TensorRecord(BaseModel):
    """A tensor of the model, as the manifest records it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    shape: tuple[int, ...]
    dtype: str = Field(pattern=rf"^({'|'.join(DTYPES)})$")
    scale: float = 0.0
    zero_point: int = 0
    position: int = Field(ge=0)
    """Its index among the network's inputs or outputs."""

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


class Manifest(BaseModel):
    """The compiler, the target and the tensors of a compiled network."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["adapter", "dla"]
    """Stored by the adapter, or a .dla file."""
    model: str
    """Name of the source file, for messages."""
    accelerator: str
    version: str = ""
    """Version of the library that compiled it; empty if unknown."""
    soc: str = ""
    """The SoC that it was compiled for; empty if unknown."""
    devices: tuple[str, ...] = ()
    sha256: str
    inputs: tuple[TensorRecord, ...]
    outputs: tuple[TensorRecord, ...]
    operations: Mapping[str, Mapping[str, int]]
    """Counts of operations by accelerator and name; :data:`WHOLE` if they are unknown."""

    @property
    def placement(self) -> Placement:
        return Placement({where: sum(names.values()) for where, names in self.operations.items()}, {}, self.operations)


def opaque(
    kind: Literal["adapter", "dla"],
    model: Path,
    accelerator: str,
    network: bytes,
    inputs: tuple[TensorRecord, ...],
    outputs: tuple[TensorRecord, ...],
    *,
    version: str = "",
    soc: str = "",
) -> Manifest:
    """A precompiled network, whose operations are unknown."""
    return Manifest(
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


def write(folder: Path, compiled: Manifest, network: bytes) -> Path:
    """Write the network and its manifest; returns the manifest."""
    (folder / NETWORK).write_bytes(network)
    manifest = folder / MANIFEST
    manifest.write_text(json.dumps(compiled.model_dump(mode="json"), indent=1) + "\n", "utf-8")
    return manifest


def read(manifest: Path) -> tuple[Manifest, bytes]:
    """Read what :func:`write` wrote.

    Raises:
        ModelError: ``network-damaged``: a file is missing or has changed.
    """
    try:
        compiled = Manifest.model_validate_json(manifest.read_bytes())
        network = (manifest.parent / NETWORK).read_bytes()
    except (OSError, ValidationError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not a valid manifest"
        raise ModelError("network-damaged", f"the compiled network at {manifest}: {reason}", HINT) from error
    if digest(network) != compiled.sha256:
        summary = f"the compiled network of {compiled.model} at {manifest.parent} has changed since it was stored"
        raise ModelError("network-damaged", summary, HINT)
    return compiled, network


def digest(network: bytes) -> str:
    """The checksum stored with a network."""
    return hashlib.sha256(network).hexdigest()
