"""Networks that LiteRT compiled are taken out of files that are whole, and of no others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlperf_mobile.errors import MobileError
from mlperf_mobile_backend_neuron.litert_network import extract, is_compiled
from mlperf_mobile_tflite_model.reader import read

flatbuffers = pytest.importorskip("flatbuffers")
schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
from flatbuffers import flexbuffers  # noqa: E402

NETWORK = b"a network that an adapter stored"


def graphs(
    *, name="Partition_0", kind=2, index=0, place=1, network=NETWORK, version=(8, 2, 26), weights=False
) -> bytes:
    """The bytecode, by the format's own library, with the fields of neuron_schema.fbs."""
    builder = flatbuffers.Builder(256)
    entry, identifier = builder.CreateString(name), builder.CreateString(name)
    data = builder.CreateByteVector(network)
    builder.StartObject(1)
    if place == 2:
        builder.PrependUOffsetTRelativeSlot(0, identifier, 0)
    else:
        builder.PrependInt32Slot(0, index, -1)
    index_table = builder.EndObject()
    builder.StartObject(2)
    builder.PrependUOffsetTRelativeSlot(0, identifier, 0)
    builder.PrependUOffsetTRelativeSlot(1, data, 0)
    buffer = builder.EndObject()
    shared = builder.CreateByteVector(b"\1") if weights else 0
    builder.StartObject(6)
    builder.PrependUOffsetTRelativeSlot(0, entry, 0)
    builder.PrependInt8Slot(1, kind, 0)
    builder.PrependUint8Slot(2, place, 0)
    builder.PrependUOffsetTRelativeSlot(3, index_table, 0)
    builder.PrependUOffsetTRelativeSlot(4, shared, 0)
    subgraph = builder.EndObject()
    vectors = []
    for table in (subgraph, buffer):
        builder.StartVector(4, 1, 4)
        builder.PrependUOffsetTRelative(table)
        vectors.append(builder.EndVector())
    builder.StartObject(5)
    builder.PrependInt16Slot(0, 1, 0)
    builder.PrependUOffsetTRelativeSlot(1, vectors[0], 0)
    builder.PrependUOffsetTRelativeSlot(2, vectors[1], 0)
    if version:
        builder.Prep(4, 12)
        for number in reversed(version):
            builder.PrependUint32(number)
        builder.PrependStructSlot(4, builder.Offset(), 0)
    builder.Finish(builder.EndObject())
    return bytes(builder.Output())


def write(
    path: Path, bytecode: bytes, *, inputs=(0, 1), operator_inputs=(0, 1), extra=(), stamp=None, **options
) -> Path:
    """A model of one DISPATCH_OP, by LiteRT's own schema, with the bytecode behind it as LiteRT writes it."""

    def pack(offset: int) -> bytearray:
        model = schema.ModelT()
        model.version, model.buffers = 3, [schema.BufferT()]
        graph = schema.SubGraphT()
        graph.tensors = []
        for name in (b"a", b"b", b"y"):
            tensor = schema.TensorT()
            tensor.name, tensor.shape, tensor.type, tensor.buffer = name, [1, 4], schema.TensorType.UINT8, 0
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale, tensor.quantization.zeroPoint = [0.5], [len(graph.tensors)]
            graph.tensors.append(tensor)
        dispatch, relu = schema.OperatorCodeT(), schema.OperatorCodeT()
        dispatch.builtinCode = dispatch.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
        dispatch.customCode = b"DISPATCH_OP"
        relu.builtinCode = relu.deprecatedBuiltinCode = schema.BuiltinOperator.RELU
        model.operatorCodes = [dispatch, relu]
        operator = schema.OperatorT()
        operator.inputs, operator.outputs = list(operator_inputs), [2]
        told = {"bytecode_offset": offset, "bytecode_size": len(bytecode), "name": "Partition_0"} | options
        operator.customOptions = list(flexbuffers.Dumps({k: v for k, v in told.items() if v is not None}))
        others = []
        for _ in extra:
            other = schema.OperatorT()
            other.opcodeIndex, other.inputs, other.outputs = 1, [0], [2]
            others.append(other)
        graph.operators, graph.inputs, graph.outputs = [operator, *others], list(inputs), [2]
        model.subgraphs = [graph]
        if stamp is not None:
            entry, buffer = schema.MetadataT(), schema.BufferT()
            entry.name, entry.buffer, buffer.data = b"LiteRtStamp", 1, list(stamp)
            model.metadata = [entry]
            model.buffers.append(buffer)
        builder = flatbuffers.Builder(0)
        builder.Finish(model.Pack(builder), b"TFL3")
        return builder.Output()

    # The offset is as wide as it gets, so that it does not change the size of the file.
    size = len(pack(1 << 31))
    path.write_bytes(pack(size).ljust(size, b"\0") + bytecode)
    return path


@pytest.mark.parametrize("version", [(8, 2, 26), None])
def test_a_network(tmp_path, version):
    model = read(write(tmp_path / "net.tflite", graphs(version=version)))
    assert is_compiled(model)
    found = extract(model)
    assert (found.network, found.kind, found.version) == (NETWORK, "adapter", version)
    assert [(spec.name, spec.shape, spec.dtype, spec.scale, spec.zero_point) for spec in found.inputs] == [
        ("a", (1, 4), np.dtype(np.uint8), 0.5, 0),
        ("b", (1, 4), np.dtype(np.uint8), 0.5, 1),
    ]
    assert (found.input_order, found.output_order) == ((0, 1), (0,))


def test_a_dla_file_inside(tmp_path):
    assert extract(read(write(tmp_path / "net.tflite", graphs(kind=0)))).kind == "dla"


def test_the_operators_order_is_another(tmp_path):
    found = extract(read(write(tmp_path / "net.tflite", graphs(), operator_inputs=(1, 0))))
    assert [spec.name for spec in found.inputs] == ["a", "b"]
    assert found.input_order == (1, 0)


def stamp(maker: bytes, soc: bytes) -> bytes:
    return maker.ljust(125, b"\0") + soc.ljust(125, b"\0")


@pytest.mark.parametrize(
    ("data", "soc"),
    [
        (None, ""),
        (stamp(b"MediaTek", b"mt6989"), "mt6989"),
        (stamp(b"MediaTek", b"MT6991"), "mt6991"),
        (b"MediaTek", ""),
        (b"", ""),
        (stamp(b"", b"")[:249], ""),
    ],
)
def test_the_stamp_names_the_soc(tmp_path, data, soc):
    assert extract(read(write(tmp_path / "net.tflite", graphs(), stamp=data))).soc == soc


def test_networks_of_others(tmp_path):
    with pytest.raises(MobileError, match="compiled for Qualcomm SM8650") as caught:
        extract(read(write(tmp_path / "net.tflite", graphs(), stamp=stamp(b"Qualcomm", b"SM8650"))))
    assert caught.value.code == "network-unsupported"


BAD = {
    "no such network": ({"name": "Partition_1"}, {}, "network-damaged"),
    "no buffer": ({"index": 1}, {}, "network-damaged"),
    "index -1": ({"index": -1}, {}, "network-damaged"),
    "an empty network": ({"network": b""}, {}, "network-damaged"),
    "kind dlb": ({"kind": 1}, {}, "network-unsupported"),
    "an unknown kind": ({"kind": 77}, {}, "network-unsupported"),
    "external buffers": ({"place": 2}, {}, "network-unsupported"),
    "shared weights": ({"weights": True}, {}, "network-unsupported"),
    "an offset far away": ({}, {"bytecode_offset": 1 << 62}, "network-damaged"),
    "an offset before": ({}, {"bytecode_offset": -8}, "network-damaged"),
    "a size that is too much": ({}, {"bytecode_size": 1 << 40}, "network-damaged"),
    "a size of nothing": ({}, {"bytecode_size": 0}, "network-damaged"),
    "no offset": ({}, {"bytecode_offset": None}, "network-damaged"),
    "a name that is a number": ({}, {"name": 4}, "network-damaged"),
    "an offset that is text": ({}, {"bytecode_offset": "0"}, "network-damaged"),
    "more operators": ({}, {"extra": (1,)}, "network-partial"),
    "other inputs": ({}, {"operator_inputs": (0,)}, "network-unsupported"),
}


@pytest.mark.parametrize(("inside", "around", "code"), BAD.values(), ids=BAD)
def test_bad_ones(tmp_path, inside, around, code):
    model = read(write(tmp_path / "net.tflite", graphs(**inside), **around))
    with pytest.raises(MobileError) as caught:
        extract(model)
    assert caught.value.code == code
    assert "net.tflite" in caught.value.summary


def test_what_is_left_for_the_cpu_is_named(tmp_path):
    with pytest.raises(MobileError, match="leaves RELU to the CPU"):
        extract(read(write(tmp_path / "net.tflite", graphs(), extra=(1,))))


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_damaged_bytecode(tmp_path_factory, data):
    """Whatever is changed in it, there is a network or an error."""
    bytecode = bytearray(graphs())
    for _ in range(data.draw(st.integers(1, 3))):
        bytecode[data.draw(st.integers(0, len(bytecode) - 1))] = data.draw(st.integers(0, 255))
    model = read(write(tmp_path_factory.mktemp("damaged") / "net.tflite", bytes(bytecode)))
    try:
        found = extract(model)
    except MobileError as error:
        assert error.code in ("network-damaged", "network-unsupported")
    else:
        assert len(found.network) <= len(bytecode)
