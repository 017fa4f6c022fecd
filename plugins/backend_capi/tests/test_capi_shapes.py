from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile.errors import BackendError
from mlperf_mobile_backend_capi.shapes import TensorDescription, of_model, parse, specs

F32, U8 = np.dtype(np.float32), np.dtype(np.uint8)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4", TensorDescription((4,))),
        ("1x224x224x3", TensorDescription((1, 224, 224, 3))),
        ("images:0:1x4", TensorDescription((1, 4), "images:0")),
        ("x:1x4@0.0078125,128", TensorDescription((1, 4), "x", 0.0078125, 128)),
        ("1x4@1e-3,-5", TensorDescription((1, 4), "", 0.001, -5)),
    ],
)
def test_shapes(text: str, expected: TensorDescription) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    "text", ["", "x", "1x", "x4", "0", "1x-4", "1X4", "1x4@", "1x4@0.5", "1x4@,1", "1x²", "1x4 ", "1x" * 9 + "1"]
)
def test_what_is_no_shape(text: str) -> None:
    with pytest.raises(ValueError, match="is not a shape such as"):
        parse(text)


@given(st.lists(st.integers(1, 10**9 - 1), min_size=1, max_size=8))
def test_every_shape_is_read(shape: list[int]) -> None:
    assert parse("x".join(map(str, shape))).shape == tuple(shape)


def test_flat_where_the_shape_is_unknown() -> None:
    told = [(F32, 4), (U8, 6)]
    assert specs("input", told, (), (), "m.dlc") == (
        TensorSpec("input0", (1, 4), F32),
        TensorSpec("input1", (1, 6), U8),
    )


def test_the_option_comes_before_the_model() -> None:
    model = [TensorDescription((2, 3), "x", 0.5, 3, U8)]
    assert specs("input", [(U8, 6)], (), model, "m.tflite") == (TensorSpec("x", (2, 3), U8, 0.5, 3),)
    assert specs("input", [(U8, 6)], ("1x6",), model, "m.tflite") == (TensorSpec("input0", (1, 6), U8),)


@pytest.mark.parametrize(
    ("option", "model", "says"),
    [
        (("1x5",), (), r"input 0 is float32\[1,5\] in the option inputs, but 4 elements of float32 in the library"),
        (("1x4", "1x4"), (), "the option inputs describes 2 inputs, but the library has 1"),
        ((), (TensorDescription((1, 5), dtype=F32),), r"input 0 is float32\[1,5\] in m.tflite"),
        ((), (TensorDescription((1, 4), dtype=U8),), r"input 0 is uint8\[1,4\] in m.tflite, but 4 elements of float32"),
    ],
)
def test_contradictions(option: tuple[str, ...], model: tuple[TensorDescription, ...], says: str) -> None:
    with pytest.raises(BackendError, match=says, check=lambda error: error.code == "capi-shape"):
        specs("input", [(F32, 4)], option, model, "m.tflite")


def test_tflite_models_tell_theirs() -> None:
    """This model adds uint8 and gives int8, with half steps around 10 and -118."""
    pytest.importorskip("mlperf_mobile_tflite_model")
    model = Path(__file__).parents[2] / "backend_tflite" / "tests" / "models" / "quantized.tflite"
    if not model.exists():
        pytest.skip("the models of backend_tflite's tests are not here")
    (x,), (y,) = of_model(model)
    assert (x.shape, x.dtype, x.scale, x.zero_point) == ((1, 4), U8, 0.5, 10)
    assert (y.shape, y.dtype, y.scale, y.zero_point) == ((1, 4), np.dtype(np.int8), 0.5, -118)


def test_other_models_tell_nothing(tmp_path: Path) -> None:
    assert of_model(tmp_path / "m.dlc") == ([], [])
