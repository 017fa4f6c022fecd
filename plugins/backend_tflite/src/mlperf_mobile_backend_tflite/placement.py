"""Reads from a loaded interpreter which kernel runs each operation: evidence, not intent.

A delegate replaces operations by one node per partition. The interpreter then lists the operations as they were,
and after them the nodes ``DELEGATE``, each with the tensors that enter and leave its partition.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from mlperf_mobile.contracts import Placement
from mlperf_mobile_backend_tflite.runtime import Interpreter

Partition = tuple[tuple[int, ...], tuple[int, ...]]
"""The tensors that enter and leave one delegated partition."""

_DELEGATE = "DELEGATE"


class Node(NamedTuple):
    """An operation of the model or a delegate's node, with the indices of its tensors; -1 for an absent one."""

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def read_nodes(interpreter: Interpreter) -> list[Node]:
    """All nodes of the main subgraph; empty if this runtime does not report them."""
    try:
        # A private method of both runtimes; no public one exists. It raises ValueError for unknown tensor types.
        details: list[dict[str, Any]] = interpreter._get_ops_details()  # type: ignore[attr-defined]
        return [Node(d["op_name"], tuple(map(int, d["inputs"])), tuple(map(int, d["outputs"]))) for d in details]
    except (AttributeError, KeyError, ValueError):
        return []


def partitions(nodes: Sequence[Node]) -> frozenset[Partition]:
    """The delegated partitions among ``nodes``."""
    return frozenset((node.inputs, node.outputs) for node in nodes if node.name == _DELEGATE)


def place(
    nodes: Sequence[Node],
    outputs: Sequence[int],
    external: frozenset[Partition],
    has_memory: Callable[[int], bool],
) -> Placement:
    """Count where the operations run.

    Args:
        nodes: The nodes from :func:`read_nodes`.
        outputs: The model's output tensors.
        external: The partitions that belong to an external delegate; all others are XNNPACK's.
        has_memory: Whether a tensor has its own memory in the interpreter.
    """
    operations = [node for node in nodes if node.name != _DELEGATE]
    kernels: dict[int, str] = {}
    for partition in partitions(nodes):
        covered = _covered(operations, partition)
        kernels |= dict.fromkeys(covered, "delegate" if partition in external else "xnnpack")
    kernels |= dict.fromkeys(_executed(operations, nodes, kernels, outputs, has_memory), "builtin")
    names: dict[str, Counter[str]] = {}
    for index, kernel in sorted(kernels.items()):
        names.setdefault("delegate" if kernel == "delegate" else "cpu", Counter())[operations[index].name] += 1
    return Placement(
        operations={accelerator: sum(counts.values()) for accelerator, counts in names.items()},
        kernels=dict(Counter(kernels.values())),
        names={accelerator: dict(counts) for accelerator, counts in names.items()},
    )


def _covered(operations: Sequence[Node], partition: Partition) -> set[int]:
    """The operations inside a partition: backwards from its outputs to its inputs."""
    entering, leaving = partition
    producer = {tensor: index for index, node in enumerate(operations) for tensor in node.outputs}
    seen, pending, found = set(entering) | {-1}, list(leaving), set()
    while pending:
        tensor = pending.pop()
        if tensor in seen or tensor not in producer:
            continue
        index = producer[tensor]
        found.add(index)
        seen.update(operations[index].outputs)
        pending += operations[index].inputs
    return found


def _executed(
    operations: Sequence[Node],
    nodes: Sequence[Node],
    covered: dict[int, str],
    outputs: Sequence[int],
    has_memory: Callable[[int], bool],
) -> list[int]:
    """The operations that the interpreter itself runs: those in no partition.

    An operation with unused results may be hidden inside a partition; it is if its results have no memory.
    """
    read = {*outputs, *(tensor for node in nodes if node.name == _DELEGATE for tensor in node.inputs)}
    executed = []
    for index in reversed(range(len(operations))):
        node = operations[index]
        if index not in covered and (not read.isdisjoint(node.outputs) or any(map(has_memory, node.outputs))):
            executed.append(index)
            read.update(node.inputs)
    return executed
