"""Moving elements, reductions, resizing and normalisation, against numpy and LiteRT's reference kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

RNG = np.random.default_rng(3)


def real(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def ints(*values: Any) -> np.ndarray:
    return np.array(values, np.int32)


@pytest.fixture
def run(nnapi: Any, operand: Any) -> Any:
    """``run(operation, x, rest, shape)``: with x as float32, as float16 and as int8; the float32 result.

    ``rest`` are scalars, or arrays that become constants. Elements are only moved, so that all types give the same.
    """

    def run(operation: int, x: np.ndarray, rest: list[Any], shape: tuple[int, ...]) -> np.ndarray:
        constants = [operand(4, each, const=True) if isinstance(each, np.ndarray) else each for each in rest]
        half = x.astype(np.float16).astype(np.float32)
        (got,) = nnapi.compute(operation, [half, *constants], [operand(3, shape=shape)])
        (as_half,) = nnapi.compute(operation, [half.astype(np.float16), *constants], [operand(8, shape=shape)])
        np.testing.assert_array_equal(as_half, got.astype(np.float16))
        stored = np.arange(x.size, dtype=np.int64).reshape(x.shape).astype(np.int8)
        bytes_in = operand(14, stored, scale=0.5, zero=0)
        (as_bytes,) = nnapi.compute(operation, [bytes_in, *constants], [operand(14, shape=shape, scale=0.5, zero=0)])
        numbered = (np.arange(x.size) % 256).reshape(x.shape).astype(np.float32)
        (as_numbers,) = nnapi.compute(operation, [numbered, *constants], [operand(3, shape=shape)])
        np.testing.assert_array_equal(as_bytes.view(np.uint8), as_numbers.astype(np.int64).astype(np.uint8))
        np.testing.assert_array_equal(x.astype(np.float16).astype(np.float32), half)
        return got.astype(np.float16)

    return run


def same(got: np.ndarray, want: np.ndarray) -> None:
    np.testing.assert_array_equal(got, want.astype(np.float16))


def test_reshape_family(run: Any) -> None:
    x = real(1, 6, 1, 4)
    same(run(22, x, [ints(2, -1, 3)], (2, 4, 3)), x.reshape(2, 4, 3))
    same(run(34, x, [ints(2)], (1, 6, 4)), x[:, :, 0])
    same(run(34, x, [], (6, 4)), x[0, :, 0])
    same(run(50, x, [-1], (1, 6, 1, 4, 1)), x[..., None])
    same(run(50, x, [0], (1, 1, 6, 1, 4)), x[None])


@pytest.mark.parametrize("order", [(0, 2, 1, 3), (3, 2, 1, 0), (1, 0, 3, 2), (0, 1, 2, 3)], ids=str)
def test_transpose(run: Any, order: tuple[int, ...]) -> None:
    x = real(2, 3, 4, 5)
    want = x.transpose(order)
    same(run(37, x, [ints(*order)], want.shape), want)


def test_transpose_without_order_reverses(run: Any) -> None:
    x = real(2, 3, 4)
    same(run(37, x, [], (4, 3, 2)), x.transpose())


def test_slices(run: Any) -> None:
    x = real(3, 7, 5)
    same(run(86, x, [ints(1, 2, 0), ints(2, -1, 4)], (2, 5, 4)), x[1:3, 2:, :4])
    same(run(35, x, [ints(0, -2, 4), ints(3, -7, 0), ints(2, -2, -1), 0, 0, 0], (2, 3, 4)), x[0:3:2, -2:-7:-2, 4:0:-1])
    same(run(35, x, [ints(0, 5, 1), ints(0, 6, 3), ints(1, 1, 1), 1, 1, 2], (3, 2)), x[:, 5, 1:3])
    same(run(35, x, [ints(9, 0, 0), ints(0, 99, -1), ints(-1, 3, 1), 1, 1, 0], (3, 3, 4)), x[::-1, 0:99:3, 0:-1])


def test_tile_reverse_gather(run: Any) -> None:
    x = real(2, 3, 4)
    same(run(89, x, [ints(2, 1, 3)], (4, 3, 12)), np.tile(x, (2, 1, 3)))
    same(run(105, x, [ints(1)], (2, 3, 4)), x[:, ::-1])
    indices = ints([2, 0], [1, 1])
    same(run(51, x, [1, indices], (2, 2, 2, 4)), np.take(x, indices, 1))


def test_embedding_lookup(nnapi: Any, operand: Any, error: Any) -> None:
    values, lookups = real(6, 2, 3), ints(5, 0, 5, 1)
    (got,) = nnapi.compute(7, [lookups, operand(3, values, const=True)], [operand(3, shape=(4, 2, 3))])
    np.testing.assert_array_equal(got, values[lookups])
    with pytest.raises(error, match="out of range"):
        nnapi.compute(7, [ints(6), values], [operand(3, shape=(1, 2, 3))])


def test_gather_out_of_range_fails_at_run_time(nnapi: Any, operand: Any, error: Any) -> None:
    with pytest.raises(error, match="GATHER") as caught:
        nnapi.compute(51, [real(3, 2), 0, ints(0, 3)], [operand(3, shape=(2, 2))])
    assert caught.value.code == 5  # OP_FAILED


@pytest.mark.parametrize("mode", [0, 1])
def test_mirror_pad(run: Any, mode: int) -> None:
    x = real(3, 4)
    pads = ints([2, 1], [0, 3])
    same(run(104, x, [pads, mode], (6, 7)), np.pad(x, pads, mode=("reflect", "symmetric")[mode]))


def test_pad(nnapi: Any, operand: Any) -> None:
    x, pads = real(2, 3, 4), ints([1, 0], [0, 2], [3, 1])
    constant = operand(4, pads, const=True)
    (got,) = nnapi.compute(32, [x, constant], [operand(3, shape=(3, 5, 8))])
    np.testing.assert_array_equal(got, np.pad(x, pads))
    (got,) = nnapi.compute(69, [x, constant, 2.5], [operand(3, shape=(3, 5, 8))])
    np.testing.assert_array_equal(got, np.pad(x, pads, constant_values=2.5))
    q = RNG.integers(0, 256, (2, 3, 4)).astype(np.uint8)
    out = operand(5, shape=(3, 5, 8), scale=0.5, zero=31)
    (got,) = nnapi.compute(32, [operand(5, q, scale=0.5, zero=31), constant], [out])
    np.testing.assert_array_equal(got, np.pad(q, pads, constant_values=31))
    (got,) = nnapi.compute(69, [operand(5, q, scale=0.5, zero=31), constant, 200], [out])
    np.testing.assert_array_equal(got, np.pad(q, pads, constant_values=200))


def test_concatenation(nnapi: Any, operand: Any) -> None:
    parts = [real(2, n, 3) for n in (1, 4, 2)]
    (got,) = nnapi.compute(2, [*parts, 1], [operand(3, shape=(2, 7, 3))])
    np.testing.assert_array_equal(got, np.concatenate(parts, 1))
    a, b = np.arange(12, dtype=np.int8).reshape(3, 4), np.arange(-30, -24, dtype=np.int8).reshape(3, 2)
    inputs = [operand(14, a, scale=0.5, zero=2), operand(14, b, scale=0.3, zero=-20), -1]
    (got,) = nnapi.compute(2, inputs, [operand(14, shape=(3, 6), scale=0.5, zero=2)])
    np.testing.assert_array_equal(got[:, :4], a)
    np.testing.assert_array_equal(got[:, 4:], np.round((b.astype(np.float64) + 20) * 0.3 / 0.5) + 2)


def test_split_and_pack(nnapi: Any, operand: Any) -> None:
    x = real(2, 6, 3)
    got = nnapi.compute(87, [x, 1, 3], [operand(3, shape=(2, 2, 3))] * 3)
    for part, want in zip(got, np.split(x, 3, 1), strict=True):
        np.testing.assert_array_equal(part, want)
    (packed,) = nnapi.compute(103, [1, got[0], got[1]], [operand(3, shape=(2, 2, 2, 3))])
    np.testing.assert_array_equal(packed, np.stack(got[:2], 1))


def test_fill(nnapi: Any, operand: Any) -> None:
    (got,) = nnapi.compute(51, [real(3, 2), 0, ints(1)], [operand(3, shape=(1, 2))])
    dims = operand(4, ints(2, 3), const=True)
    model_input_free = nnapi.model()
    try:
        a, value, out = (
            model_input_free.add(dims),
            model_input_free.add(7),
            model_input_free.add(operand(4, shape=(2, 3))),
        )
        x, twice = model_input_free.add(ints(1, 2, 3)), model_input_free.add(operand(4, shape=(2, 3)))
        none = model_input_free.add(0)
        model_input_free.operation(0, [out, x, none], [twice])  # operations may come in any order
        model_input_free.operation(100, [a, value], [out])
        model_input_free.finish([x], [twice])
        (got,) = model_input_free.run()
    finally:
        model_input_free.close()
    np.testing.assert_array_equal(got, [[8, 9, 10]] * 2)


def test_depth_and_space(run: Any, nnapi: Any, operand: Any, litert: Any) -> None:
    x = real(2, 4, 6, 8)
    for code, name, options, shape in [
        (5, "DEPTH_TO_SPACE", "DepthToSpaceOptions", (2, 8, 12, 2)),
        (26, "SPACE_TO_DEPTH", "SpaceToDepthOptions", (2, 2, 3, 32)),
    ]:
        (want,) = litert(name, (options, {"blockSize": 2}), [operand(3, x)], [operand(3)])
        same(run(code, x, [2], shape), want)


def test_batch_and_space(run: Any, operand: Any, litert: Any) -> None:
    x, block, pads = real(6, 4, 6, 3), ints(2, 3), ints([1, 1], [0, 3])
    (want,) = litert(
        "SPACE_TO_BATCH_ND",
        ("SpaceToBatchNDOptions", {}),
        [operand(3, x), operand(4, block, const=True), operand(4, pads, const=True)],
        [operand(3)],
    )
    half = run(33, x, [block, pads], want.shape)
    same(half, want)
    crops = operand(4, ints([0, 0], [0, 0]), const=True)
    (want,) = litert(
        "BATCH_TO_SPACE_ND",
        ("BatchToSpaceNDOptions", {}),
        [operand(3, x), operand(4, block, const=True), crops],
        [operand(3)],
    )
    same(run(29, x, [block], want.shape), want)


RESIZES = {
    "RESIZE_BILINEAR": (23, "ResizeBilinearOptions"),
    "RESIZE_NEAREST_NEIGHBOR": (94, "ResizeNearestNeighborOptions"),
}


@pytest.mark.parametrize("name", RESIZES)
@pytest.mark.parametrize(("align", "half"), [(False, False), (True, False), (False, True)])
@pytest.mark.parametrize("size", [(9, 14), (3, 2), (1, 1)], ids=str)
def test_resize(
    nnapi: Any, operand: Any, litert: Any, name: str, align: bool, half: bool, size: tuple[int, int]
) -> None:
    code, options = RESIZES[name]
    x = operand(3, real(2, 5, 6, 3))
    target = operand(4, ints(*size), const=True)
    (want,) = litert(
        name, (options, {"alignCorners": align, "halfPixelCenters": half}), [x, target], [operand(3)], version=3
    )
    (got,) = nnapi.compute(code, [x, size[1], size[0], False, align, half], [operand(3, shape=want.shape)])
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def test_resize_by_scale(nnapi: Any, operand: Any) -> None:
    x = real(1, 4, 6, 2)
    (a,) = nnapi.compute(23, [x, 1.5, 0.8], [operand(3, shape=(1, 3, 9, 2))])
    (b,) = nnapi.compute(23, [x, 9, 3], [operand(3, shape=(1, 3, 9, 2))])
    np.testing.assert_array_equal(a, b)


def test_resize_quantised(nnapi: Any, operand: Any, litert: Any) -> None:
    x = operand(14, RNG.integers(-128, 128, (1, 5, 6, 3)).astype(np.int8), scale=0.1, zero=3)
    out = operand(14, scale=0.1, zero=3)
    target = operand(4, ints(11, 7), const=True)
    (want,) = litert(
        "RESIZE_BILINEAR", ("ResizeBilinearOptions", {"halfPixelCenters": True}), [x, target], [out], version=3
    )
    out.shape = want.shape
    (got,) = nnapi.compute(23, [x, 7, 11, False, False, True], [out])
    assert np.abs(got.astype(int) - want).max() <= 1


REDUCE = {31: np.mean, 77: np.max, 78: np.min, 79: np.prod, 80: np.sum}


@pytest.mark.parametrize("code", REDUCE)
@pytest.mark.parametrize("axes", [(1, 2), (-1,), (0, 2), (0, 1, 2, 3), (3, 3)], ids=str)
@pytest.mark.parametrize("keep", [True, False])
def test_reduce(nnapi: Any, operand: Any, code: int, axes: tuple[int, ...], keep: bool) -> None:
    x = real(2, 3, 4, 5)
    want = REDUCE[code](x.astype(np.float64), axis=tuple(set(axes)), keepdims=keep)
    want = np.atleast_1d(want)
    flag: Any = int(keep) if code == 31 else keep
    (got,) = nnapi.compute(code, [x, operand(4, ints(*axes), const=True), flag], [operand(3, shape=want.shape)])
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def test_reduce_bool_and_mean_quantised(nnapi: Any, operand: Any) -> None:
    b = RNG.integers(0, 4, (3, 5)).astype(bool)
    axis = operand(4, ints(1), const=True)
    np.testing.assert_array_equal(nnapi.compute(75, [b, axis, False], [operand(9, shape=(3,))])[0], b.all(1))
    np.testing.assert_array_equal(nnapi.compute(76, [b, axis, False], [operand(9, shape=(3,))])[0], b.any(1))
    q = RNG.integers(0, 256, (3, 7)).astype(np.uint8)
    (got,) = nnapi.compute(31, [operand(5, q, scale=0.5, zero=9), axis, 0], [operand(5, shape=(3,), scale=0.5, zero=9)])
    assert np.abs(got - q.mean(1)).max() <= 0.5 + 1e-4


def test_arg_and_topk(nnapi: Any, operand: Any) -> None:
    x = RNG.integers(0, 6, (3, 4, 5)).astype(np.float32)  # with ties: the first counts
    for code, formula in ((39, np.argmax), (40, np.argmin)):
        (got,) = nnapi.compute(code, [x, 1], [operand(4, shape=(3, 5))])
        np.testing.assert_array_equal(got, formula(x, 1))
    values, indices = nnapi.compute(90, [x, 3], [operand(3, shape=(3, 4, 3)), operand(4, shape=(3, 4, 3))])
    order = np.argsort(-x, axis=2, kind="stable")[..., :3]
    np.testing.assert_array_equal(indices, order)
    np.testing.assert_array_equal(values, np.take_along_axis(x, order, 2))


@pytest.mark.parametrize("axis", [-1, 1])
def test_softmax(nnapi: Any, operand: Any, axis: int) -> None:
    x = real(2, 3, 4) * 5
    powers = np.exp((x - x.max()).astype(np.float64) * 0.8)
    want = powers / powers.sum(axis, keepdims=True)
    (got,) = nnapi.compute(25, [x, 0.8, axis], [operand(3, shape=x.shape)])
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-8)
    (logs,) = nnapi.compute(64, [x, 0.8, axis], [operand(3, shape=x.shape)])
    np.testing.assert_allclose(logs, np.log(want), rtol=1e-5, atol=1e-5)


def test_softmax_quantised(nnapi: Any, operand: Any, litert: Any) -> None:
    x = operand(14, RNG.integers(-128, 128, (6, 20)).astype(np.int8), scale=0.05, zero=4)
    out = operand(14, shape=(6, 20), scale=1 / 256, zero=-128)
    (want,) = litert("SOFTMAX", ("SoftmaxOptions", {"beta": 1.0}), [x], [out], version=2)
    (got,) = nnapi.compute(25, [x, 1.0], [out])
    assert np.abs(got.astype(int) - want).max() <= 1


def test_normalisation(nnapi: Any, operand: Any) -> None:
    x = real(2, 3, 4, 9)
    (got,) = nnapi.compute(11, [x], [operand(3, shape=x.shape)])
    np.testing.assert_allclose(got, x / np.linalg.norm(x, axis=-1, keepdims=True), rtol=1e-5)
    # NeuralNetworksTypes.h: the sum takes d - radius up to and with d + radius. LiteRT's reference leaves the last out.
    squares = np.pad(x.astype(np.float64) ** 2, [(0, 0)] * 3 + [(2, 2)])
    sums = sum(squares[..., i : i + 9] for i in range(5))
    want = x / (1.5 + 0.3 * sums) ** 0.7
    (got,) = nnapi.compute(13, [x, 2, 1.5, 0.3, 0.7], [operand(3, shape=x.shape)])
    np.testing.assert_allclose(got, want, rtol=1e-5)


def detect(scores: np.ndarray, boxes: np.ndarray, threshold: float, overlap: float) -> list[int]:
    """Plain non-maximum suppression, the best first."""
    kept: list[int] = []
    for i in np.argsort(-scores, kind="stable"):
        if scores[i] < threshold:
            break
        for j in kept:
            top, bottom = np.maximum(boxes[i, :2], boxes[j, :2]), np.minimum(boxes[i, 2:], boxes[j, 2:])
            both = np.prod(np.maximum(bottom - top, 0))
            areas = np.prod(boxes[i, 2:] - boxes[i, :2]) + np.prod(boxes[j, 2:] - boxes[j, :2])
            if both / (areas - both) > overlap:
                break
        else:
            kept.append(int(i))
    return kept


@pytest.mark.parametrize("regular", [True, False])
def test_detection(nnapi: Any, operand: Any, regular: bool) -> None:
    anchors_n, classes, most = 40, 4, 12
    scores = RNG.uniform(0, 1, (2, anchors_n, classes)).astype(np.float32)
    deltas = (RNG.standard_normal((2, anchors_n, 4)) * 2).astype(np.float32)
    anchors = np.concatenate([RNG.uniform(0.2, 0.8, (anchors_n, 2)), RNG.uniform(0.1, 0.4, (anchors_n, 2))], 1).astype(
        np.float32
    )
    inputs = [
        scores,
        deltas,
        operand(3, anchors, const=True),
        10.0,
        10.0,
        5.0,
        5.0,
        regular,
        most,
        1,
        5,
        0.3,
        0.4,
        False,
    ]
    outputs = [
        operand(3, shape=(2, most)),
        operand(3, shape=(2, most, 4)),
        operand(4, shape=(2, most)),
        operand(4, shape=(2,)),
    ]
    got = nnapi.compute(47, inputs, outputs)
    for batch in range(2):
        d = deltas[batch].astype(np.float64)
        centre = d[:, :2] / 10 * anchors[:, 2:] + anchors[:, :2]
        half = np.exp(d[:, 2:] / 5) * anchors[:, 2:] / 2
        boxes = np.concatenate([centre - half, centre + half], 1)
        found = []
        if regular:
            for c in range(1, classes):
                found += [(-scores[batch, i, c], i, c) for i in detect(scores[batch, :, c], boxes, 0.3, 0.4)[:5]]
            found = sorted(found)[:most]
        else:
            best = scores[batch, :, 1:].max(1)
            found = [
                (-best[i], i, int(scores[batch, i, 1:].argmax()) + 1) for i in detect(best, boxes, 0.3, 0.4)[:most]
            ]
        count = len(found)
        assert got[3][batch] == count > 3
        np.testing.assert_allclose(got[0][batch, :count], [-f[0] for f in found], rtol=1e-6)
        np.testing.assert_allclose(got[1][batch, :count], boxes[[f[1] for f in found]], rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(got[2][batch, :count], [f[2] - 1 for f in found])
