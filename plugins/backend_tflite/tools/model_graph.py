"""Builds a .tflite model from scratch, with the schema classes of LiteRT."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

F32, I32, U8, I8, STRING = (getattr(schema.TensorType, n) for n in ("FLOAT32", "INT32", "UINT8", "INT8", "STRING"))


class Graph:
    """A model with one subgraph, built tensor by tensor and operation by operation."""

    def __init__(self) -> None:
        self.tensors: list[Any] = []
        self.operators: list[Any] = []
        self.codes: list[Any] = []
        self.buffers = [schema.BufferT()]

    def tensor(
        self, name: str, shape: Sequence[int], kind: int = F32, *,
        value: np.ndarray[Any, Any] | None = None, quantized: tuple[float, int] | None = None,
        signature: Sequence[int] | None = None,
    ) -> int:  # fmt: skip
        """Add a tensor, constant when it has a ``value``; the ``signature`` has -1 for what is open."""
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.buffer = name, list(shape), kind, 0
        if signature:
            tensor.shapeSignature = list(signature)
        if quantized:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale, tensor.quantization.zeroPoint = [quantized[0]], [quantized[1]]
        if value is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(value.tobytes(), np.uint8)
            tensor.buffer = len(self.buffers)
            self.buffers.append(buffer)
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def op(self, name: str, inputs: Sequence[int], outputs: Sequence[int], options: Any = None) -> None:
        """Add an operation: a built-in one by its name in the schema, else a custom one."""
        code = schema.OperatorCodeT()
        builtin = getattr(schema.BuiltinOperator, name, None)
        code.version = 1
        code.builtinCode = schema.BuiltinOperator.CUSTOM if builtin is None else builtin
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        code.customCode = name if builtin is None else None
        operator = schema.OperatorT()
        operator.opcodeIndex, operator.inputs, operator.outputs = len(self.codes), list(inputs), list(outputs)
        if options is not None:
            operator.builtinOptions = options
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
        self.codes.append(code)
        self.operators.append(operator)

    def model(self, inputs: Sequence[int], outputs: Sequence[int]) -> Any:
        """The finished model."""
        graph = schema.SubGraphT()
        graph.tensors, graph.operators = self.tensors, self.operators
        graph.inputs, graph.outputs = list(inputs), list(outputs)
        model = schema.ModelT()
        model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, self.codes, [graph], self.buffers
        return model


def pack(model: Any, *, defaults: bool = False) -> bytes:
    """The bytes of a .tflite file; with ``defaults``, fields are written even if they say what is understood."""
    builder = flatbuffers.Builder(1024)
    builder.ForceDefaults(defaults)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())
