from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlperf_mobile_tflite_model.reader import TFLiteModel, read

DTYPES = {"f": "f4", "h": "f2", "u": "u1", "s": "i1", "i": "i4", "l": "i8", "b": "?", "c": "i1"}
QUANTIZED = {"u": (0.05, 120), "s": (0.05, -3)}
TABLES = {
    "CONV_2D": "Conv2DOptions", "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions", "PADV2": "PadV2Options",
    "SPACE_TO_BATCH_ND": "SpaceToBatchNDOptions", "BATCH_TO_SPACE_ND": "BatchToSpaceNDOptions",
    "TOPK_V2": "TopKV2Options", "L2_NORMALIZATION": "L2NormOptions", "BATCH_MATMUL": "BatchMatMulOptions",
    **dict.fromkeys(("AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D"), "Pool2DOptions"),
    **dict.fromkeys(("MAXIMUM", "MINIMUM"), "MaximumMinimumOptions"),
    **dict.fromkeys(("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD", "REDUCE_ANY"), "ReducerOptions"),
}  # fmt: skip
"""Of options in the schema, where the operator's name does not tell."""

SAME, VALID = 0, 1


@dataclass
class T:
    """A tensor: f(loat32), h(alf), u(int8), s(igned int8), c (int8, scales of channels), i(nt32), l(ong), b(ool)."""

    shape: tuple[int, ...]
    kind: str = "f"
    value: Any = None
    """Of a constant; True draws one."""
    quantized: tuple[float, int] | None = None
    channel: int = 0

    def draw(self, rng: np.random.Generator, low: float = -2) -> np.ndarray:
        """A constant, or what a run is fed with."""
        if self.value is not None and self.value is not True:
            return np.array(self.value, DTYPES[self.kind]).reshape(self.shape)
        if self.kind in "fh":
            return rng.uniform(low, 2, self.shape).astype(DTYPES[self.kind])
        if self.kind == "b":
            return rng.integers(0, 2, self.shape).astype(bool)
        if self.kind in "il":
            return rng.integers(0, 3, self.shape).astype(DTYPES[self.kind])
        low_, high = (0, 256) if self.kind == "u" else (-127, 128)
        return rng.integers(low_, high, self.shape).astype(DTYPES[self.kind])


@dataclass(eq=False)
class Case:
    """A model of one operator."""

    name: str
    inputs: list[T | None]
    outputs: list[T]
    options: dict[str, Any] = field(default_factory=dict)
    custom: bytes = b""
    version: int = 1
    low: float = -2
    """The least that floats are fed with."""
    loose: float = 0
    """What floats may differ by, where rounding differs by design."""

    @property
    def id(self) -> str:
        """What it is called where it fails."""
        kinds = "".join("-" if t is None else t.kind for t in self.inputs)
        return f"{self.name}-{kinds}-{'x'.join(map(str, self.outputs[0].shape))}"


class ModelWriter:
    """Writes models with the schema that comes with LiteRT."""

    def __init__(self, folder: Path) -> None:
        self.schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
        self.folder = folder
        self.made = 0

    def write(self, cases: list[Case], wiring: list[tuple[list[int], list[int]]] | None = None) -> Path:
        """One operator a case; ``wiring`` tells the tensors of each, where several share some.

        Tensors that no operator writes and that have no value are the model's inputs, and those that no operator
        reads are its outputs.
        """
        s, rng = self.schema, np.random.default_rng(7)
        model, graph = s.ModelT(), s.SubGraphT()
        model.version, model.buffers, model.operatorCodes, model.subgraphs = 3, [s.BufferT()], [], [graph]
        tensors: dict[int, T] = {}
        graph.operators = []
        for number, case in enumerate(cases):
            if wiring:
                inputs, outputs = wiring[number]
            else:
                inputs = [-1 if t is None else i for i, t in enumerate(case.inputs)]
                outputs = [len(inputs) + i for i in range(len(case.outputs))]
            tensors |= {i: t for i, t in zip([*inputs, *outputs], [*case.inputs, *case.outputs], strict=True) if t}
            graph.operators.append(self._operator(case, inputs, outputs, model))
        numbers = {old: new for new, old in enumerate(sorted(tensors))} | {-1: -1}
        for operator in graph.operators:
            operator.inputs, operator.outputs = (
                [numbers[i] for i in end] for end in (operator.inputs, operator.outputs)
            )
        graph.tensors = [
            self._tensor(tensors[old], new, model, rng) for old, new in sorted(numbers.items()) if old >= 0
        ]
        read_, written = (
            {i for o in graph.operators for i in end(o)} for end in (lambda o: o.inputs, lambda o: o.outputs)
        )
        graph.inputs = [i for i, t in enumerate(graph.tensors) if i not in written and not t.buffer and i in read_]
        graph.outputs = [i for i in range(len(graph.tensors)) if i in written and i not in read_]
        self.made += 1
        path = self.folder / f"made_{self.made}.tflite"
        flatbuffers = pytest.importorskip("flatbuffers")
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
        path.write_bytes(bytes(builder.Output()))
        return path

    def read(self, *cases: Case) -> TFLiteModel:
        """Written and read."""
        return read(self.write(list(cases)))

    def _operator(self, case: Case, inputs: list[int], outputs: list[int], model: Any) -> Any:
        s = self.schema
        code, operator = s.OperatorCodeT(), s.OperatorT()
        builtin = getattr(s.BuiltinOperator, case.name, s.BuiltinOperator.CUSTOM)
        code.builtinCode, code.deprecatedBuiltinCode, code.version = builtin, min(builtin, 127), case.version
        code.customCode = case.name if builtin == s.BuiltinOperator.CUSTOM else None
        operator.opcodeIndex, operator.inputs, operator.outputs = len(model.operatorCodes), inputs, outputs
        model.operatorCodes.append(code)
        table = TABLES.get(case.name, f"{case.name.title().replace('_', '')}Options")
        if hasattr(s.BuiltinOptions, table):
            options = getattr(s, f"{table}T")()
            for key, value in case.options.items():
                assert hasattr(options, key), key
                setattr(options, key, value)
            operator.builtinOptions = options
            operator.builtinOptionsType = getattr(s.BuiltinOptions, table)
        if case.custom:
            operator.customOptions = np.frombuffer(case.custom, np.uint8)
        return operator

    def _tensor(self, t: T, number: int, model: Any, rng: np.random.Generator) -> Any:
        s = self.schema
        names = {
            "f": "FLOAT32",
            "h": "FLOAT16",
            "u": "UINT8",
            "s": "INT8",
            "c": "INT8",
            "i": "INT32",
            "l": "INT64",
            "b": "BOOL",
        }
        tensor = s.TensorT()
        tensor.name, tensor.shape, tensor.type = f"t{number}", list(t.shape), getattr(s.TensorType, names[t.kind])
        quantized = t.quantized or QUANTIZED.get(t.kind)
        if t.kind == "c" or quantized:
            tensor.quantization = s.QuantizationParametersT()
            tensor.quantization.scale, tensor.quantization.zeroPoint = [quantized[0]] if quantized else [], [0]
            if quantized:
                tensor.quantization.zeroPoint = [quantized[1]]
        if t.kind == "c":
            size = t.shape[t.channel] if t.channel < len(t.shape) else 1
            tensor.quantization.scale = [0.01 + 0.001 * i for i in range(size)]
            tensor.quantization.zeroPoint, tensor.quantization.quantizedDimension = [0] * size, t.channel
        if t.value is not None:
            buffer = s.BufferT()
            buffer.data = np.frombuffer(t.draw(rng).tobytes(), np.uint8)
            tensor.buffer = len(model.buffers)
            model.buffers.append(buffer)
        return tensor


def flexbuffer(content: dict[str, Any]) -> bytes:
    return bytes(pytest.importorskip("flatbuffers.flexbuffers").Dumps(content))


def ints(*values: int, kind: str = "i") -> T:
    """A constant list."""
    return T((len(values),), kind, values)


def window(padding: int = SAME, stride: int = 1, fused: int = 0, **more: int) -> dict[str, int]:
    """Options of what moves a window."""
    return {"padding": padding, "strideW": stride, "strideH": stride, "fusedActivationFunction": fused} | more


def images() -> list[Case]:
    """Convolutions, pooling and what else works on pictures."""
    cases = []
    for x, w, b in (
        ("f", "f", "f"),
        ("u", "u", "i"),
        ("s", "s", "i"),
        ("s", "c", "i"),
        ("f", "c", "f"),
    ):
        q = {"quantized": (0.02, 0)} if w == "s" else {"quantized": (0.02, 110)} if w == "u" else {}
        bias = {"quantized": (0.05 * 0.02, 0)} if b == "i" else {}
        y = {"quantized": (0.3, 2)} if x in "us" else {}
        image, more = T((1, 6, 7, 4), x), {"dilationWFactor": 1, "dilationHFactor": 1}
        filters, three = T((3, 3, 2, 4), w, True, **q), T((3,), b, True, **bias)
        loose = 0.1 if (x, w) == ("f", "c") else 0  # TensorFlow Lite quantises the floats in each run
        cases += [
            Case("CONV_2D", [image, filters, three], [T((1, 6, 7, 3), x, **y)], window(**more), loose=loose),
            Case("CONV_2D", [image, filters, three], [T((1, 2, 3, 3), x, **y)],
                 window(VALID, 2, 1, **more), loose=loose),
            Case("CONV_2D", [image, filters, three], [T((1, 2, 5, 3), x, **y)],
                 window(VALID, fused=3, dilationWFactor=2, dilationHFactor=2), loose=loose),
            Case("DEPTHWISE_CONV_2D", [image, T((1, 3, 3, 8), w, True, channel=3, **q), T((8,), b, True, **bias)],
                 [T((1, 3, 4, 8), x, **y)], window(SAME, 2, depthMultiplier=2, **more), loose=loose),
            Case("FULLY_CONNECTED", [T((2, 3, 4), x), T((5, 4), w, True, **q), T((5,), b, True, **bias)],
                 [T((2, 3, 5), x, **y)], {"keepNumDims": True, "fusedActivationFunction": 1}, loose=loose),
        ]  # fmt: skip
        if (x, w) != ("f", "c"):
            cases.append(Case("TRANSPOSE_CONV", [ints(1, 12, 14, 3), filters, image], [T((1, 12, 14, 3), x, **y)],
                              window(SAME, 2)))  # fmt: skip
    cases.append(Case("CONV_2D", [T((1, 4, 4, 4)), T((6, 3, 3, 2), "f", True), T((6,), "f", True)], [T((1, 4, 4, 6))],
                      window(dilationWFactor=1, dilationHFactor=1)))  # fmt: skip
    for k in "fus":
        image = T((1, 6, 8, 4), k)
        cases += [
            Case("AVERAGE_POOL_2D", [image], [T((1, 3, 4, 4), k)], window(SAME, 2, filterWidth=3, filterHeight=2)),
            Case("MAX_POOL_2D", [image], [T((1, 5, 7, 4), k)], window(VALID, 1, filterWidth=2, filterHeight=2)),
            Case("DEPTH_TO_SPACE", [image], [T((1, 12, 16, 1), k)], {"blockSize": 2}),
            Case("SPACE_TO_DEPTH", [image], [T((1, 3, 4, 16), k)], {"blockSize": 2}),
            Case("SPACE_TO_BATCH_ND", [image, ints(2, 2), T((2, 2), "i", [1, 1, 0, 2])], [T((4, 4, 5, 4), k)]),
            *(Case("BATCH_TO_SPACE_ND", [T((4, 3, 2, 4), k), ints(2, 2), T((2, 2), "i", crops)], [T((1, *area, 4), k)])
              for crops, area in (([1, 0, 0, 1], (5, 3)), ([0, 0, 0, 0], (6, 4)))),
            *(Case(f"RESIZE_{how}", [image, ints(9, 5)], [T((1, 9, 5, 4), k)],
                   {"alignCorners": a, "halfPixelCenters": h})
              for how in ("BILINEAR", "NEAREST_NEIGHBOR") for a, h in ((False, False), (True, False), (False, True))),
        ]  # fmt: skip
    cases += [
        Case("L2_POOL_2D", [T((1, 4, 4, 2))], [T((1, 2, 2, 2))], window(VALID, 2, filterWidth=2, filterHeight=2)),
        Case("LOCAL_RESPONSE_NORMALIZATION", [T((1, 2, 2, 6))], [T((1, 2, 2, 6))],
             {"radius": 2, "bias": 1.0, "alpha": 0.5, "beta": 0.75}),
    ]  # fmt: skip
    return cases


def elements() -> list[Case]:
    """Element by element."""
    cases = []
    for k in "fus":
        a, row, wide = T((2, 3, 4), k), T((4,), k, True), T((2, 3, 4), k, quantized=(0.2, 5) if k != "f" else None)
        cases += [
            Case(n, [a, row], [wide], {"fusedActivationFunction": f}) for n in ("ADD", "SUB", "MUL") for f in (0, 1)
        ]
        cases += [
            Case("MUL", [a, row], [T((2, 3, 4), k, quantized=(0.0001, 0) if k != "f" else None)]),
            Case("ADD", [a, T((), k, True)], [wide]),
            *([] if k == "u" else [Case("SQUARED_DIFFERENCE", [a, row], [wide])]),
            Case("MAXIMUM", [a, row], [a]),
            Case("MINIMUM", [a, row], [a]),
            Case("PRELU", [T((1, 2, 3, 4), k), T((1, 1, 4), k, True)], [T((1, 2, 3, 4), k)]),
            *(Case(n, [a], [a]) for n in ("RELU", "RELU_N1_TO_1", "RELU6")),
            Case("LEAKY_RELU", [a], [wide], {"alpha": 0.3}),
            Case("HARD_SWISH", [a], [wide]),
            *(Case(n, [a, row], [T((2, 3, 4), "b")]) for n in ("EQUAL", "GREATER", "LESS_EQUAL")),
            Case("SELECT", [T((2, 3, 4), "b"), a, a], [a]),
        ]  # fmt: skip
    cases += [
        Case("ADD", [T((2, 3), "i"), T((2, 3), "i")], [T((2, 3), "i")]),
        Case("ADD", [T((1, 2, 2, 2, 3)), T((1, 2, 2, 2, 3), "f", True)], [T((1, 2, 2, 2, 3))]),
        Case("DIV", [T((2, 3)), T((3,), "f", [1, -2, 3])], [T((2, 3))]),
        Case("POW", [T((2, 3)), T((1,), "f", [2])], [T((2, 3))]),
        Case("RELU", [T((2, 3), "s")], [T((2, 3), "s", quantized=(0.03, -128))]),
        *(Case(n, [T((2, 3, 4))], [T((2, 3, 4))], low=0.1)
          for n in ("ABS", "EXP", "FLOOR", "LOG", "NEG", "RSQRT", "SIN", "SQRT", "CEIL", "COS", "SQUARE")),
        Case("ELU", [T((2, 3))], [T((2, 3))]),
        Case("GELU", [T((50, 3))], [T((50, 3))], {"approximate": False}),
        Case("GELU", [T((50, 4))], [T((50, 4))], {"approximate": True}),
        Case("LOGISTIC", [T((2, 3))], [T((2, 3))]),
        Case("TANH", [T((2, 3))], [T((2, 3))]),
        Case("LOGISTIC", [T((40, 3), "s")], [T((40, 3), "s", quantized=(1 / 256, -128))]),
        Case("LOGISTIC", [T((40, 3), "u")], [T((40, 3), "u", quantized=(1 / 256, 0))]),
        Case("TANH", [T((40, 3), "s")], [T((40, 3), "s", quantized=(1 / 128, 0))]),
        Case("LOGICAL_NOT", [T((2, 3), "b")], [T((2, 3), "b")]),
        Case("LOGICAL_AND", [T((2, 3), "b"), T((2, 3), "b")], [T((2, 3), "b")]),
        Case("LOGICAL_OR", [T((2, 3), "b"), T((2, 3), "b")], [T((2, 3), "b")]),
        Case("SELECT_V2", [T((2, 3), "b"), T((2, 3)), T((), "f", True)], [T((2, 3))]),
        Case("ADD_N", [T((2, 3)), T((2, 3)), T((2, 3))], [T((2, 3))]),
        Case("QUANTIZE", [T((2, 30))], [T((2, 30), "s")]),
        Case("QUANTIZE", [T((2, 30), "u")], [T((2, 30), "s", quantized=(0.07, 4))]),
        Case("DEQUANTIZE", [T((2, 3), "u")], [T((2, 3))]),
        Case("CAST", [T((2, 3), "i")], [T((2, 3))], {"inDataType": 2, "outDataType": 0}),
        Case("CAST", [T((2, 3))], [T((2, 3), "i")], {"inDataType": 0, "outDataType": 2}),
        Case("CAST", [T((2, 3), "b")], [T((2, 3))], {"inDataType": 6, "outDataType": 0}),
        Case("CAST", [T((2, 3))], [T((2, 3), "b")], {"inDataType": 0, "outDataType": 6}),
    ]  # fmt: skip
    return cases


def places() -> list[Case]:
    """Elements that change places."""
    cases = []
    for k in "fusi":
        a = T((2, 3, 4), k)
        cases += [
            Case("RESHAPE", [a, ints(4, 6)], [T((4, 6), k)], {"newShape": [4, 6]}),
            Case("EXPAND_DIMS", [a, ints(1)], [T((2, 1, 3, 4), k)]),
            Case("SQUEEZE", [T((2, 1, 3), k)], [T((2, 3), k)], {"squeezeDims": [1]}),
            Case("TILE", [a, ints(1, 2, 3)], [T((2, 6, 12), k)]),
            Case("SLICE", [a, ints(0, 1, 2), ints(2, -1, 1)], [T((2, 2, 1), k)]),
            Case("STRIDED_SLICE", [a, ints(0, 1, 0), ints(2, 3, 4), ints(1, 1, 1)], [T((2, 2, 4), k)]),
            Case("STRIDED_SLICE", [a, ints(0, 1), ints(0, 2), ints(1, 1)], [T((2, 4), k)],
                 {"shrinkAxisMask": 2, "endMask": 1}),
            Case("SPLIT", [T((), "i", 2), a], [T((2, 3, 2), k)] * 2, {"numSplits": 2}),
            Case("SPLIT_V", [a, ints(1, 3), T((), "i", -1)], [T((2, 3, 1), k), T((2, 3, 3), k)], {"numSplits": 2}),
            Case("UNPACK", [a], [T((2, 4), k)] * 3, {"num": 3, "axis": 1}),
            Case("PACK", [a, a], [T((2, 3, 2, 4), k)], {"valuesCount": 2, "axis": 2}),
            Case("GATHER", [a, ints(2, 0)], [T((2, 2, 4), k)], {"axis": 1}),
            Case("GATHER", [a, T((), "i", 1)], [T((2, 4), k)], {"axis": 1}),
            Case("TOPK_V2", [a, T((), "i", 2)], [T((2, 3, 2), k), T((2, 3, 2), "i")]),
            Case("ARG_MAX", [a, T((), "i", 1)], [T((2, 4), "i")], {"outputType": 2}),
            Case("ARG_MIN", [a, T((), "i", -1)], [T((2, 3), "i")], {"outputType": 2}),
            Case("MIRROR_PAD", [a, T((3, 2), "i", [1, 1, 0, 2, 0, 0])], [T((4, 5, 4), k)], {"mode": 0}),
            Case("MIRROR_PAD", [a, T((3, 2), "i", [1, 2, 0, 0, 0, 1])], [T((5, 3, 5), k)], {"mode": 1}),
            Case("REVERSE_V2", [a, ints(1)], [a]),
        ]  # fmt: skip
    for k in "fus":
        a = T((2, 3, 4), k)
        cases += [
            Case("TRANSPOSE", [a, ints(2, 0, 1)], [T((4, 2, 3), k)]),
            Case("TRANSPOSE", [T((2, 3, 2, 3, 2), k), ints(0, 3, 1, 2, 4)], [T((2, 3, 3, 2, 2), k)]),
            Case("TILE", [T((1, 4, 2, 1, 3), k), ints(1, 1, 1, 2, 1)], [T((1, 4, 2, 2, 3), k)]),
            Case("PAD", [a, T((3, 2), "i", [1, 0, 0, 2, 3, 0])], [T((3, 5, 7), k)]),
            Case("PADV2", [a, T((3, 2), "i", [1, 0, 0, 2, 3, 0]), T((), k, 7)], [T((3, 5, 7), k)]),
            Case("CONCATENATION", [a, T((2, 1, 4), k)], [T((2, 4, 4), k)], {"axis": 1}),
            Case("STRIDED_SLICE", [a, ints(-1, 2, 0), ints(-4, 0, 4), ints(-1, -1, 3)], [T((2, 3, 2), k)],
                 {"endMask": 3}),
            Case("STRIDED_SLICE", [a, ints(0, 0, 1), ints(0, 0, 3), ints(1, 1, 2)], [T((2, 3, 1, 1), k)],
                 {"ellipsisMask": 1, "newAxisMask": 2}),
        ]  # fmt: skip
    cases.append(Case("BROADCAST_TO", [T((1, 3)), ints(2, 2, 3)], [T((2, 2, 3))], version=2))
    return cases


def lines() -> list[Case]:
    """Along an axis; products of matrices; look-ups."""
    cases = []
    for k in "fs":
        a, y = T((2, 3, 4), k), {"quantized": (0.4, 1)} if k == "s" else {}
        cases += [
            Case("MEAN", [a, ints(1, -1)], [T((2,), k)]),
            Case("MEAN", [a, ints(1)], [T((2, 1, 4), k, **y)], {"keepDims": True}),
            Case("SUM", [a, ints(2)], [T((2, 3), k, **y)]),
            Case("REDUCE_MAX", [a, ints(0, 1)], [T((4,), k)]),
            Case("REDUCE_MIN", [a, ints(1)], [T((2, 1, 4), k)], {"keepDims": True}),
            Case("SOFTMAX", [a], [T((2, 3, 4), k, quantized=(1 / 256, -128) if k == "s" else None)],
                 {"beta": 1.5}),
            Case("BATCH_MATMUL", [T((2, 3, 4), k), T((2, 4, 5), k)], [T((2, 3, 5), k, **y)]),
            Case("BATCH_MATMUL", [T((1, 2, 4, 3), k), T((2, 2, 5, 4), k)], [T((2, 2, 3, 5), k, **y)],
                 {"adjX": True, "adjY": True}),
        ]  # fmt: skip
    cases += [
        Case("REDUCE_PROD", [T((2, 3)), ints(1)], [T((2,))]),
        Case("REDUCE_ANY", [T((2, 3), "b"), ints(1)], [T((2,), "b")]),
        Case("LOG_SOFTMAX", [T((2, 3))], [T((2, 3))]),
        Case("L2_NORMALIZATION", [T((2, 3))], [T((2, 3))]),
        Case("EMBEDDING_LOOKUP", [T((2,), "i"), T((3, 4), "f", True)], [T((2, 4))]),
        Case("EMBEDDING_LOOKUP", [T((2,), "i"), T((3, 4), "c", True)], [T((2, 4))]),
        Case("GATHER", [T((5, 4), "s", True), T((2, 3), "i")], [T((2, 3, 4), "s")]),
        Case("GATHER", [T((5, 4)), T((2,), "l", [3, 1])], [T((2, 4))]),
        Case("BATCH_MATMUL", [T((2, 3, 4)), T((4, 5), "f", True)], [T((2, 3, 5))]),
    ]  # fmt: skip
    return cases


CASES = [*images(), *elements(), *places(), *lines()]


@pytest.fixture
def each_case() -> Callable[..., None]:
    """``each_case(check, levels)``: ``check(case, level)`` for every case on every level, in one test.

    Thousands of tests of a millisecond would take longer to collect than to run. All cases are checked, and those that
    fail are raised together, each with its name.
    """

    def each_case(check: Callable[..., None], *parameters: Iterable[Any]) -> None:
        failures: list[Exception] = []
        for (number, case), *rest in product(enumerate(CASES), *parameters):
            try:
                check(case, *rest)
            except Exception as error:
                error.add_note(" ".join(map(str, (f"case {number}: {case.id}", *rest))))
                failures.append(error)
        if failures:
            raise ExceptionGroup(f"of {len(CASES)} cases", failures)

    return each_case


@pytest.fixture
def cases() -> list[Case]:
    return CASES


@pytest.fixture
def maker(tmp_path: Path) -> ModelWriter:
    return ModelWriter(tmp_path)


ANCHORS = [[0.1 + 0.04 * i, 0.9 - 0.04 * i, 0.2, 0.1 + 0.01 * i] for i in range(20)]


@pytest.fixture
def detector() -> Callable[..., Case]:
    """``detector(background=True, most=10)``: the custom operator behind an SSD."""

    def detector(background: bool = True, **options: Any) -> Case:
        content = {
            "max_detections": 10, "max_classes_per_detection": 1, "num_classes": 3, "use_regular_nms": False,
            "y_scale": 10.0, "x_scale": 10.0, "h_scale": 5.0, "w_scale": 5.0,
            "nms_score_threshold": 0.3, "nms_iou_threshold": 0.6,
        }  # fmt: skip
        inputs = [T((1, 20, 4)), T((1, 20, 3 + background)), T((20, 4), "f", ANCHORS)]
        outputs = [T((1, 10, 4)), T((1, 10)), T((1, 10)), T((1,))]
        return Case("TFLite_Detection_PostProcess", inputs, outputs, custom=flexbuffer(content | options))

    return detector


@pytest.fixture(scope="session")
def quickstart() -> list[TFLiteModel]:
    """The models of the tasks without those of language models, whose cache updates are no NNAPI operations."""
    found = sorted(Path(__file__).parents[3].glob("tasks/*/src/*/quickstart/*.tflite"))
    return [read(path) for path in found if "language_model" not in path.parts]


@pytest.fixture(scope="session")
def cases_of_session() -> list[Case]:
    return CASES


@pytest.fixture(scope="session")
def maker_class() -> type[ModelWriter]:
    return ModelWriter


@pytest.fixture
def case_class() -> type[Case]:
    return Case


@pytest.fixture
def tensor_class() -> type[T]:
    return T
