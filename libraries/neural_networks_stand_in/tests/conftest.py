from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlperf_mobile_neural_networks_stand_in import build

# Operand types by element type; quantised ones are told by Operand.code.
CODES = {"float32": 3, "int32": 4, "float16": 8, "bool": 9}
DTYPES = {3: np.float32, 4: np.int32, 5: np.uint8, 8: np.float16, 9: np.bool_, 11: np.int8, 13: np.int8, 14: np.int8}


# More flags for the compiler: test_neural_networks_stand_in_sanitizers.py runs these tests again with sanitizers.
FLAGS = ("-Werror", *os.environ.get("NN_STAND_IN_TEST_FLAGS", "").split())


class OperandType(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int32),
        ("dimensionCount", ctypes.c_uint32),
        ("dimensions", ctypes.POINTER(ctypes.c_uint32)),
        ("scale", ctypes.c_float),
        ("zeroPoint", ctypes.c_int32),
    ]


class ChannelQuant(ctypes.Structure):
    _fields_ = [
        ("channelDim", ctypes.c_uint32),
        ("scaleCount", ctypes.c_uint32),
        ("scales", ctypes.POINTER(ctypes.c_float)),
    ]


class NNError(Exception):
    def __init__(self, code: int, symbol: str, text: str) -> None:
        super().__init__(f"{symbol} gives {code}: {text}")
        self.code = code
        self.symbol = symbol


@dataclass
class Operand:
    """A tensor: ``data`` for inputs, ``shape`` for outputs; ``const`` makes it part of the model."""

    code: int
    data: np.ndarray | None = None
    shape: tuple[int, ...] = ()
    scale: float = 0.0
    zero: int = 0
    const: bool = False
    scales: Sequence[float] = ()
    channel: int = 0


class Library:
    """One library through ctypes, with just enough to build and run models of one operation."""

    def __init__(self, path: Path, prefix: str) -> None:
        self.path = path
        self.dll = ctypes.CDLL(str(path))
        self.prefix = prefix
        self.dll.nn_stand_in_last_error.restype = ctypes.c_char_p
        self.dll.nn_stand_in_live_objects.restype = ctypes.c_size_t

    def alive(self) -> int:
        return int(self.dll.nn_stand_in_live_objects())

    def raw(self, name: str, *arguments: Any) -> int:
        """Call a function by the name after its prefix; Python integers pass as size_t or smaller."""
        function = getattr(self.dll, self.prefix + name)
        return int(function(*[ctypes.c_size_t(a) if type(a) is int and a >= 0 else a for a in arguments]))

    def call(self, name: str, *arguments: Any) -> None:
        code = self.raw(name, *arguments)
        if code:
            raise NNError(code, self.prefix + name, self.dll.nn_stand_in_last_error().decode())

    def free(self, name: str, handle: Any) -> None:
        function = getattr(self.dll, f"{self.prefix}{name}_free")
        function.restype = None
        function(handle)

    def model(self) -> Model:
        return Model(self)

    def compute(self, operation: int, inputs: Sequence[Any], outputs: Sequence[Operand]) -> list[np.ndarray]:
        """Run one operation. Inputs: arrays (model inputs), Operands, or Python scalars (constants of the model)."""
        model = self.model()
        try:
            ins = [model.add(each) for each in inputs]
            outs = [model.add(each) for each in outputs]
            model.operation(operation, ins, outs)
            given = [i for i in ins if model.operands[i].data is not None and not model.operands[i].const]
            model.finish(given, outs)
            return model.run()
        finally:
            model.close()


@dataclass
class Model:
    library: Library
    operands: list[Operand] = field(default_factory=list)
    inputs: list[int] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)
    handle: Any = None
    compilation: Any = None
    kept: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.handle = ctypes.c_void_p()
        self.library.call("Model_create", ctypes.byref(self.handle))

    def add(self, value: Any) -> int:
        scalar = None
        if isinstance(value, np.ndarray):
            value = Operand(CODES[str(value.dtype)], value)
        elif not isinstance(value, Operand):
            kinds = {bool: (6, np.bool_), int: (1, np.int32), float: (0, np.float32), np.float16: (10, np.float16)}
            code, dtype = kinds[type(value)]
            scalar = np.array(value, dtype)
            value = Operand(code, scalar, const=True)
        if value.data is not None:
            value.data = np.ascontiguousarray(value.data)
        shape = value.shape if value.data is None or scalar is not None else value.data.shape
        dims = (ctypes.c_uint32 * len(shape))(*shape)
        kind = OperandType(value.code, len(shape), dims, value.scale, value.zero)
        self.library.call("Model_addOperand", self.handle, ctypes.byref(kind))
        self.operands.append(value)
        index = len(self.operands) - 1
        if value.scales:
            scales = (ctypes.c_float * len(value.scales))(*value.scales)
            quant = ChannelQuant(value.channel, len(value.scales), scales)
            self.library.call("Model_setOperandSymmPerChannelQuantParams", self.handle, index, ctypes.byref(quant))
        if value.const:
            assert value.data is not None
            pointer = ctypes.c_void_p(value.data.ctypes.data)
            self.library.call("Model_setOperandValue", self.handle, index, pointer, value.data.nbytes)
        return index

    def operation(self, code: int, inputs: Sequence[int], outputs: Sequence[int]) -> None:
        ins, outs = (ctypes.c_uint32 * len(inputs))(*inputs), (ctypes.c_uint32 * len(outputs))(*outputs)
        self.library.call("Model_addOperation", self.handle, code, len(inputs), ins, len(outputs), outs)

    def finish(self, inputs: Sequence[int], outputs: Sequence[int]) -> None:
        self.inputs, self.outputs = list(inputs), list(outputs)
        ins, outs = (ctypes.c_uint32 * len(inputs))(*inputs), (ctypes.c_uint32 * len(outputs))(*outputs)
        self.library.call("Model_identifyInputsAndOutputs", self.handle, len(inputs), ins, len(outputs), outs)
        self.library.call("Model_finish", self.handle)

    def compile(self) -> Any:
        self.compilation = ctypes.c_void_p()
        self.library.call("Compilation_create", self.handle, ctypes.byref(self.compilation))
        self.library.call("Compilation_finish", self.compilation)
        return self.compilation

    def execution(self) -> tuple[Any, list[np.ndarray]]:
        """An execution with all buffers set, and the arrays of its outputs."""
        execution = ctypes.c_void_p()
        self.library.call("Execution_create", self.compilation, ctypes.byref(execution))
        for i, index in enumerate(self.inputs):
            data = self.operands[index].data
            assert data is not None
            pointer = ctypes.c_void_p(data.ctypes.data)
            self.library.call("Execution_setInput", execution, i, None, pointer, data.nbytes)
        arrays = [np.full(self.operands[i].shape, 77, DTYPES[self.operands[i].code]) for i in self.outputs]
        for i, array in enumerate(arrays):
            pointer = ctypes.c_void_p(array.ctypes.data)
            self.library.call("Execution_setOutput", execution, i, None, pointer, array.nbytes)
        self.kept.append(arrays)
        return execution, arrays

    def run(self) -> list[np.ndarray]:
        if self.compilation is None:
            self.compile()
        execution, arrays = self.execution()
        try:
            self.library.call("Execution_compute", execution)
        finally:
            self.library.free("Execution", execution)
        return arrays

    def close(self) -> None:
        if self.compilation:
            self.library.free("Compilation", self.compilation)
        if self.handle:
            self.library.free("Model", self.handle)


@pytest.fixture(scope="session")
def nnapi_library(built: Path) -> Library:
    return Library(build(built, "neuralnetworks", flags=FLAGS), "ANeuralNetworks")


@pytest.fixture
def nnapi(nnapi_library: Library) -> Any:
    """The NNAPI stand-in; the test must leave no object behind."""
    yield nnapi_library
    assert nnapi_library.alive() == 0


@pytest.fixture(scope="session")
def neuron_library(built: Path) -> Library:
    return Library(build(built, "neuron_adapter", flags=FLAGS), "Neuron")


@pytest.fixture
def neuron(neuron_library: Library) -> Any:
    """The Neuron adapter's stand-in; the test must leave no object behind."""
    yield neuron_library
    assert neuron_library.alive() == 0


@pytest.fixture(scope="session")
def runtime_library(built: Path) -> ctypes.CDLL:
    library = ctypes.CDLL(str(build(built, "neuron_runtime", flags=FLAGS)))
    library.nn_stand_in_live_objects.restype = ctypes.c_size_t
    return library


@pytest.fixture(scope="session")
def operand() -> type[Operand]:
    return Operand


@pytest.fixture(scope="session")
def error() -> type[NNError]:
    return NNError


@pytest.fixture(scope="session")
def litert() -> Any:
    """``litert(operator, options, inputs, outputs)``: what LiteRT's reference kernel computes for one operator.

    Inputs and outputs are Operands; ``operator`` and the class of ``options`` are named as in LiteRT's schema. With
    ``version``, a later version of the operator.
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    kinds = schema.TensorType
    types = {3: kinds.FLOAT32, 4: kinds.INT32, 5: kinds.UINT8, 9: kinds.BOOL, 11: kinds.INT8, 14: kinds.INT8}

    def tensor(index: int, operand: Operand, buffers: list[Any]) -> Any:
        made = schema.TensorT()
        made.name = f"t{index}"
        made.shape = list(operand.data.shape if operand.data is not None else operand.shape)
        made.type = types[operand.code]
        made.buffer = len(buffers)
        buffer = schema.BufferT()
        if operand.const:
            assert operand.data is not None
            buffer.data = np.frombuffer(operand.data.tobytes(), np.uint8)
        buffers.append(buffer)
        if operand.scale or operand.scales:
            made.quantization = schema.QuantizationParametersT()
            made.quantization.scale = list(operand.scales or [operand.scale])
            made.quantization.zeroPoint = [operand.zero] * len(made.quantization.scale)
            made.quantization.quantizedDimension = operand.channel
        return made

    def run(
        operator: str,
        options: tuple[str, dict[str, Any]] | None,
        inputs: list[Operand],
        outputs: list[Operand],
        version: int = 1,
    ) -> list[np.ndarray]:
        model, graph, op, code = schema.ModelT(), schema.SubGraphT(), schema.OperatorT(), schema.OperatorCodeT()
        model.version = 3
        code.builtinCode = getattr(schema.BuiltinOperator, operator)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        code.version = version
        model.operatorCodes = [code]
        model.buffers = [schema.BufferT()]
        graph.tensors = [tensor(i, each, model.buffers) for i, each in enumerate([*inputs, *outputs])]
        op.inputs = list(range(len(inputs)))
        op.outputs = list(range(len(inputs), len(inputs) + len(outputs)))
        if options:
            name, values = options
            op.builtinOptionsType = getattr(schema.BuiltinOptions, name)
            op.builtinOptions = getattr(schema, name + "T")()
            for key, value in values.items():
                assert hasattr(op.builtinOptions, key), key
                setattr(op.builtinOptions, key, value)
        graph.operators = [op]
        graph.inputs = [i for i, each in enumerate(inputs) if not each.const]
        graph.outputs = op.outputs
        model.subgraphs = [graph]
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        interpreter = Interpreter(
            model_content=bytes(builder.Output()), experimental_op_resolver_type=OpResolverType.BUILTIN_REF
        )
        interpreter.allocate_tensors()
        for detail, index in zip(interpreter.get_input_details(), graph.inputs, strict=True):
            interpreter.set_tensor(detail["index"], inputs[index].data)
        interpreter.invoke()
        return [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]

    return run
