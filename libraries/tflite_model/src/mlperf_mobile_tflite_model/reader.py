"""Reads the main subgraph of a .tflite file: its tensors with their constants, and its operators with their options."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from mlperf_mobile.errors import ModelError
from mlperf_mobile_tflite_model.flatbuffer import Damaged, Table
from mlperf_mobile_tflite_model.model_file import HINT, check_data, mapped_file
from mlperf_mobile_tflite_model.options import OPERATORS, OPTIONS
from mlperf_mobile_tflite_model.schema import UNIONS

Option: TypeAlias = bool | int | float | tuple[float, ...]

_DTYPES = {
    0: "<f4", 1: "<f2", 2: "<i4", 3: "u1", 4: "<i8", 6: "?", 7: "<i2", 8: "<c8", 9: "i1", 10: "<f8", 11: "<c16",
    12: "<u8", 15: "<u4", 16: "<u2",
}  # fmt: skip
"""By ``TensorType`` of schema.fbs; strings, resources, variants and types smaller than a byte have none."""

_NAMES, _BUILTIN_OPTIONS = OPERATORS.split(), UNIONS["BuiltinOptions"].split()
_CUSTOM = _NAMES.index("CUSTOM")


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """A tensor; quantised ones follow ``real = scale * (stored - zero_point)``."""

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any] | None
    """None for strings and other types that numpy lacks."""
    scales: tuple[float, ...] = ()
    """Empty, one, or one for each index of ``quantized_dimension``; the same number as ``zero_points``."""
    zero_points: tuple[int, ...] = ()
    quantized_dimension: int = 0
    data: npt.NDArray[Any] | None = None
    """A constant's data, read-only, of ``shape`` and ``dtype``; None for other tensors, sparse constants and without
    dtype."""
    open_axes: tuple[int, ...] = ()
    """Axes whose size the file leaves open; ``shape`` has 1 there, or the converter's value."""


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator; -1 among the inputs is an omitted one."""

    index: int
    name: str
    """As in the schema, or the name of a custom operator."""
    is_custom: bool
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Option]
    """Options of built-in operators as in the schema, in snake case, with defaults."""
    custom_options: bytes


@dataclass(frozen=True, slots=True)
class TFLiteModel:
    """The main subgraph."""

    path: Path
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    size: int = 0
    """Bytes of the file."""


def read(path: Path) -> TFLiteModel:
    """Check and read a file; constants are views of its bytes.

    Raises:
        ModelError: ``model-missing``, ``model-not-tflite`` or ``model-damaged``; the message names the file.
    """
    with mapped_file(path) as mapped:
        data = mapped[:]
    check_data(data, path)
    try:
        return _Reader(data, path).read()
    except Damaged as damage:
        raise ModelError("model-damaged", f"{path} is damaged: {damage}", HINT) from damage


class _Reader:
    """Reads a file that has been checked; field ids are those of ``schema.py``."""

    def __init__(self, data: bytes, path: Path) -> None:
        self._data, self._path = data, path
        self._left = len(data)
        """Bytes that may still be copied: a limit for files that refer to the same data many times."""

    def read(self) -> TFLiteModel:
        root = self._data
        model = Table(root, int.from_bytes(root[:4], "little"))
        codes = [self._code(code) for code in model.tables(1)]
        buffers = list(model.tables(4))
        graph = next(model.tables(2))
        return TFLiteModel(
            self._path,
            tuple(self._tensor(index, tensor, buffers) for index, tensor in enumerate(graph.tables(0))),
            tuple(self._operator(index, operator, codes) for index, operator in enumerate(graph.tables(3))),
            self._integers(graph, 1),
            self._integers(graph, 2),
            len(self._data),
        )

    def _code(self, table: Table) -> tuple[str, bool, int]:
        """Name, whether it is custom, and version."""
        # Codes above 127 are in the second field only; older files have the code in the first field only.
        code = max(table.number(0, "<b"), table.number(3, "<i"))
        if code < 0:
            raise Damaged(f"it has an operator of code {code}")
        name = _NAMES[code] if code < len(_NAMES) else f"BUILTIN_{code}"
        custom = code == _CUSTOM
        return self._text(table, 1) if custom else name, custom, table.number(2, "<i", 1)

    def _tensor(self, index: int, table: Table, buffers: list[Table]) -> Tensor:
        shape = self._integers(table, 0)
        if min(shape, default=0) < 0:
            raise Damaged(f"tensor {index} has the shape {shape[:8]}")
        kind = _DTYPES.get(table.number(1, "<b"))
        dtype = None if kind is None else np.dtype(kind)
        scales, zero_points, dimension = self._quantization(index, table.table(4), shape)
        is_sparse = table.table(6) is not None
        data = (
            None if dtype is None or is_sparse else self._constant(index, shape, dtype, buffers[table.number(2, "<I")])
        )
        signature = self._integers(table, 7)
        open_axes = (
            tuple(axis for axis, size in enumerate(signature) if size < 0) if len(signature) == len(shape) else ()
        )
        return Tensor(index, self._text(table, 3), shape, dtype, scales, zero_points, dimension, data, open_axes)

    def _quantization(
        self, index: int, table: Table | None, shape: tuple[int, ...]
    ) -> tuple[tuple[float, ...], tuple[int, ...], int]:
        if table is None or not table.length(2):
            return (), (), 0
        scales = tuple(map(float, self._numbers(table, 2, "<f4")))
        zero_points = tuple(map(int, self._numbers(table, 3, "<i8"))) or (0,)
        dimension = table.number(6, "<i")
        if len(zero_points) == 1:
            zero_points *= len(scales)
        if len(zero_points) != len(scales):
            raise Damaged(f"tensor {index} has {len(scales)} scales and {len(zero_points)} zero points")
        if len(scales) > 1 and not (0 <= dimension < len(shape) and shape[dimension] == len(scales)):
            raise Damaged(f"tensor {index} of shape {shape[:8]} has {len(scales)} scales for dimension {dimension}")
        return scales, zero_points, dimension

    def _constant(
        self, index: int, shape: tuple[int, ...], dtype: np.dtype[Any], buffer: Table
    ) -> npt.NDArray[Any] | None:
        start, size = buffer.vector(0)
        if not size and buffer.number(1, "<Q") > 1:  # after the flatbuffer, as in files above 2 GB
            start, size = buffer.number(1, "<Q"), buffer.number(2, "<Q")
        if not size:
            return None
        if math.prod(shape) * dtype.itemsize != size:
            raise Damaged(f"tensor {index} of shape {shape[:8]} and type {dtype} has {size} bytes")
        if dtype.kind != "b":
            return np.frombuffer(self._data, dtype, math.prod(shape), start).reshape(shape)
        self._spend(size)
        truth: npt.NDArray[Any] = np.frombuffer(self._data, np.uint8, size, start) != 0
        return truth.reshape(shape)

    def _operator(self, index: int, table: Table, codes: list[tuple[str, bool, int]]) -> Operator:
        name, is_custom, version = codes[table.number(0, "<I")]
        kind, fields = table.number(3, "<B"), table.table(4)
        options: dict[str, Option] = {}
        if fields is not None and 0 < kind < len(_BUILTIN_OPTIONS):
            for field, (option, code, default) in enumerate(_declared(_BUILTIN_OPTIONS[kind])):
                if code:
                    options[option] = self._option(fields, field, code, default)
        inputs, outputs = self._integers(table, 1), self._integers(table, 2)
        if min(outputs, default=0) < 0:
            raise Damaged(f"operator {index} leaves out an output")
        return Operator(index, name, is_custom, version, inputs, outputs, options, self._custom_options(table))

    def _option(self, table: Table, field: int, code: str, default: float) -> Option:
        if code[0] == "[":
            return tuple(self._numbers(table, field, f"<{code[1:-1]}").tolist())
        if code == "f":
            return table.real(field, default)
        value = table.number(field, f"<{code}", int(default))
        return bool(value) if code == "?" else value

    def _custom_options(self, table: Table) -> bytes:
        start, size = table.vector(5)
        if not size and table.number(9, "<Q") > 1:
            start, size = table.number(9, "<Q"), table.number(10, "<Q")
        self._spend(size)
        return self._data[start : start + size]

    def _text(self, table: Table, field: int) -> str:
        start, size = table.vector(field)
        self._spend(size)
        return self._data[start : start + size].decode("utf-8", "replace")

    def _integers(self, table: Table, field: int) -> tuple[int, ...]:
        return tuple(self._numbers(table, field, "<i4").tolist())

    def _numbers(self, table: Table, field: int, dtype: str) -> npt.NDArray[Any]:
        start, count = table.vector(field)
        self._spend(count * np.dtype(dtype).itemsize)
        return np.frombuffer(self._data, dtype, count, start)

    def _spend(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise Damaged("it has more parts than a file of its size can hold")


@cache
def _declared(table: str) -> tuple[tuple[str, str, float], ...]:
    """Name, code and default of each option; an empty code marks a field that is not a number."""

    def option(word: str) -> tuple[str, str, float]:
        name, _, rest = word.partition(":")
        code, _, default = rest.partition("=")
        return name, code, float({"True": 1, "": 0}.get(default, default))

    return tuple(option(word) for word in OPTIONS.get(table, "").split())
