"""Every type of tensor: whole numbers go in unchanged or are refused, scores come out as their scales have them."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile.errors import DataError, ModelError
from mlperf_mobile_task_question_answering.options import TaskOptions
from mlperf_mobile_task_question_answering.task import QuestionAnswering
from mlperf_mobile_task_question_answering.window import Window

LENGTH = 16
INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
LARGEST = {"int8": 127, "uint8": 255, "int16": 32767, "uint16": 65535, "float16": 2048, "float32": 2**24}
"""The largest number up to which a type holds every whole one; wider types hold all tokens."""


def spec(dtype: str, name: str = "t", **scales: object) -> TensorSpec:
    return TensorSpec(name, (1, LENGTH), np.dtype(dtype), **scales)  # type: ignore[arg-type]


def inputs(ids: TensorSpec, other: str = "int32") -> list[TensorSpec]:
    return [ids, spec(other, "input_mask"), spec(other, "segment_ids")]


def window(*tokens: int) -> Window:
    ids = np.zeros(LENGTH, np.int32)
    ids[: len(tokens)] = tokens
    mask, segments = (np.arange(LENGTH) < len(tokens)).astype(np.int32), np.ones(LENGTH, np.int32)
    return Window(ids, mask, segments, "dev.json question 7")


@pytest.mark.parametrize("dtype", [*INTEGERS, "float16", "float32"])
def test_whole_numbers_go_in_unchanged(dtype: str) -> None:
    top = min(LARGEST.get(dtype, 2**31 - 1), 2**31 - 1)
    codec = QuestionAnswering(TaskOptions()).bind(inputs(spec(dtype, "input_ids"), dtype), [spec("float32")] * 2)
    ids, mask, segments = codec.encode(window(101, top, 0, 5))
    assert all(tensor.dtype == np.dtype(dtype) and tensor.shape == (1, LENGTH) for tensor in (ids, mask, segments))
    assert ids[0].tolist() == [101, top, 0, 5] + [0] * 12
    assert mask[0].tolist() == [1] * 4 + [0] * 12 and segments[0].tolist() == [1] * 16


@pytest.mark.parametrize("dtype", LARGEST)
def test_tokens_that_do_not_fit_are_refused(dtype: str) -> None:
    codec = QuestionAnswering(TaskOptions()).bind(inputs(spec(dtype, "input_ids")), [spec("float32")] * 2)
    lost = LARGEST[dtype] + 1
    with pytest.raises(
        DataError, match=rf"dev.json question 7 has token {lost}, .*input_ids {dtype}\[1,16\]"
    ) as caught:
        codec.encode(window(3, lost))
    assert caught.value.code == "token-range"


@pytest.mark.parametrize("dtype", LARGEST)
def test_a_vocabulary_that_does_not_fit_is_refused_before_anything_runs(dtype: str) -> None:
    size = LARGEST[dtype] + 2 if LARGEST[dtype] + 2 <= 10_000_000 else 0
    if not size:
        return
    with pytest.raises(ModelError, match=f"input_ids {dtype}.*token {size - 1}") as caught:
        QuestionAnswering(TaskOptions.model_validate({"vocabulary_size": size})).bind(
            inputs(spec(dtype, "input_ids")), [spec("float32")] * 2
        )
    assert caught.value.code == "model-input"
    QuestionAnswering(TaskOptions.model_validate({"vocabulary_size": size - 1})).bind(
        inputs(spec(dtype, "input_ids")), [spec("float32")] * 2
    )


def test_quantised_tokens() -> None:
    """Scale 1 and a zero point move the numbers; a scale that would round them away is refused."""
    moved = spec("int8", "input_ids", scale=1.0, zero_point=-128)
    ids, *_ = QuestionAnswering(TaskOptions()).bind(inputs(moved), [spec("float32")] * 2).encode(window(0, 1, 255))
    assert ids[0, :3].tolist() == [-128, -127, 127]
    coarse = spec("int8", "input_ids", scale=119.6, zero_point=-128)
    with pytest.raises(DataError, match="token 101"):
        QuestionAnswering(TaskOptions()).bind(inputs(coarse), [spec("float32")] * 2).encode(window(101))


@pytest.mark.parametrize("by_channel", [False, True])
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "int64"])
def test_scores_by_hand(dtype: str, by_channel: bool) -> None:
    limits = np.iinfo(dtype)
    scales = [0.25 * (place + 1 if by_channel else 1) for place in range(LENGTH)]
    zeros = [3 + (place if by_channel else 0) for place in range(LENGTH)]
    told = {"scales": tuple(scales), "zero_points": tuple(zeros), "axis": 1} if by_channel else {
        "scale": scales[0], "zero_point": zeros[0]
    }  # fmt: skip
    stored = [max(limits.min, min(limits.max, 40 * place - 100)) for place in range(LENGTH)]
    codec = QuestionAnswering(TaskOptions()).bind(
        inputs(spec("int32", "input_ids")), [spec(dtype, "end_logits", **told), spec("float32", "start_logits")]
    )
    response = codec.decode((np.array([stored], dtype), np.zeros((1, LENGTH), np.float32)))
    found = struct.unpack(f"<{2 * LENGTH}f", response)
    assert found[:LENGTH] == (0.0,) * LENGTH
    assert list(found[LENGTH:]) == [s * (q - z) for s, q, z in zip(scales, stored, zeros, strict=True)]


@pytest.mark.parametrize("dtype", INTEGERS)
def test_integer_scores_without_a_scale_are_refused(dtype: str) -> None:
    with pytest.raises(ModelError, match="has no scale"):
        QuestionAnswering(TaskOptions()).bind(inputs(spec("int32", "input_ids")), [spec(dtype)] * 2)


def test_recipes_differ_by_type() -> None:
    kinds = [inputs(spec(dtype, "input_ids"), other) for dtype in INTEGERS for other in ("int32", "int64")]
    recipes = {QuestionAnswering(TaskOptions()).bind(kind, [spec("float32")] * 2).recipe for kind in kinds}  # type: ignore[attr-defined]
    assert len(recipes) == len(kinds)
