"""Writes a perceptron as .tflite and as .onnx."""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema
from onnx import TensorProto, helper, numpy_helper

from mlperf_mobile_example_keyword_spotting.sound import BANDS, FRAMES

Array = npt.NDArray[Any]


def tflite_model(weights: list[Array]) -> bytes:
    """Reshape, and two FULLY_CONNECTED, the first with ReLU."""
    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version, model.subgraphs, model.buffers, model.operatorCodes = 3, [graph], [schema.BufferT()], []
    graph.tensors, graph.operators = [], []

    def tensor(name: str, shape: tuple[int, ...], value: Array | None = None) -> int:
        made = schema.TensorT()
        made.name, made.shape, made.buffer = name, list(shape), 0
        made.type = schema.TensorType.INT32 if value is not None and value.dtype == np.int32 else 0
        if value is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(value.tobytes(), np.uint8)
            made.buffer = len(model.buffers)
            model.buffers.append(buffer)
        graph.tensors.append(made)
        return len(graph.tensors) - 1

    def operator(name: str, inputs: list[int], outputs: list[int], options: Any) -> None:
        code, made = schema.OperatorCodeT(), schema.OperatorT()
        code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, name)
        code.version = 1
        made.opcodeIndex, made.inputs, made.outputs = len(model.operatorCodes), inputs, outputs
        made.builtinOptions = options
        made.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
        model.operatorCodes.append(code)
        graph.operators.append(made)

    x = tensor("spectrogram", (1, FRAMES, BANDS))
    flat = tensor("flat", (1, FRAMES * BANDS))
    shape = np.array([1, FRAMES * BANDS], np.int32)
    reshape = schema.ReshapeOptionsT()
    reshape.newShape = list(map(int, shape))
    operator("RESHAPE", [x, tensor("shape", (2,), shape)], [flat], reshape)
    before = flat
    for n in (0, 1):
        matrix, bias = weights[2 * n].T.copy(), weights[2 * n + 1]
        after = tensor("scores" if n else "hidden", (1, len(bias)))
        options = schema.FullyConnectedOptionsT()
        options.fusedActivationFunction = (
            schema.ActivationFunctionType.NONE if n else schema.ActivationFunctionType.RELU
        )
        constants = [tensor(f"weight{n}", matrix.shape, matrix), tensor(f"bias{n}", bias.shape, bias)]
        operator("FULLY_CONNECTED", [before, *constants], [after], options)
        before = after
    graph.inputs, graph.outputs = [x], [before]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def onnx_model(weights: list[Array]) -> bytes:
    """Flatten, and two Gemm with a Relu between them."""
    nodes = [
        helper.make_node("Flatten", ["spectrogram"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w0", "b0"], ["hidden"]),
        helper.make_node("Relu", ["hidden"], ["positive"]),
        helper.make_node("Gemm", ["positive", "w1", "b1"], ["scores"]),
    ]
    graph = helper.make_graph(
        nodes,
        "keywords",
        [helper.make_tensor_value_info("spectrogram", TensorProto.FLOAT, [1, FRAMES, BANDS])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, len(weights[3])])],
        [numpy_helper.from_array(w, name) for w, name in zip(weights, ("w0", "b0", "w1", "b1"), strict=True)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())
