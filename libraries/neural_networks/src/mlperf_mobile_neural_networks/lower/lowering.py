"""Goes through a model's operators in their order, and adds each to the graph or says why it cannot be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile.errors import ModelError
from mlperf_mobile_neural_networks.graph import Graph
from mlperf_mobile_neural_networks.lower import (  # noqa: F401  they register their rules
    arithmetic,
    conversion,
    convolution,
    dense,
    detection,
    reduction,
    shape,
    slicing,
)
from mlperf_mobile_neural_networks.lower.builder import Builder, Refused
from mlperf_mobile_neural_networks.lower.op import Op
from mlperf_mobile_neural_networks.lower.rules import RULES
from mlperf_mobile_tflite_model.model_file import HINT
from mlperf_mobile_tflite_model.reader import Tensor, TFLiteModel

MAX_NAMED = 8
"""Operators that a message names at most."""


@dataclass(frozen=True, slots=True)
class Unsupported:
    """An operator that cannot be lowered."""

    index: int
    """In the .tflite file."""
    name: str
    reason: str

    def __str__(self) -> str:
        return f"{_printable(self.name)} (operator {self.index}: {_printable(self.reason, 200)})"


def lower(model: TFLiteModel, feature_level: int) -> Graph:
    """The model as a graph.

    Constants of half precision, and 8-bit weights of operators that compute in float32 (dynamic-range quantisation),
    become float32: a runtime that quantises the other side in each run gives slightly different numbers. Shapes are
    those of the file. Operators with unused results are removed.

    Args:
        model: The model, or a part of it.
        feature_level: The feature level of the API that is to run the graph, 1 (Android 8.1) to 8.

    Raises:
        ModelError: ``unsupported-operations``, which names them and the reasons; ``model-damaged``.
    """
    builder, refused = _lowered(model, feature_level)
    if refused:
        named = [str(entry) for entry in _first_of_each_kind(refused)]
        more = f", and {len(refused) - len(named)} more" if len(named) < len(refused) else ""
        summary = f"{len(refused)} of {len(model.operators)} operators of {model.path} cannot run on feature level "
        hint = "choose another backend or another model, or let the CPU run them where the backend has an option for it"
        raise ModelError("unsupported-operations", f"{summary}{feature_level}: {'; '.join(named)}{more}", hint)
    _check_ends(model, builder)
    inputs, outputs = (tuple(map(builder.operand, indices)) for indices in (model.inputs, model.outputs))
    input_specs, output_specs = (
        tuple(spec(builder.tensors[index]) for index in indices) for indices in (model.inputs, model.outputs)
    )
    return Graph(builder.operands, builder.operations, inputs, outputs, input_specs, output_specs)


def unsupported(model: TFLiteModel, feature_level: int) -> tuple[Unsupported, ...]:
    """The operators that cannot be lowered, in their order.

    Raises:
        ModelError: ``model-damaged``.
    """
    return tuple(_lowered(model, feature_level)[1])


def spec(tensor: Tensor) -> TensorSpec:
    """What the contract says of a model's input or output."""
    assert tensor.dtype is not None
    scale, zero_point = (
        (tensor.scales[0], tensor.zero_points[0]) if tensor.dtype.itemsize == 1 and tensor.scales else (0.0, 0)
    )
    return TensorSpec(tensor.name, tensor.shape, tensor.dtype, scale, zero_point)


def _lowered(model: TFLiteModel, feature_level: int) -> tuple[Builder, list[Unsupported]]:
    builder, needed = Builder(model, feature_level), _needed(model)
    refused = []
    for operator in model.operators:
        outputs = set(operator.outputs)
        if len(outputs) < len(operator.outputs) or any(map(builder.is_known, outputs)):
            summary = f"{model.path} is damaged: operator {operator.index} writes a tensor that has a value"
            raise ModelError("model-damaged", summary, HINT)
        try:
            if operator.index in needed and operator.name not in RULES:
                raise Refused("there is nothing like it in the API")
            if operator.index in needed:
                RULES[operator.name](Op(builder, operator))
        except Refused as reason:
            refused.append(Unsupported(operator.index, operator.name, str(reason)))
        builder.ready |= outputs
    return builder, refused


def _needed(model: TFLiteModel) -> set[int]:
    """Operators whose results are read; the shape for a RESHAPE is not, because the file has the result's."""
    read, needed = set(model.outputs), set()
    for operator in reversed(model.operators):
        if read.intersection(operator.outputs):
            needed.add(operator.index)
            read.update(operator.inputs[:1] if operator.name in {"BROADCAST_TO", "RESHAPE"} else operator.inputs)
    return needed


def _check_ends(model: TFLiteModel, builder: Builder) -> None:
    """Inputs and outputs are tensors that the API has, each listed once, and outputs are computed."""
    for what, indices in (("input", model.inputs), ("output", model.outputs)):
        times = Counter(indices)
        for index in indices:
            try:
                if times[index] > 1 or index < 0:
                    raise Refused("it is listed twice, or is not a tensor")
                builder.operand(index)
                if what == "output" and not builder.is_computed(index):
                    raise Refused("no operation computes it")
            except Refused as reason:
                summary = f"{what} {index} of {model.path} cannot be one of a graph for feature level {builder.level}"
                raise ModelError("unsupported-operations", f"{summary}: {reason}", "use another model") from reason


def _first_of_each_kind(refused: Sequence[Unsupported]) -> list[Unsupported]:
    """An example of each kind of operator, as many as a message holds."""
    firsts = {entry.name: entry for entry in reversed(refused)}
    return sorted(firsts.values(), key=lambda entry: entry.index)[:MAX_NAMED]


def _printable(text: str, length: int = 60) -> str:
    """A name from a file, as a message may show it."""
    return "".join(c if c.isprintable() else "?" for c in text[:length])
