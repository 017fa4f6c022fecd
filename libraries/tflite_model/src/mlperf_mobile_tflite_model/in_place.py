"""Which outputs of a file's signatures may share memory with their inputs: those that replace a slice of them."""

from __future__ import annotations

from pathlib import Path

from mlperf_mobile.errors import ModelError
from mlperf_mobile_tflite_model.flatbuffer import Damaged, Data, Table
from mlperf_mobile_tflite_model.model_file import HINT, check_data, mapped_file
from mlperf_mobile_tflite_model.options import OPERATORS

_UPDATE = OPERATORS.split().index("DYNAMIC_UPDATE_SLICE")


def updates_slices(path: Path, prefix: str) -> bool:
    """Whether every tensor of some names is updated in place if a runtime gives its input and output the same memory.

    It is if a single operation reads the input, a DYNAMIC_UPDATE_SLICE that writes the output: the kernel copies the
    operand only to another place (tensorflow/lite/kernels/dynamic_update_slice.cc), and nothing can read the input
    after it, in whatever order a delegate runs the operations.

    Args:
        path: The file.
        prefix: What the names begin with that a signature has among its inputs and its outputs: ``kv_cache_``.

    Returns:
        False also if no signature has such a name.

    Raises:
        ModelError: The file is missing, no TensorFlow Lite model, or damaged.
    """
    with mapped_file(path) as data:
        check_data(data, path)
        try:
            model = Table(data, int.from_bytes(data[:4], "little"))
            codes = [max(code.number(0, "<b"), code.number(3, "<i")) for code in model.tables(1)]
            graphs = list(model.tables(2))
            found = [
                _updated(graphs[signature.number(4, "<I")], codes, given, returned)
                for signature in model.tables(7)
                for given, returned in _pairs(signature, prefix, data)
            ]
            return bool(found) and all(found)
        except (Damaged, IndexError) as damage:
            raise ModelError("model-damaged", f"{path} is damaged: {damage}", HINT) from damage


def _pairs(signature: Table, prefix: str, data: Data) -> list[tuple[int, int]]:
    """The tensors, in and out, of every name that a signature has on both sides."""
    given, returned = (
        {name: end.number(1, "<I") for end in signature.tables(side) if (name := _name(end, data)).startswith(prefix)}
        for side in (0, 1)
    )
    return [(given[name], returned[name]) for name in given.keys() & returned.keys()]


def _updated(graph: Table, codes: list[int], given: int, returned: int) -> bool:
    readers = [operator for operator in graph.tables(3) if given in operator.integers(1)]
    if len(readers) != 1:
        return False
    (only,) = readers
    inputs = only.integers(1)
    return (
        codes[only.number(0, "<I")] == _UPDATE
        and inputs.count(given) == 1
        and inputs[0] == given
        and only.integers(2) == (returned,)
    )


def _name(end: Table, data: Data) -> str:
    start, size = end.vector(0)
    return bytes(data[start : start + size]).decode("utf-8", "replace")
