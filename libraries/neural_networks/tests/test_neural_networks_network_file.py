"""Files of networks, read here by their description alone, have everything of the graph."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlperf_mobile_neural_networks.graph import Graph
from mlperf_mobile_neural_networks.lower import lower
from mlperf_mobile_neural_networks.network_file import write
from mlperf_mobile_tflite_model.reader import read

MODELS = sorted((Path(__file__).parents[3] / "tasks").glob("image_classification/src/*/quickstart/*.tflite"))
DTYPES = {0: "<f4", 1: "<i4", 3: "<f4", 4: "<i4", 5: "u1", 6: "?", 9: "?", 11: "i1", 14: "i1"}
"""By operand code (NeuralNetworksTypes.h)."""


def parts(path: Path) -> tuple[dict[str, Any], bytes]:
    """The description of a file, and its data."""
    content = path.read_bytes()
    magic, version, described, size = struct.unpack_from("<8sIIQ", content)
    begin = -(-(24 + described) // 64) * 64
    assert (magic, version, len(content)) == (b"MLPMNNET", 1, begin + size)
    assert not any(content[24 + described : begin])
    return json.loads(content[24 : 24 + described]), content[begin:]


def graph(model: Path) -> Graph:
    return lower(read(model), 4)


@pytest.mark.parametrize("model", MODELS, ids=lambda path: path.stem)
def test_operands_and_operations(tmp_path, model):
    made = graph(model)
    write(tmp_path / "network", made, 4)
    found, data = parts(tmp_path / "network")
    assert found["feature_level"] == 4
    for operand, told in zip(made.operands, found["operands"], strict=True):
        assert (told["code"], tuple(told["dimensions"])) == (operand.code, operand.dimensions)
        assert (told["scale"], told["zero_point"], told["name"]) == (operand.scale, operand.zero_point, operand.name)
        assert ("value" in told, "channels" in told) == (operand.value is not None, operand.channel_scales is not None)
        if "value" in told:
            offset, size = told["value"]["offset"], told["value"]["bytes"]
            stored = np.frombuffer(data[offset : offset + size], DTYPES[told["code"]])
            np.testing.assert_array_equal(stored.reshape(operand.value.shape), operand.value)
            assert offset % 64 == 0
        if "channels" in told:
            channels = told["channels"]
            stored = np.frombuffer(data, "<f4", channels["count"], channels["offset"])
            np.testing.assert_array_equal(stored, operand.channel_scales)
            assert (channels["dimension"], channels["offset"] % 64) == (operand.channel_dim, 0)
    for operation, told in zip(made.operations, found["operations"], strict=True):
        assert told == {
            "code": operation.code, "inputs": [*operation.inputs], "outputs": [*operation.outputs],
            "name": operation.name, "sources": [*operation.sources],
        }  # fmt: skip
    assert (tuple(found["inputs"]), tuple(found["outputs"])) == (made.inputs, made.outputs)


def test_tensors_are_those_of_the_model_file(tmp_path):
    (model,) = [path for path in MODELS if "int8" in path.stem]
    write(tmp_path / "network", graph(model), 4)
    found, _ = parts(tmp_path / "network")
    (into,), (out,) = found["input_tensors"], found["output_tensors"]
    assert (into["dtype"], into["shape"], into["bytes"]) == ("int8", [1, 28, 28, 1], 784)
    assert (into["scale"], into["zero_point"]) == (pytest.approx(2 / 255), -1)  # as the converter chose for [-1, 1]
    assert (out["dtype"], out["shape"], out["bytes"], out["zero_point"]) == ("int8", [1, 10], 10, -128)


def test_equal_graphs_give_equal_files(tmp_path):
    for name in ("one", "other"):
        write(tmp_path / name, graph(MODELS[0]), 4)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "other"]


def test_a_file_that_is_in_use_stays_as_it_was(tmp_path):
    write(tmp_path / "network", graph(MODELS[0]), 4)
    before = (tmp_path / "network").read_bytes()
    with (tmp_path / "network").open("rb") as used:
        write(tmp_path / "network", graph(MODELS[1]), 4)
        assert used.read() == before
    assert (tmp_path / "network").read_bytes() != before
