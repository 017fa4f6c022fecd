"""Writes a segment of a model as a .tflite file of its own, with the schema that comes with LiteRT."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from mlperf_mobile.errors import BackendError, ModelError
from mlperf_mobile_neural_networks.split import Segment
from mlperf_mobile_tflite_model.model_file import IDENTIFIER, check_data, mapped_file

MAX_BYTES = 2**31 - 2**20
"""A flatbuffer's offsets reach no further."""


class Extractor:
    """Reads a model once, and cuts segments out of it.

    Args:
        path: The model, a checked .tflite file.

    Raises:
        ModelError: The file is missing or damaged.
        BackendError: ``no-runtime``: LiteRT is not installed.
    """

    def __init__(self, path: Path) -> None:
        try:
            schema = import_module("ai_edge_litert.schema_py_generated")
            self._flatbuffers = import_module("flatbuffers")
        except ImportError as error:
            hint = "pip install 'mlperf-mobile-neural-networks[litert]', or leave out partial"
            raise BackendError("no-runtime", f"the CPU's part needs LiteRT: {error}", hint) from error
        with mapped_file(path) as mapped:
            self._data = mapped[:]
        check_data(self._data, path)
        self._schema, self._path = schema, path
        self._model = schema.ModelT.InitFromPackedBuf(self._data, 0)

    def extract(self, segment: Segment) -> bytes:
        """The bytes of a .tflite file whose inputs and outputs are those of the segment, in their order.

        Constants and quantisation are those of the model; signatures and metadata are left out.

        Raises:
            ModelError: ``model-too-large``.
        """
        schema, whole = self._schema, self._model
        main = whole.subgraphs[0]
        operators = [main.operators[index] for index in segment.operators]
        used = [list(segment.inputs), list(segment.outputs)]
        used += [_list(end) for o in operators for end in (o.inputs, o.outputs, o.intermediates)]
        kept = sorted({index for indices in used for index in indices if index >= 0})
        place = {old: new for new, old in enumerate(kept)} | {-1: -1}
        graph = schema.SubGraphT()
        graph.tensors, graph.name = [main.tensors[index] for index in kept], main.name
        graph.inputs, graph.outputs = ([place[i] for i in end] for end in (segment.inputs, segment.outputs))
        graph.operators = [self._operator(operator, place) for operator in operators]
        graphs = [graph, *whole.subgraphs[1:]]
        buffers = sorted({0} | {tensor.buffer for graph in graphs for tensor in graph.tensors or ()})
        model = schema.ModelT()
        model.version, model.operatorCodes, model.description = whole.version, whole.operatorCodes, whole.description
        model.buffers = self._buffers(buffers)
        numbers = {old: new for new, old in enumerate(buffers)}
        model.subgraphs = [self._renumbered(graph, numbers) for graph in graphs]
        builder = self._flatbuffers.Builder(2**16)
        builder.Finish(model.Pack(builder), file_identifier=IDENTIFIER)
        return bytes(builder.Output())

    def _operator(self, old: Any, place: dict[int, int]) -> Any:
        """An operator with other numbers of tensors."""
        new = _copy(old)
        new.inputs, new.outputs = ([place[i] for i in _list(end)] for end in (old.inputs, old.outputs))
        if old.intermediates is not None:
            new.intermediates = [place[i] for i in _list(old.intermediates)]
        if old.largeCustomOptionsOffset > 1:
            new.customOptions = self._at(old.largeCustomOptionsOffset, old.largeCustomOptionsSize)
            new.largeCustomOptionsOffset = new.largeCustomOptionsSize = 0
        return new

    def _buffers(self, indices: list[int]) -> list[Any]:
        """Buffers with their data inside the flatbuffer."""
        buffers, left = [], min(MAX_BYTES, len(self._data))
        for index in indices:
            old, new = self._model.buffers[index], self._schema.BufferT()
            new.data = self._at(old.offset, old.size) if old.offset > 1 else old.data
            left -= 0 if new.data is None else len(new.data)
            if left < 0:
                raise ModelError(
                    "model-too-large", f"a part of {self._path} is too large for a file", "leave out partial"
                )
            buffers.append(new)
        return buffers

    def _at(self, offset: int, size: int) -> Any:
        """Data behind the flatbuffer."""
        return np.frombuffer(self._data, np.uint8, size, offset)

    def _renumbered(self, graph: Any, numbers: dict[int, int]) -> Any:
        """A subgraph with other numbers of buffers."""
        new = _copy(graph)
        new.tensors = [_copy(tensor) for tensor in graph.tensors or ()]
        for tensor in new.tensors:
            tensor.buffer = numbers[tensor.buffer]
        return new


def _copy(table: Any) -> Any:
    new = type(table)()
    vars(new).update(vars(table))
    return new


def _list(indices: Any) -> list[int]:
    return [] if indices is None else [int(index) for index in indices]
