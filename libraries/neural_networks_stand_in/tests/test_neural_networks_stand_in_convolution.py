"""Convolutions, pools and matrix products, against LiteRT's reference kernels."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

RNG = np.random.default_rng(2)
SAME, VALID = 1, 2
# LiteRT's enumerations: padding SAME 0, VALID 1; activation NONE 0, RELU 1, RELU_N1_TO_1 2, RELU6 3 as in NNAPI.
LITERT_PADDING = {SAME: 0, VALID: 1}


def real(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def quantised(operand: Any, code: int, shape: tuple[int, ...], scale: float, zero: int, const: bool = False) -> Any:
    low = 0 if code == 5 else -128
    dtype = np.uint8 if code == 5 else np.int8
    return operand(code, RNG.integers(low, low + 256, shape).astype(dtype), scale=scale, zero=zero, const=const)


def agree(got: np.ndarray, want: np.ndarray) -> None:
    """Quantised results may differ by one where the exact value is near the middle of two."""
    assert got.shape == want.shape
    apart = np.abs(got.astype(int) - want.astype(int))
    assert apart.max() <= 1
    assert (apart == 0).mean() > 0.97
    assert want.std() > 5  # not all saturated


CASES = [
    # input, filter [out, h, w, in], stride, dilation, padding, fuse
    ((1, 9, 8, 3), (5, 3, 3, 3), (1, 1), (1, 1), SAME, 0),
    ((2, 11, 13, 16), (19, 3, 3, 16), (2, 2), (1, 1), SAME, 3),
    ((1, 12, 12, 7), (4, 1, 1, 7), (1, 1), (1, 1), VALID, 1),
    ((1, 14, 15, 4), (6, 3, 2, 4), (1, 2), (1, 1), VALID, 2),
    ((1, 17, 17, 5), (3, 3, 3, 5), (1, 1), (4, 2), SAME, 0),
    ((1, 5, 5, 2), (2, 5, 5, 2), (3, 3), (1, 1), SAME, 0),
    ((3, 1, 1, 40), (33, 1, 1, 40), (1, 1), (1, 1), VALID, 0),
]


def conv_options(
    stride: tuple[int, int], dilation: tuple[int, int], padding: int, fuse: int, **more: int
) -> dict[str, int]:
    return {
        "padding": LITERT_PADDING[padding], "strideH": stride[0], "strideW": stride[1], "dilationHFactor": dilation[0],
        "dilationWFactor": dilation[1], "fusedActivationFunction": fuse, **more,
    }  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("constant", [True, False])
def test_conv_float(nnapi: Any, operand: Any, litert: Any, case: Any, constant: bool) -> None:
    shape, filter_shape, stride, dilation, padding, fuse = case
    x, w, b = (
        operand(3, real(*shape)),
        operand(3, real(*filter_shape), const=constant),
        operand(3, real(filter_shape[0]), const=True),
    )
    (want,) = litert(
        "CONV_2D", ("Conv2DOptions", conv_options(stride, dilation, padding, fuse)), [x, w, b], [operand(3)]
    )
    inputs = [x, w, b, padding, stride[1], stride[0], fuse, False, dilation[1], dilation[0]]
    (got,) = nnapi.compute(3, inputs, [operand(3, shape=want.shape)])
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


def test_conv_explicit_padding(nnapi: Any, operand: Any, litert: Any) -> None:
    x, w, b = operand(3, real(1, 9, 8, 3)), operand(3, real(5, 3, 3, 3), const=True), operand(3, real(5), const=True)
    left, right, top, bottom = 1, 2, 0, 3
    padded = operand(3, np.pad(x.data, [(0, 0), (top, bottom), (left, right), (0, 0)]))
    options = conv_options((2, 1), (1, 1), VALID, 0)
    (want,) = litert("CONV_2D", ("Conv2DOptions", options), [padded, w, b], [operand(3)])
    (got,) = nnapi.compute(3, [x, w, b, left, right, top, bottom, 1, 2, 0], [operand(3, shape=want.shape)])
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


def test_conv_float16(nnapi: Any, operand: Any) -> None:
    x, w, b = (real(*s).astype(np.float16) for s in ((1, 6, 6, 4), (3, 3, 3, 4), (3,)))
    wide = [each.astype(np.float32) for each in (x, w, b)]
    rest = [SAME, 1, 1, 0]
    (want,) = nnapi.compute(
        3,
        [wide[0], operand(3, wide[1], const=True), operand(3, wide[2], const=True), *rest],
        [operand(3, shape=(1, 6, 6, 3))],
    )
    (got,) = nnapi.compute(
        3, [x, operand(8, w, const=True), operand(8, b, const=True), *rest], [operand(8, shape=(1, 6, 6, 3))]
    )
    np.testing.assert_array_equal(got, want.astype(np.float16))


def conv_quantised(operand: Any, case: Any, code: int, per_channel: bool, depthwise: bool = False) -> list[Any]:
    shape, filter_shape = case[:2]
    channels = filter_shape[3] if depthwise else filter_shape[0]
    x = quantised(operand, code, shape, 0.04, 110 if code == 5 else -5)
    if per_channel:
        scales = RNG.uniform(0.004, 0.03, channels).astype(np.float32)
        stored, channel = RNG.integers(-127, 128, filter_shape).astype(np.int8), 3 if depthwise else 0
        w = operand(11, stored, scales=[float(s) for s in scales], const=True, channel=channel)
        b = operand(
            4,
            RNG.integers(-3000, 3000, channels).astype(np.int32),
            const=True,
            scales=[float(np.float32(0.04) * s) for s in scales],
        )
    else:
        w = quantised(operand, code, filter_shape, 0.01, 121 if code == 5 else 0, const=True)
        scale = float(np.float32(0.04) * np.float32(0.01))
        b = operand(4, RNG.integers(-3000, 3000, channels).astype(np.int32), const=True, scale=scale)
    return [x, w, b]


def without_bias_scales(operand: Any, inputs: list[Any]) -> list[Any]:
    """NNAPI wants scale 0 for the bias of a per channel filter; LiteRT's model names the scales."""
    x, w, b = inputs
    return [x, w, operand(4, b.data, const=True, scale=b.scale) if b.code == 4 else b]


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize(("code", "per_channel"), [(14, True), (5, False)])
def test_conv_quantised(nnapi: Any, operand: Any, litert: Any, case: Any, code: int, per_channel: bool) -> None:
    _, filter_shape, stride, dilation, padding, fuse = case
    inputs = conv_quantised(operand, case, code, per_channel)
    spread = float(np.sqrt(np.prod(filter_shape[1:]))) * (0.05 if per_channel else 0.04)
    out = operand(code, scale=spread, zero=130 if code == 5 else 4)
    if fuse >= 2:
        out.scale = 0.06
    (want,) = litert(
        "CONV_2D", ("Conv2DOptions", conv_options(stride, dilation, padding, fuse)), inputs, [out], version=3
    )
    rest = [padding, stride[1], stride[0], fuse, False, dilation[1], dilation[0]]
    out.shape = want.shape
    (got,) = nnapi.compute(3, [*without_bias_scales(operand, inputs), *rest], [out])
    agree(got, want)


DEPTHWISE = [
    ((1, 9, 8, 6), (1, 3, 3, 6), (1, 1), (1, 1), SAME, 0),
    ((2, 11, 13, 16), (1, 3, 3, 32), (2, 2), (1, 1), SAME, 3),
    ((1, 17, 17, 5), (1, 3, 5, 5), (1, 1), (2, 3), VALID, 1),
]


@pytest.mark.parametrize("case", DEPTHWISE, ids=str)
def test_depthwise_float(nnapi: Any, operand: Any, litert: Any, case: Any) -> None:
    shape, filter_shape, stride, dilation, padding, fuse = case
    multiplier = filter_shape[3] // shape[3]
    x, w, b = (
        operand(3, real(*shape)),
        operand(3, real(*filter_shape), const=True),
        operand(3, real(filter_shape[3]), const=True),
    )
    options = conv_options(stride, dilation, padding, fuse, depthMultiplier=multiplier)
    (want,) = litert("DEPTHWISE_CONV_2D", ("DepthwiseConv2DOptions", options), [x, w, b], [operand(3)], version=2)
    inputs = [x, w, b, padding, stride[1], stride[0], multiplier, fuse, False, dilation[1], dilation[0]]
    (got,) = nnapi.compute(4, inputs, [operand(3, shape=want.shape)])
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("case", DEPTHWISE, ids=str)
@pytest.mark.parametrize(("code", "per_channel"), [(14, True), (5, False)])
def test_depthwise_quantised(nnapi: Any, operand: Any, litert: Any, case: Any, code: int, per_channel: bool) -> None:
    shape, filter_shape, stride, dilation, padding, fuse = case
    multiplier = filter_shape[3] // shape[3]
    inputs = conv_quantised(operand, case, code, per_channel, depthwise=True)
    out = operand(code, scale=0.06 if fuse >= 2 else 0.15, zero=100 if code == 5 else -20)
    options = conv_options(stride, dilation, padding, fuse, depthMultiplier=multiplier)
    (want,) = litert("DEPTHWISE_CONV_2D", ("DepthwiseConv2DOptions", options), inputs, [out], version=3)
    rest = [padding, stride[1], stride[0], multiplier, fuse, False, dilation[1], dilation[0]]
    out.shape = want.shape
    (got,) = nnapi.compute(4, [*without_bias_scales(operand, inputs), *rest], [out])
    agree(got, want)


@pytest.mark.parametrize("code", [3, 14])
def test_grouped_is_convolution_of_each_group(nnapi: Any, operand: Any, code: int) -> None:
    groups, shape, out_shape = 3, (2, 7, 6, 12), (2, 4, 3, 9)
    if code == 3:
        x, w, b = operand(3, real(*shape)), operand(3, real(9, 3, 3, 4), const=True), operand(3, real(9), const=True)
        out = operand(3, shape=out_shape)
    else:
        x, w, b = conv_quantised(operand, (shape, (9, 3, 3, 4)), code, per_channel=False)
        out = operand(code, shape=out_shape, scale=0.3, zero=3)
    rest = [SAME, 2, 2]
    (got,) = nnapi.compute(55, [x, w, b, *rest, groups, 1, False], [out])
    for g in range(groups):
        part = operand(code, x.data[..., g * 4 : g * 4 + 4], scale=x.scale, zero=x.zero)
        rows = slice(g * 3, g * 3 + 3)
        filter_part = operand(code, w.data[rows], scale=w.scale, zero=w.zero, const=True)
        bias_part = operand(b.code, b.data[rows], scale=b.scale, const=True)
        small = operand(code, shape=(2, 4, 3, 3), scale=out.scale, zero=out.zero)
        (want,) = nnapi.compute(3, [part, filter_part, bias_part, *rest, 1], [small])
        np.testing.assert_allclose(got[..., rows], want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("size", "stride", "padding"), [((10, 12), 2, SAME), ((5, 6), 1, SAME), ((11, 13), 2, VALID)])
@pytest.mark.parametrize("code", [3, 14])
def test_transpose_conv(
    nnapi: Any, operand: Any, litert: Any, size: tuple[int, int], stride: int, padding: int, code: int
) -> None:
    shape, filter_shape = (1, 5, 6, 4), (3, 3, 3, 4)
    out_shape = np.array([1, *size, 3], np.int32)
    if code == 3:
        x, w, b = operand(3, real(*shape)), operand(3, real(*filter_shape), const=True), operand(3, real(3), const=True)
        out = operand(3)
    else:
        x, w, b = conv_quantised(operand, (shape, filter_shape), code, per_channel=True)
        out = operand(code, scale=0.2, zero=-7)
    dims = operand(4, out_shape, const=True)
    options = {"padding": LITERT_PADDING[padding], "strideW": stride, "strideH": stride}
    (want,) = litert("TRANSPOSE_CONV", ("TransposeConvOptions", options), [dims, w, x, b], [out], version=3)
    out.shape = tuple(out_shape)
    inputs = [*without_bias_scales(operand, [x, w, b]), dims, padding, stride, stride, 0, False]
    (got,) = nnapi.compute(91, inputs, [out])
    if code == 3:
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)
    else:
        agree(got, want)


def test_transpose_conv_explicit_padding(nnapi: Any, operand: Any) -> None:
    x, w, b = operand(3, real(1, 5, 6, 4)), operand(3, real(3, 3, 3, 4), const=True), operand(3, real(3), const=True)
    (full,) = nnapi.compute(91, [x, w, b, 0, 0, 0, 0, 2, 2, 0, False], [operand(3, shape=(1, 11, 13, 3))])
    (cut,) = nnapi.compute(91, [x, w, b, 1, 0, 0, 1, 2, 2, 0, False], [operand(3, shape=(1, 10, 12, 3))])
    np.testing.assert_allclose(cut, full[:, :-1, 1:], rtol=1e-6)


POOLS = {"AVERAGE_POOL_2D": 1, "MAX_POOL_2D": 17, "L2_POOL_2D": 12}


@pytest.mark.parametrize(("name", "padding", "fuse"), [*product(POOLS, [SAME, VALID], [0, 3])])
def test_pool_float(nnapi: Any, operand: Any, litert: Any, name: str, padding: int, fuse: int) -> None:
    x = operand(3, real(2, 9, 11, 7) * 4)
    options = {
        "padding": LITERT_PADDING[padding],
        "strideW": 2,
        "strideH": 1,
        "filterWidth": 3,
        "filterHeight": 2,
        "fusedActivationFunction": fuse,
    }
    (want,) = litert(name, ("Pool2DOptions", options), [x], [operand(3)])
    (got,) = nnapi.compute(POOLS[name], [x, padding, 2, 1, 3, 2, fuse], [operand(3, shape=want.shape)])
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("name", "code"), [*product(["AVERAGE_POOL_2D", "MAX_POOL_2D"], [5, 14])])
def test_pool_quantised(nnapi: Any, operand: Any, litert: Any, name: str, code: int) -> None:
    x = quantised(operand, code, (1, 9, 11, 7), 0.05, 100 if code == 5 else -28)
    options = {
        "padding": 0,
        "strideW": 2,
        "strideH": 2,
        "filterWidth": 3,
        "filterHeight": 3,
        "fusedActivationFunction": 1,
    }
    out = operand(code, scale=x.scale, zero=x.zero)
    (want,) = litert(name, ("Pool2DOptions", options), [x], [out], version=2)
    out.shape = want.shape
    (got,) = nnapi.compute(POOLS[name], [x, SAME, 2, 2, 3, 3, 1], [out])
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("rows", [1, 7, 50])
@pytest.mark.parametrize("code", [3, 5, 14])
def test_fully_connected(nnapi: Any, operand: Any, litert: Any, rows: int, code: int) -> None:
    if code == 3:
        x, w, b = operand(3, real(rows, 65)), operand(3, real(37, 65), const=True), operand(3, real(37), const=True)
        out = operand(3, shape=(rows, 37))
    else:
        x, w, b = conv_quantised(operand, ((rows, 65), (37, 65)), code, per_channel=False)
        out = operand(code, shape=(rows, 37), scale=0.3, zero=120 if code == 5 else 9)
    (want,) = litert(
        "FULLY_CONNECTED", ("FullyConnectedOptions", {"fusedActivationFunction": 1}), [x, w, b], [out], version=4
    )
    (got,) = nnapi.compute(9, [x, w, b, 1], [out])
    if code == 3:
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)
    else:
        agree(got, want)


@pytest.mark.parametrize(("adj_x", "adj_y"), [*product([False, True], repeat=2)])
@pytest.mark.parametrize("kind", ["float", "int32", "int8"])
def test_batch_matmul(nnapi: Any, operand: Any, kind: str, adj_x: bool, adj_y: bool) -> None:
    x_shape = (2, 3, 9, 8) if adj_x else (2, 3, 8, 9)
    y_shape = (2, 3, 21, 9) if adj_y else (2, 3, 9, 21)
    if kind == "float":
        x, y, out = operand(3, real(*x_shape)), operand(3, real(*y_shape)), operand(3, shape=(2, 3, 8, 21))
    elif kind == "int32":
        x, y = (operand(4, RNG.integers(-99, 99, s).astype(np.int32)) for s in (x_shape, y_shape))
        out = operand(4, shape=(2, 3, 8, 21))
    else:
        x, y = quantised(operand, 14, x_shape, 0.04, 3), quantised(operand, 14, y_shape, 0.02, -9)
        out = operand(14, shape=(2, 3, 8, 21), scale=0.31, zero=2)
    a = (x.data.astype(np.float64) - x.zero) * (x.scale or 1)
    b = (y.data.astype(np.float64) - y.zero) * (y.scale or 1)
    want = (a.swapaxes(2, 3) if adj_x else a) @ (b.swapaxes(2, 3) if adj_y else b)
    (got,) = nnapi.compute(102, [x, y, adj_x, adj_y], [out])
    if kind == "int8":
        agree(got, np.clip(np.round(want / 0.31) + 2, -128, 127))
    else:
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)
