"""Cuts a model into parts that run on the device and parts that run on the CPU."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from mlperf_mobile.errors import ModelError
from mlperf_mobile_tflite_model.reader import Operator, TFLiteModel

MAX_SEGMENTS = 1000
"""Each costs a call of the device's or the CPU's runtime."""

MAX_ROUNDS = 100
"""Of looking for operators that follow their readers; what is not found by then runs by itself."""

_STATEFUL = {
    "ASSIGN_VARIABLE", "CALL_ONCE", "HASHTABLE", "HASHTABLE_FIND", "HASHTABLE_IMPORT", "HASHTABLE_SIZE",
    "READ_VARIABLE", "VAR_HANDLE",
}  # fmt: skip

_RANDOM = {"MULTINOMIAL", "RANDOM_STANDARD_NORMAL", "RANDOM_UNIFORM"}


@dataclass(frozen=True, slots=True)
class Segment:
    """Operators that run together, by their indices in the .tflite file."""

    on_device: bool
    operators: tuple[int, ...]
    inputs: tuple[int, ...]
    """Tensors that the model's inputs or earlier segments provide."""
    outputs: tuple[int, ...]
    """Tensors that later segments read, or that the model gives out."""


def segments(model: TFLiteModel, on_device: Collection[int]) -> list[Segment]:
    """The model in as few segments as a walk in the order of the data gives, in the order of running.

    An operator that reads constants alone, as one that unpacks weights, belongs to each segment that reads it, unless
    the device reads it and does not take it. Operators with unused results are removed.

    Args:
        model: The model.
        on_device: Operators that the device takes, and those that lowering computes by itself.

    Raises:
        ModelError: ``unsupported-operations``: operators share a state, or an output is not computed.
    """
    if stateful := sorted({operator.name for operator in model.operators} & _STATEFUL):
        summary = f"{model.path} cannot run in parts, because its operators {', '.join(stateful)} share a state"
        raise ModelError("unsupported-operations", summary, "run all of it on one backend")
    writer = {tensor: operator for operator in model.operators for tensor in operator.outputs}
    if missing := [tensor for tensor in model.outputs if tensor not in writer]:
        summary = f"output {missing[0]} of {model.path} is not computed"
        raise ModelError("unsupported-operations", summary, "run all of it on one backend")
    followers = _followers(model, on_device, writer)
    groups = _groups([o for o in model.operators if o.index not in followers], on_device, writer, followers)
    found, read = [], set(model.outputs)
    for is_on_device, operators in reversed(groups):
        members = _with_followers(operators, writer, followers)
        written = [tensor for operator in members for tensor in operator.outputs]
        outputs = tuple(tensor for tensor in dict.fromkeys(written) if tensor in read)
        if not outputs:
            continue
        known = writer.keys() | set(model.inputs)
        reads = dict.fromkeys(tensor for operator in members for tensor in operator.inputs if tensor in known)
        inputs = tuple(tensor for tensor in reads if tensor not in written)
        read |= set(inputs)
        found.append(Segment(is_on_device, tuple(operator.index for operator in members), inputs, outputs))
    return found[::-1]


def part(model: TFLiteModel, segment: Segment) -> TFLiteModel:
    """A segment as a model of its own, to be lowered."""
    members = set(segment.operators)
    operators = tuple(operator for operator in model.operators if operator.index in members)
    return replace(model, operators=operators, inputs=segment.inputs, outputs=segment.outputs)


def _followers(model: TFLiteModel, on_device: Collection[int], writer: dict[int, Operator]) -> set[int]:
    """Operators that compute constants from constants, where all that read them can have them."""
    kept_out: set[int] = set()
    for _ in range(MAX_ROUNDS):
        followers: set[int] = set()
        for operator in model.operators:
            is_constant = all(
                writer[tensor].index in followers if tensor in writer else model.tensors[tensor].data is not None
                for tensor in operator.inputs
                if tensor >= 0
            )
            is_free = operator.index not in kept_out and operator.name not in _RANDOM
            if is_constant and is_free and not set(operator.outputs) & set(model.outputs):
                followers.add(operator.index)
        for_device: set[int] = set()
        for operator in reversed(model.operators):
            if operator.index in for_device if operator.index in followers else operator.index in on_device:
                for_device |= {writer[tensor].index for tensor in operator.inputs if tensor in writer}
        misplaced = (followers & for_device) - set(on_device)
        if not misplaced:
            return followers
        kept_out |= misplaced
    return set()


def _groups(
    operators: Sequence[Operator], on_device: Collection[int], writer: dict[int, Operator], followers: set[int]
) -> list[tuple[bool, list[Operator]]]:
    """Operators by turns of the device and the CPU, each turn as long as the data allows."""
    done, left, turn = set(followers), list(operators), bool(operators) and operators[0].index in on_device
    groups: list[tuple[bool, list[Operator]]] = []
    while left:
        taken: list[Operator] = []
        for operator in left:  # in an order in which they can run, so that one pass takes all that it can
            is_ready = all(writer[tensor].index in done for tensor in operator.inputs if tensor in writer)
            if (operator.index in on_device) == turn and is_ready:
                taken.append(operator)
                done.add(operator.index)
        left = [operator for operator in left if operator.index not in done]
        if not taken and groups and not groups[-1][1]:
            raise ModelError(
                "model-damaged", f"operator {left[0].index} reads what is written later", "convert it again"
            )
        if len(groups) > MAX_SEGMENTS:
            summary = f"the model falls into more than {MAX_SEGMENTS} parts"
            raise ModelError("unsupported-operations", summary, "run all of it on one backend")
        groups.append((turn, taken))
        turn = not turn
    return groups


def _with_followers(operators: Iterable[Operator], writer: dict[int, Operator], followers: set[int]) -> list[Operator]:
    """The operators and what they need of those that follow their readers, in the file's order."""
    members = {operator.index: operator for operator in operators}
    pending = list(members.values())
    while pending:
        for tensor in pending.pop().inputs:
            source = writer.get(tensor)
            if source is not None and source.index in followers and source.index not in members:
                members[source.index] = source
                pending.append(source)
    return sorted(members.values(), key=lambda operator: operator.index)
