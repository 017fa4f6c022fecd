"""Extracts networks that LiteRT compiled ahead of time for MediaTek from a .tflite file with one operator.

The operator ``DISPATCH_OP`` holds an offset in the file (dispatch_op_schema.cc of LiteRT, 2026-08-21), where a
flatbuffer with the compiled networks begins (vendors/mediatek/schema/neuron_schema.fbs, as above).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile.errors import ModelError
from mlperf_mobile_backend_neuron.flexbuffer import read_map
from mlperf_mobile_tflite_model.flatbuffer import Damaged, Table, Walker
from mlperf_mobile_tflite_model.reader import Operator, Tensor, TFLiteModel

DISPATCH = "DISPATCH_OP"

TABLES = {
    "Buffer": "s [1]",
    "Graphs": "2 [Subgraph] [Buffer] - 12",
    "Identifier": "s",
    "Index": "4",
    "Subgraph": "s 1 1 ?BufferIndicate [1] -",
}
UNIONS = {"BufferIndicate": "NONE Index Identifier"}
"""The fields of neuron_schema.fbs, in the notation of the .tflite schema; fields that are not read are omitted."""

STAMP, MAKER = b"LiteRtStamp", "MediaTek"
"""The metadata entry with manufacturer and SoC, 125 bytes each (build_stamp.cc, as above); the manufacturer's name."""

KINDS: Mapping[int, Literal["dla", "adapter"]] = {0: "dla", 2: "adapter"}
"""CompiledType, the kind of compiled network; a third one, DLB, is not supported by the adapter."""

_HINT = "compile the model again with LiteRT, or use the original .tflite file"


@dataclass(frozen=True, slots=True)
class CompiledByLiteRT:
    """A network from such a file."""

    network: bytes
    kind: Literal["dla", "adapter"]
    version: tuple[int, int, int] | None
    """Version of the adapter that compiled it; None if the file does not say."""
    soc: str
    """The SoC that it was compiled for; empty if the file does not say."""
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    """Inputs and outputs of the model, in its order."""
    input_order: tuple[int, ...]
    output_order: tuple[int, ...]
    """The index of each among the network's inputs or outputs."""


def is_compiled(model: TFLiteModel) -> bool:
    """Whether the model holds a network that LiteRT compiled ahead of time."""
    return any(operator.name == DISPATCH for operator in model.operators)


def extract(model: TFLiteModel) -> CompiledByLiteRT:
    """The network of a model that consists of this network only.

    Raises:
        ModelError: ``network-partial``: other operators are left for the CPU; ``network-damaged``; or
            ``network-unsupported``: it is stored in a format that this backend cannot read.
    """
    others = [operator.name for operator in model.operators if operator.name != DISPATCH]
    if others or len(model.operators) != 1:
        count, left = len(model.operators) - len(others), ", ".join(sorted(set(others))) or "nothing"
        summary = f"{model.path} has {count} compiled networks and leaves {left} to the CPU"
        raise ModelError("network-partial", summary, "use the original .tflite file")
    (operator,) = model.operators
    manufacturer, soc = _stamp(model.path)
    if manufacturer not in ("", MAKER):
        summary = f"{model.path} was compiled for {manufacturer} {soc}, not for MediaTek"
        raise ModelError("network-unsupported", summary, "use the backend of that vendor")
    try:
        network, kind, version = _find(model.path, operator)
    except (Damaged, ValueError) as error:
        raise ModelError("network-damaged", f"{model.path} has a damaged compiled network: {error}", _HINT) from error
    return CompiledByLiteRT(
        network,
        kind,
        version,
        soc.lower(),
        tuple(spec(model.tensors[index]) for index in model.inputs),
        tuple(spec(model.tensors[index]) for index in model.outputs),
        _order(model, model.inputs, operator.inputs),
        _order(model, model.outputs, operator.outputs),
    )


def spec(tensor: Tensor) -> TensorSpec:
    """The spec of an input or output of a .tflite file.

    Raises:
        ModelError: ``model-tensor``: it is not numeric, or its shape is not fixed.
    """
    if tensor.dtype is None or not all(size > 0 for size in tensor.shape):
        summary = f"tensor {tensor.name} has the shape {list(tensor.shape)} and the type {tensor.dtype}"
        raise ModelError("model-tensor", summary, "convert the model with fixed shapes and numeric tensors")
    scale, zero = (tensor.scales[0], tensor.zero_points[0]) if len(tensor.scales) == 1 else (0.0, 0)
    return TensorSpec(tensor.name, tensor.shape, tensor.dtype, scale, zero)


def _stamp(path: Path) -> tuple[str, str]:
    """Manufacturer and SoC that a checked file was compiled for; empty if it does not say."""
    data = path.read_bytes()
    model = Table(data, int.from_bytes(data[:4], "little"))
    buffers = list(model.tables(4))
    for entry in model.tables(6):
        start, count = entry.vector(0)
        if data[start : start + count] == STAMP:
            start, count = buffers[entry.number(1, "<I")].vector(0)
            texts = (data[start : start + 125], data[start + 125 : start + 250]) if count == 250 else (b"", b"")
            maker, soc = (text.partition(b"\0")[0].decode("ascii", "replace") for text in texts)
            return maker, soc
    return "", ""


def _order(model: TFLiteModel, ours: Sequence[int], theirs: Sequence[int]) -> tuple[int, ...]:
    """The position of each of the model's tensors among the operator's."""
    if sorted(ours) != sorted(theirs):
        summary = f"the compiled network of {model.path} has other inputs or outputs than the model"
        raise ModelError("network-unsupported", summary, _HINT)
    return tuple(theirs.index(index) for index in ours)


def _find(path: Path, operator: Operator) -> tuple[bytes, Literal["dla", "adapter"], tuple[int, int, int] | None]:
    """The operator's network, its kind and version."""
    options = read_map(operator.custom_options)
    start, size, name = (options.get(key) for key in ("bytecode_offset", "bytecode_size", "name"))
    if not isinstance(start, int) or not isinstance(size, int) or not isinstance(name, str):
        raise ValueError(f"its operator has the options {sorted(options)}")
    if start < 0 or size < 1 or start + size > path.stat().st_size:
        raise ValueError(f"it would have {size} bytes at byte {start} of {path.stat().st_size}")
    with path.open("rb") as file:
        file.seek(start)
        data = file.read(size)
    graphs = Walker(data, TABLES, UNIONS).root("Graphs")
    graph = next((entry for entry in graphs.tables(1) if _text(data, entry, 0) == name), None)
    if graph is None:
        raise ValueError(f"it has no network {name!r}")
    kind = KINDS.get(graph.number(1, "<b"))
    place = graph.table(3)
    if graph.number(2, "<B") != 1 or place is None or graph.length(4) or kind is None:
        summary = f"the compiled network {name} of {path} is stored in a format that this backend cannot read"
        raise ModelError("network-unsupported", summary, _HINT)
    index, buffers = place.number(0, "<i", -1), list(graphs.tables(2))
    if not 0 <= index < len(buffers):
        raise ValueError(f"it refers to buffer {index} of {len(buffers)}")
    at, count = buffers[index].vector(1)
    if not count:
        raise ValueError(f"its buffer {index} is empty")
    return data[at : at + count], kind, _version(graphs)


def _version(graphs: Table) -> tuple[int, int, int] | None:
    """``neuron_sdk_version``, a struct of three 32-bit numbers inside the table."""
    major, minor, patch = (graphs.number(4, code, -1) for code in ("<I", "<4xI", "<8xI"))
    return (major, minor, patch) if major >= 0 else None


def _text(data: bytes, table: Table, field: int) -> str:
    start, count = table.vector(field)
    return data[start : start + count].decode("utf-8", "replace")
