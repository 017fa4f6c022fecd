from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flatbuffers
import pytest
from flatbuffers import flexbuffers
from hypothesis import example, given
from hypothesis import strategies as st

from mlperf_mobile.errors import BackendError
from mlperf_mobile_backend_snpe.qnn import dispatch
from mlperf_mobile_tflite_model.flatbuffer import Damaged

BINARY = b"the context binary"

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """``write(offset=…, size=…)``: a model of one dispatch operation, with the binary behind the flatbuffer."""
    pytest.importorskip("ai_edge_litert")
    schema: Any = importlib.import_module("ai_edge_litert.schema_py_generated")

    def write_(*, more: str = "", options: bytes | None = None, **values: int) -> Path:
        def pack(offset: int) -> bytes:
            told = {"bytecode_offset": offset, "bytecode_size": len(BINARY), "name": "graph"} | values
            model, graph, operator = schema.ModelT(), schema.SubGraphT(), schema.OperatorT()
            model.version, model.buffers, model.operatorCodes = 3, [schema.BufferT()], []
            graph.tensors, graph.inputs, graph.outputs = [], [0], [1]
            for name in ("x", "y"):
                tensor = schema.TensorT()
                tensor.name, tensor.shape = name, [1, 4]
                graph.tensors.append(tensor)
            operator.inputs, operator.outputs, operator.opcodeIndex = [0], [1], 0
            operator.customOptions = list(flexbuffers.Dumps(told) if options is None else options)
            graph.operators = [operator]
            for name in ("DISPATCH_OP", *([more] if more else [])):
                code = schema.OperatorCodeT()
                code.builtinCode, code.customCode = schema.BuiltinOperator.CUSTOM, name
                code.deprecatedBuiltinCode, code.version = 32, 1
                model.operatorCodes.append(code)
            if more:
                left = schema.OperatorT()
                left.inputs, left.outputs, left.opcodeIndex = [0], [1], 1
                graph.operators.append(left)
            model.subgraphs = [graph]
            builder = flatbuffers.Builder()
            builder.Finish(model.Pack(builder), b"TFL3")
            return bytes(builder.Output())

        path = tmp_path / "compiled.tflite"
        path.write_bytes(pack(len(pack(1 << 20))) + BINARY)  # the offset's size does not change the file's here
        data = path.read_bytes()
        if "bytecode_offset" not in values and options is None:
            start = data.index(BINARY)
            path.write_bytes(pack(start) + BINARY)
        return path

    return write_


def test_the_binary_and_its_tensors_are_found(write: Write) -> None:
    found = dispatch.read(write())
    assert found.binaries == (BINARY,)
    assert (found.inputs, found.outputs, found.left) == (((0,),), ((1,),), {})


def test_operations_that_are_left_are_named(write: Write) -> None:
    assert dispatch.read(write(more="Odd")).left == {"Odd": 1}


@pytest.mark.parametrize(
    "values",
    [
        {"bytecode_offset": 0},
        {"bytecode_offset": 10**6},
        {"bytecode_offset": 2**63 - 1},
        {"bytecode_size": 0},
        {"bytecode_size": 10**6},
        {"bytecode_size": 2**63 - 1},
    ],
)
def test_bytecode_outside_of_the_file_is_refused(write: Write, values: dict[str, int]) -> None:
    with pytest.raises(BackendError) as raised:
        dispatch.read(write(**values))
    assert raised.value.code == "compiler-failed"


@pytest.mark.parametrize("options", [b"", b"\0\0\1", bytes(40), flexbuffers.Dumps({"name": "graph"})])
def test_a_dispatch_without_a_place_is_refused(write: Write, options: bytes) -> None:
    with pytest.raises(BackendError) as raised:
        dispatch.read(write(options=options))
    assert raised.value.code == "compiler-failed"


def test_no_model_at_all(tmp_path: Path) -> None:
    with pytest.raises(BackendError):
        dispatch.read(tmp_path / "absent.tflite")


@given(st.binary(max_size=80))
def test_rubbish_for_options_is_damage_or_a_place_inside(options: bytes) -> None:
    data = bytes(range(50))
    try:
        found = dispatch.bytecode(data, options)
    except Damaged:
        return
    assert found in data


@given(st.integers(0, 60), st.integers(0, 60))
@example(2**63 - 1, 1)
@example(1, 2**63 - 1)
@example(-1, 1)
@example(1, -1)
def test_every_place_is_inside_or_refused(offset: int, size: int) -> None:
    data = bytes(range(50))
    options = bytes(flexbuffers.Dumps({"bytecode_offset": offset, "bytecode_size": size}))
    inside = offset > 0 and size > 0 and offset + size <= len(data)
    if inside:
        assert dispatch.bytecode(data, options) == data[offset : offset + size]
    else:
        with pytest.raises(Damaged):
            dispatch.bytecode(data, options)
