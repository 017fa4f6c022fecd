"""Divides a model between a device and the CPU, by what the device says it takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from mlperf_mobile.contracts import Placement
from mlperf_mobile.errors import ModelError
from mlperf_mobile_neural_networks.graph import Graph
from mlperf_mobile_neural_networks.lower import lower, unsupported
from mlperf_mobile_neural_networks.placement import place, refused
from mlperf_mobile_neural_networks.split import Segment, part, segments
from mlperf_mobile_tflite_model.reader import TFLiteModel

Ask = Callable[[Graph], Sequence[bool]]
"""Returns whether the device supports each operation of a network, in their order."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a model."""

    segment: Segment
    graph: Graph | None
    """None on the CPU."""


def divide(model: TFLiteModel, feature_level: int, ask: Ask) -> tuple[Part, ...]:
    """The parts, in the order of running.

    Support of an operation may depend on the others, so the device is queried until it supports its whole part.

    Raises:
        ModelError: ``unsupported-operations``: the device takes nothing, or the model cannot be divided.
        BackendError: The driver failed.
    """
    taken = {operator.index for operator in model.operators}
    taken -= {each.index for each in unsupported(model, feature_level)}
    while True:
        found = segments(model, taken)
        parts = tuple(Part(each, _graph(model, each, feature_level)) for each in found)
        left = {
            source
            for each in parts
            if each.graph
            for op in refused(each.graph, ask(each.graph))
            for source in op.sources
        }
        if not left:
            break
        if not left & taken:
            names = ", ".join(sorted({model.operators[index].name for index in left}))
            raise ModelError(
                "unsupported-operations", f"{model.path} cannot be divided at {names}", "leave out partial"
            )
        taken -= left
    if not any(each.graph for each in parts):
        summary = f"the device supports none of the operations of {model.path}"
        raise ModelError("unsupported-operations", summary, "use the backend tflite, or another device")
    return parts


def place_parts(model: TFLiteModel, parts: Iterable[Part], accelerator: str, library: str) -> Placement:
    """Where the operators of a model in parts run; see :func:`place`."""
    operations = [operation for each in parts if each.graph for operation in each.graph.operations]
    device = place(operations, accelerator, library)
    cpu = Counter(model.operators[index].name for each in parts if not each.graph for index in each.segment.operators)
    if not cpu:
        return device
    if accelerator == "cpu":
        cpu += Counter(device.names["cpu"])
    count = cpu.total()
    return Placement(
        {**device.operations, "cpu": count},
        {**device.kernels, "litert": count - (device.operations["cpu"] if accelerator == "cpu" else 0)},
        {**device.names, "cpu": dict(cpu)},
    )


def _graph(model: TFLiteModel, segment: Segment, feature_level: int) -> Graph | None:
    return lower(part(model, segment), feature_level) if segment.on_device else None
