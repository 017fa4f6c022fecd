"""Symbols in an ONNX model's input shapes: sized by name, or refused before anything is compiled."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlperf_mobile.backend_checks import OpenShapes
from mlperf_mobile.errors import ModelError
from mlperf_mobile_backend_snpe.qnn import onnx_file

Dimensions = list[int | str]


@pytest.fixture
def model(onnx: Any) -> Callable[..., Any]:
    """``model(a=["N", 4])``: a model of these inputs."""

    def model(**inputs: Dimensions) -> Any:
        kind = onnx.TensorProto.FLOAT
        ends = [onnx.helper.make_tensor_value_info(name, kind, shape) for name, shape in inputs.items()]
        return onnx.helper.make_model(onnx.helper.make_graph([], "g", ends, ends))

    return model


def free(model: Any, batch: int = 1, **asked: tuple[int, ...]) -> dict[str, int]:
    return onnx_file.free_dimensions(model, Path("m.onnx"), batch, asked)


@pytest.mark.parametrize(
    ("inputs", "asked", "expected"),
    [
        ({"a": ["N", "H", "W", 3]}, {"a": (1, 8, 9, 3)}, {"N": 1, "H": 8, "W": 9}),
        ({"a": ["N", "L"], "b": ["N", "L"]}, {"a": (1, 7)}, {"N": 1, "L": 7}),
        ({"a": ["N", "L"], "b": ["N", "K"]}, {"a": (1, 7), "b": (1, 5)}, {"N": 1, "L": 7, "K": 5}),
        ({"a": [1, "L"]}, {"a": (1, 7)}, {"L": 7}),
        ({"a": ["T", 80]}, {"a": (100, 80)}, {"T": 100}),
        ({"a": [1, 4]}, {"a": (1, 4)}, {}),
    ],
)
def test_symbols_get_the_requested_sizes(model: Any, inputs: Any, asked: Any, expected: dict[str, int]) -> None:
    assert free(model(**inputs), **asked) == expected


def test_the_first_symbol_counts_samples(model: Any) -> None:
    assert free(model(a=["N", "L"]), 3, a=(1, 7)) == {"N": 3, "L": 7}


@pytest.mark.parametrize(
    ("inputs", "asked", "told"),
    [
        ({"a": ["N", "H", "W", 3]}, {}, "a float32[1,?,?,3]"),
        ({"a": ["N", "L"], "b": ["N", "K"]}, {"a": (1, 7)}, "b float32[1,?]"),
        ({"a": ["L"]}, {}, "a float32[?]"),
    ],
)
def test_symbols_without_a_size_are_refused_by_name(model: Any, inputs: Any, asked: Any, told: str) -> None:
    with pytest.raises(OpenShapes) as error:
        free(model(**inputs), **asked)
    assert error.value.code == "open-shape"
    assert error.value.summary.endswith(told)


@pytest.mark.parametrize(
    ("inputs", "asked"),
    [
        ({"a": [1, 4]}, {"a": (1, 5)}),
        ({"a": ["N", "L"]}, {"a": (1, 5, 1)}),
        ({"a": ["N", "L"]}, {"b": (1, 5)}),
        ({"a": ["N", "L"], "b": ["N", "L"]}, {"a": (1, 7), "b": (1, 8)}),
        ({"a": ["N", "S", "S", 3]}, {"a": (1, 8, 9, 3)}),
    ],
)
def test_sizes_that_do_not_fit(model: Any, inputs: Any, asked: Any) -> None:
    with pytest.raises(ModelError) as error:
        free(model(**inputs), **asked)
    assert error.value.code == "input-shapes"
