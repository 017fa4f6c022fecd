"""What a driver's answer about a network's operations says about the operators of the model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from mlperf_mobile.contracts import Placement
from mlperf_mobile.errors import ModelError
from mlperf_mobile_neural_networks.graph import Graph, Operation


def refused(graph: Graph, supported: Sequence[bool]) -> tuple[Operation, ...]:
    """The operations that the device does not take.

    Args:
        graph: The network that was queried.
        supported: The driver's answer, one for each operation.
    """
    return tuple(op for op, taken in zip(graph.operations, supported, strict=True) if not taken)


def check_supported(graph: Graph, supported: Sequence[bool], model: str, device: str) -> None:
    """Nothing may be left over.

    Raises:
        ModelError: ``unsupported-operations``; names them.
    """
    if left := refused(graph, supported):
        names = place(left, device).names[device]
        counts = ", ".join(f"{count} {name}" for name, count in sorted(names.items()))
        all_of_them = len(_names(graph.operations))
        summary = f"{device} does not support {sum(names.values())} of {all_of_them} operators of {model}: {counts}"
        hint = "set partial=true and strict_placement=false to run them on the CPU, or use another device"
        raise ModelError("unsupported-operations", summary, hint)


def place(operations: Sequence[Operation], accelerator: str, library: str = "") -> Placement:
    """The operators of the model, as TensorFlow Lite names them, all on one accelerator, by the kernels of ``library``.

    Operators that lowering computed ahead of time or merged into nothing do not run, and are not counted.
    """
    names = _names(operations)
    kernels = {library: len(names)} if library else {}
    return Placement({accelerator: len(names)}, kernels, {accelerator: dict(Counter(names.values()))})


def _names(operations: Iterable[Operation]) -> dict[int, str]:
    """The names of the operators in the model that the operations come from, by index."""
    return {source: operation.name for operation in operations for source in operation.sources}
