"""Operations on elements, against numpy in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

Real = NDArray[np.float64]
RNG = np.random.default_rng(1)
# Codes of NeuralNetworksTypes.h, fuse code NONE where one is due.
BINARY: dict[str, tuple[int, bool, Callable[[Any, Any], Any]]] = {
    "ADD": (0, True, np.add),
    "SUB": (36, True, np.subtract),
    "MUL": (18, True, np.multiply),
    "DIV": (30, True, np.divide),
    "MAXIMUM": (65, False, np.maximum),
    "MINIMUM": (66, False, np.minimum),
    "PRELU": (71, False, lambda x, a: np.where(x >= 0, x, x * a)),
}
SHAPES = [
    ((2, 3, 4, 5), (2, 3, 4, 5)),
    ((2, 3, 4, 5), (5,)),
    ((4, 1, 5), (1, 3, 1)),
    ((1,), (7,)),
    ((3, 1, 1), (3, 4, 5)),
    ((1, 1), (1, 1)),
]


def real(*shape: int, low: float = -4, high: float = 4) -> NDArray[np.float32]:
    return RNG.uniform(low, high, shape).astype(np.float32)


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_binary_float(nnapi: Any, operand: Any, name: str, shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    code, fused, formula = BINARY[name]
    a, b = real(*shapes[0]), real(*shapes[1])
    shape = np.broadcast_shapes(*shapes)
    if name == "PRELU" and shape != a.shape:
        pytest.skip("alpha may not be larger than the input")
    (got,) = nnapi.compute(code, [a, b, *([0] if fused else [])], [operand(3, shape=shape)])
    np.testing.assert_allclose(got, formula(a.astype(np.float64), b.astype(np.float64)), rtol=1e-6)


@pytest.mark.parametrize(("fuse", "low", "high"), [(0, -np.inf, np.inf), (1, 0, np.inf), (2, -1, 1), (3, 0, 6)])
def test_fused_activation(nnapi: Any, operand: Any, fuse: int, low: float, high: float) -> None:
    a, b = real(40), real(40)
    (got,) = nnapi.compute(0, [a, b, fuse], [operand(3, shape=(40,))])
    np.testing.assert_array_equal(got, np.clip(a + b, np.float32(low), np.float32(high)))


@pytest.mark.parametrize("code", [5, 14])
@pytest.mark.parametrize("name", ["ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM", "PRELU"])
def test_binary_quantised(nnapi: Any, operand: Any, name: str, code: int) -> None:
    number, fused, formula = BINARY[name]
    least = 0 if code == 5 else -128
    dtype = np.uint8 if code == 5 else np.int8
    a, b = (RNG.integers(least, least + 256, (3, 50)).astype(dtype) for _ in range(2))
    middle = least + 120
    inputs = [operand(code, a, scale=0.05, zero=middle), operand(code, b, scale=0.03, zero=least + 7)]
    out = operand(code, shape=(3, 50), scale=0.0971, zero=middle)
    (got,) = nnapi.compute(number, [*inputs, *([1] if fused else [])], [out])
    value = formula((a.astype(np.float64) - middle) * 0.05, (b.astype(np.float64) - least - 7) * 0.03)
    if fused:
        value = np.maximum(value, 0)
    want = np.clip(np.round(value / 0.0971) + middle, least, least + 255)
    assert np.abs(got.astype(int) - want).max() <= 1  # ties may fall either way
    assert (got == want).mean() > 0.98


def test_int32_wraps_and_divides_down(nnapi: Any, operand: Any) -> None:
    a, b = np.array([7, -7, 7, -7, 2**31 - 1], np.int32), np.array([2, 2, -2, -2, 1], np.int32)
    (got,) = nnapi.compute(30, [a, b, 0], [operand(4, shape=(5,))])
    np.testing.assert_array_equal(got, a // b)
    (total,) = nnapi.compute(0, [a, b, 0], [operand(4, shape=(5,))])
    assert total[-1] == -(2**31)


def test_float16(nnapi: Any, operand: Any) -> None:
    a, b = real(2, 9).astype(np.float16), real(9).astype(np.float16)
    (got,) = nnapi.compute(18, [a, b, 0], [operand(8, shape=(2, 9))])
    np.testing.assert_array_equal(got, (a.astype(np.float32) * b.astype(np.float32)).astype(np.float16))


def test_every_float16_converts_both_ways(nnapi: Any, operand: Any) -> None:
    every = np.arange(65536, dtype=np.uint16).view(np.float16)
    (wide,) = nnapi.compute(45, [every], [operand(3, shape=(65536,))])
    np.testing.assert_array_equal(wide, every.astype(np.float32))
    values = np.concatenate(
        [np.float32([65519, 65520, 2**-25, 2**-24, 1e-9, -0.0, np.inf]), real(5000, low=-1e-4, high=1e-4), real(5000)]
    )
    (narrow,) = nnapi.compute(45, [values], [operand(8, shape=values.shape)])
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(narrow.view(np.uint16), values.astype(np.float16).view(np.uint16))


COMPARE = {48: np.equal, 68: np.not_equal, 53: np.greater, 54: np.greater_equal, 58: np.less, 59: np.less_equal}


@pytest.mark.parametrize("code", COMPARE)
def test_compare(nnapi: Any, operand: Any, code: int) -> None:
    for a, b in [
        (RNG.integers(0, 3, (4, 5)).astype(np.int32), RNG.integers(0, 3, (5,)).astype(np.int32)),
        (RNG.integers(0, 3, (4, 5)).astype(np.float32), RNG.integers(0, 3, (4, 1)).astype(np.float32)),
    ]:
        (got,) = nnapi.compute(code, [a, b], [operand(9, shape=(4, 5))])
        np.testing.assert_array_equal(got, COMPARE[code](a, b))
    q = [
        operand(5, np.arange(6, dtype=np.uint8), scale=0.5, zero=0),
        operand(5, np.full(6, 4, np.uint8), scale=0.25, zero=0),
    ]
    (got,) = nnapi.compute(code, q, [operand(9, shape=(6,))])
    np.testing.assert_array_equal(got, COMPARE[code](np.arange(6) * 0.5, 1.0))


def test_logic_and_select(nnapi: Any, operand: Any) -> None:
    a, b = np.array([0, 0, 1, 1], bool), np.array([0, 1, 0, 1], bool)
    out = [operand(9, shape=(4,))]
    np.testing.assert_array_equal(nnapi.compute(60 + 1, [a, b], out)[0], a & b)
    np.testing.assert_array_equal(nnapi.compute(63, [a, b], out)[0], a | b)
    np.testing.assert_array_equal(nnapi.compute(62, [a], out)[0], ~a)
    x, y = real(4), real(4)
    np.testing.assert_array_equal(nnapi.compute(84, [a, x, y], [operand(3, shape=(4,))])[0], np.where(a, x, y))


UNARY: dict[str, tuple[int, float, float, Callable[[Real], Real]]] = {
    "RELU": (19, -3, 3, lambda x: np.maximum(x, 0)),
    "RELU1": (20, -3, 3, lambda x: np.clip(x, -1, 1)),
    "RELU6": (21, -3, 9, lambda x: np.clip(x, 0, 6)),
    "TANH": (28, -6, 6, np.tanh),
    "LOGISTIC": (14, -20, 20, lambda x: 1 / (1 + np.exp(-x))),
    "ABS": (38, -3, 3, np.abs),
    "NEG": (67, -3, 3, np.negative),
    "FLOOR": (8, -9, 9, np.floor),
    "EXP": (49, -9, 9, np.exp),
    "LOG": (60, 0.01, 9, np.log),
    "SQRT": (88, 0.01, 9, np.sqrt),
    "RSQRT": (83, 0.01, 9, lambda x: 1 / np.sqrt(x)),
    "SIN": (85, -9, 9, np.sin),
    "HARD_SWISH": (99, -5, 5, lambda x: x * np.clip(x + 3, 0, 6) / 6),
}


@pytest.mark.parametrize("name", UNARY)
def test_unary(nnapi: Any, operand: Any, name: str) -> None:
    code, low, high, formula = UNARY[name]
    x = real(3, 70, low=low, high=high)
    (got,) = nnapi.compute(code, [x], [operand(3, shape=x.shape)])
    np.testing.assert_allclose(got, formula(x.astype(np.float64)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "scale", "zero"),
    [("LOGISTIC", 1 / 256, -128), ("TANH", 1 / 128, 0), ("HARD_SWISH", 0.05, -20), ("RELU6", 0.06, -3)],
)
def test_unary_quantised(nnapi: Any, operand: Any, name: str, scale: float, zero: int) -> None:
    code, _, _, formula = UNARY[name]
    every = np.arange(-128, 128, dtype=np.int8)
    (got,) = nnapi.compute(
        code, [operand(14, every, scale=0.06, zero=-3)], [operand(14, shape=(256,), scale=scale, zero=zero)]
    )
    want = np.clip(np.round(formula((every.astype(np.float64) + 3) * 0.06) / scale) + zero, -128, 127)
    assert np.abs(got - want).max() <= 1
    assert (got == want).mean() > 0.98


def test_elu(nnapi: Any, operand: Any) -> None:
    x = real(50)
    (got,) = nnapi.compute(98, [x, 0.7], [operand(3, shape=x.shape)])
    np.testing.assert_allclose(got, np.where(x >= 0, x, 0.7 * np.expm1(x.astype(np.float64))), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(("code", "zero"), [(5, 100), (14, -28)])
def test_quantise_and_back(nnapi: Any, operand: Any, code: int, zero: int) -> None:
    x = np.concatenate([real(500, low=-9, high=9), np.float32([1e9, -1e9, 0, 0.025, -0.025])])
    (got,) = nnapi.compute(72, [x], [operand(code, shape=x.shape, scale=0.05, zero=zero)])
    least = 0 if code == 5 else -128
    exact = x.astype(np.float64) / np.float32(0.05)
    want = np.clip(np.trunc(exact + np.copysign(0.5, exact)) + zero, least, least + 255)
    np.testing.assert_array_equal(got, want)
    (back,) = nnapi.compute(6, [operand(code, got, scale=0.05, zero=zero)], [operand(3, shape=x.shape)])
    np.testing.assert_allclose(back, (got.astype(np.float64) - zero) * np.float32(0.05), rtol=1e-6)


def test_dequantise_per_channel(nnapi: Any, operand: Any) -> None:
    q = RNG.integers(-127, 128, (2, 3, 4)).astype(np.int8)
    scales = [0.5, 0.25, 0.125]
    (got,) = nnapi.compute(6, [operand(11, q, scales=scales, channel=1)], [operand(3, shape=q.shape)])
    np.testing.assert_array_equal(got, q * np.array(scales)[None, :, None])


def test_cast(nnapi: Any, operand: Any) -> None:
    x = np.float32([-1.7, -0.2, 0, 1.9, 300, -1e20, 1e20])
    (ints,) = nnapi.compute(45, [x], [operand(4, shape=x.shape)])
    np.testing.assert_array_equal(ints, [-1, 0, 0, 1, 300, -(2**31), 2**31 - 1])
    (bytes_,) = nnapi.compute(45, [x], [operand(5, shape=x.shape, scale=0.5, zero=3)])
    np.testing.assert_array_equal(bytes_, [0, 0, 0, 1, 255, 0, 255])
