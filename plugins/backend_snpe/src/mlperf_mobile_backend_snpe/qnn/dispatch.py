"""Extracts the context binary from a .tflite file that LiteRT's compiler wrote."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from mlperf_mobile.errors import BackendError, ModelError
from mlperf_mobile_tflite_model import flexbuffer, reader
from mlperf_mobile_tflite_model.flatbuffer import Damaged

OPERATION = "DISPATCH_OP"
"""LiteRT's custom operation for what an accelerator runs (litert/core/dispatch_op_schema.cc, commit da2c333)."""


@dataclass(frozen=True, slots=True)
class CompiledModel:
    """The parts of a compiled model."""

    binaries: tuple[bytes, ...]
    inputs: tuple[tuple[int, ...], ...]
    """The input tensors of each binary."""
    outputs: tuple[tuple[int, ...], ...]
    left: dict[str, int]
    """The number of operations that are not compiled, by name."""
    model: reader.TFLiteModel


def read(path: Path) -> CompiledModel:
    """Read the compiled model.

    Raises:
        BackendError: ``compiler-failed``: it is damaged, so the compiler is at fault.
    """
    try:
        model = reader.read(path)
        data = path.read_bytes()
        dispatched = [each for each in model.operators if each.name == OPERATION]
        binaries = tuple(bytecode(data, each.custom_options) for each in dispatched)
    except (ModelError, Damaged, OSError) as error:
        raise BackendError(
            "compiler-failed", f"LiteRT's compiler wrote a damaged model: {error}", "reinstall it"
        ) from error
    return CompiledModel(
        binaries,
        tuple(each.inputs for each in dispatched),
        tuple(each.outputs for each in dispatched),
        dict(Counter(each.name for each in model.operators if each.name != OPERATION)),
        model,
    )


def bytecode(data: bytes, options: bytes) -> bytes:
    """The bytes that a dispatch operation's options point to; they follow the flatbuffer."""
    found = flexbuffer.read_map(options)
    start, size = found.get("bytecode_offset"), found.get("bytecode_size")
    if type(start) is not int or type(size) is not int:
        raise Damaged("a dispatch operation does not say where its bytecode is")
    if not (0 < start <= len(data) and 0 < size <= len(data) - start):
        raise Damaged(f"bytecode at byte {start} has {size} bytes, and the file ends at byte {len(data)}")
    return data[start : start + size]
