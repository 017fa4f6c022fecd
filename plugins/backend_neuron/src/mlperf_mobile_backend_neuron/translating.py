"""Replaces operations that the Neuron adapter lacks with supported ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mlperf_mobile_neural_networks.codes import OperandCode, OperationCode
from mlperf_mobile_neural_networks.graph import Graph, Operand, Operation


def translate(graph: Graph) -> Graph:
    """An equivalent network: ``EMBEDDING_LOOKUP(indices, table)`` is ``GATHER(table, axis 0, indices)``."""
    if all(operation.code != OperationCode.EMBEDDING_LOOKUP for operation in graph.operations):
        return graph
    axis = len(graph.operands)
    zero = Operand(OperandCode.INT32, value=np.zeros((), np.int32))
    operations = [_gather(operation, axis) for operation in graph.operations]
    return replace(graph, operands=[*graph.operands, zero], operations=operations)


def _gather(operation: Operation, axis: int) -> Operation:
    if operation.code != OperationCode.EMBEDDING_LOOKUP:
        return operation
    indices, table = operation.inputs
    return replace(operation, code=OperationCode.GATHER, inputs=(table, axis, indices))
