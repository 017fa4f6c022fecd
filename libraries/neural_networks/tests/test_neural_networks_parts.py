"""A model is divided by what a device says it takes, however it says that."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from mlperf_mobile.errors import ModelError
from mlperf_mobile_neural_networks.parts import divide, place_parts
from mlperf_mobile_tflite_model.reader import read

(MODEL,) = (Path(__file__).parents[3] / "tasks").glob("*/src/*/quickstart/fashion_mobilenet_float32.tflite")
LEVEL = 5


class Device:
    """Takes operations but those that ``refuses(name, names)`` is true of; ``names`` are all it is asked about."""

    def __init__(self, refuses) -> None:
        self.refuses, self.asked = refuses, 0

    def __call__(self, graph):
        self.asked += 1
        names = [operation.name for operation in graph.operations]
        return [not self.refuses(name, names) for name in names]


def names(model, parts, *, on_device):
    """Operators by name, on the device or on the CPU."""
    chosen = [each.segment for each in parts if (each.graph is not None) == on_device]
    return Counter(model.operators[index].name for segment in chosen for index in segment.operators)


@pytest.fixture(scope="module")
def model():
    return read(MODEL)


def test_a_device_that_takes_everything(model):
    device = Device(lambda name, names: False)
    (part,) = divide(model, LEVEL, device)
    assert (part.segment.inputs, part.segment.outputs) == (model.inputs, model.outputs)
    assert device.asked == 1
    assert place_parts(model, [part], "npu", "nnapi").operations == {"npu": len(model.operators)}


def test_a_device_that_refuses_a_kind(model):
    parts = divide(model, LEVEL, Device(lambda name, names: name == "DEPTHWISE_CONV_2D"))
    everything = Counter(operator.name for operator in model.operators)
    assert names(model, parts, on_device=False) == {"DEPTHWISE_CONV_2D": everything["DEPTHWISE_CONV_2D"]}
    placement = place_parts(model, parts, "npu", "nnapi")
    assert Counter(placement.names["npu"]) + Counter(placement.names["cpu"]) == everything
    assert placement.operations == {"npu": everything.total() - 5, "cpu": 5}
    assert placement.kernels == {"nnapi": everything.total() - 5, "litert": 5}


def test_a_device_that_changes_its_mind(model):
    """It takes a SOFTMAX among others, and refuses it alone: it is asked about what is left, again and again."""
    device = Device(lambda name, names: name == "MEAN" or (name == "SOFTMAX" and "CONV_2D" not in names))
    parts = divide(model, LEVEL, device)
    assert names(model, parts, on_device=False) == {"MEAN": 1, "SOFTMAX": 1}
    assert device.asked > 2


@pytest.mark.parametrize("refuses", [lambda name, names: True, lambda name, names: len(names) < 100])
def test_a_device_that_takes_nothing(model, refuses):
    with pytest.raises(ModelError, match="supports none of the operations") as caught:
        divide(model, LEVEL, Device(refuses))
    assert caught.value.code == "unsupported-operations"


def test_parts_on_the_cpu_of_the_driver_and_on_litert(model):
    """Both are the CPU, and their kernels are told apart."""
    parts = divide(model, LEVEL, Device(lambda name, names: name == "SOFTMAX"))
    placement = place_parts(model, parts, "cpu", "nnapi")
    total = len(model.operators)
    assert placement.operations == {"cpu": total}
    assert placement.kernels == {"nnapi": total - 1, "litert": 1}
    assert placement.names["cpu"]["SOFTMAX"] == 1
