"""Models whose tensors may be updated in place: by what reads and writes them, after LiteRT's own schema."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlperf_mobile.errors import ModelError
from mlperf_mobile_tflite_model.in_place import updates_slices

MODELS = Path(__file__).parents[3] / "plugins" / "backend_tflite" / "tests" / "models" / "language"
CACHE = "kv_cache_"


@pytest.mark.parametrize(
    ("name", "updates"), [("language_model_slices", True), ("language_model", False), ("../add", False)]
)
def test_models(name: str, updates: bool) -> None:
    """Slices are replaced; rows are written by a product; there are no signatures."""
    assert updates_slices(MODELS / f"{name}.tflite", CACHE) is updates
    assert not updates_slices(MODELS / f"{name}.tflite", "cache_")


def read_twice(graph: Any, update: Any) -> None:
    """The operation before the first update reads the cache, too."""
    other = next(each for each in graph.operators if each is not update)
    other.inputs = [*other.inputs, update.inputs[0]]


def from_elsewhere(graph: Any, update: Any) -> None:
    """What is updated is another tensor, and the cache is the update."""
    update.inputs = [update.inputs[1], update.inputs[0], update.inputs[2]]


def to_elsewhere(graph: Any, update: Any) -> None:
    """The output of the signature is another tensor."""
    update.outputs = [len(graph.tensors) - 1]


@pytest.mark.parametrize("change", [read_twice, from_elsewhere, to_elsewhere])
@pytest.mark.parametrize("number", [0, 2])
def test_a_single_other_use_is_enough(change: Callable[[Any, Any], None], number: int, tmp_path: Path) -> None:
    """In any of the signatures."""
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    flatbuffers = pytest.importorskip("flatbuffers")
    model = schema.ModelT.InitFromPackedBuf((MODELS / "language_model_slices.tflite").read_bytes(), 0)
    graph = model.subgraphs[number]
    codes = [code.builtinCode for code in model.operatorCodes]
    kind = schema.BuiltinOperator.DYNAMIC_UPDATE_SLICE
    change(graph, next(each for each in graph.operators if codes[each.opcodeIndex] == kind))
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    path = tmp_path / "changed.tflite"
    path.write_bytes(bytes(builder.Output()))
    assert not updates_slices(path, CACHE)


def test_a_damaged_file(tmp_path: Path) -> None:
    path = tmp_path / "cut.tflite"
    path.write_bytes((MODELS / "language_model_slices.tflite").read_bytes()[:-2000])
    with pytest.raises(ModelError):
        updates_slices(path, CACHE)
