"""Parts pass tensors on by the model's numbering, and samples are checked before the first of them."""

from __future__ import annotations

from contextlib import ExitStack

import numpy as np
import pytest

from mlperf_mobile.contracts import Placement, TensorSpec
from mlperf_mobile.errors import BackendError
from mlperf_mobile_neural_networks.partial import PartialSession, Step


class Add:
    """Adds its inputs, and reports how often."""

    def __init__(self) -> None:
        self.calls = 0

    def run(self, inputs):
        self.calls += 1
        return (sum(inputs),)

    def report(self):
        return {"calls": self.calls}


class Swap:
    """Two tensors the other way round; reports nothing."""

    def run(self, inputs):
        return inputs[::-1]


SPEC = TensorSpec("x", (1, 2), np.dtype(np.float32))


def session(held: ExitStack) -> PartialSession:
    """Of tensors 0 and 1: 2 = 0 + 1; 3, 4 = 2, 0 swapped; 5 = 4 + 4. Outputs: 3, 5 and 1, which nothing computes."""
    steps = [Step(Add(), (0, 1), (2,)), Step(Swap(), (2, 0), (3, 4)), Step(Add(), (4, 4), (5,))]
    placement = Placement({"npu": 2, "cpu": 1})
    return PartialSession(steps, [(0, SPEC), (1, SPEC)], [(3, SPEC), (5, SPEC), (1, SPEC)], placement, held, "model")


def test_tensors_are_passed_on():
    a, b = np.array([[1, 2]], np.float32), np.array([[10, 20]], np.float32)
    with session(ExitStack()) as chain:
        third, fifth, first = chain.run((a, b))
        np.testing.assert_array_equal(third, a)
        np.testing.assert_array_equal(fifth, 2 * (a + b))
        assert first is b
        assert chain.report() == {"parts": [{"calls": 1}, {"calls": 1}]}
        assert chain.placement().operations == {"npu": 2, "cpu": 1}


@pytest.mark.parametrize(
    "wrong",
    [
        (np.zeros((1, 2), np.float32),),
        (np.zeros((1, 2), np.float32), np.zeros((2, 1), np.float32)),
        (np.zeros((1, 2), np.float64), np.zeros((1, 2), np.float32)),
        ([1, 2], [3, 4]),
        None,
    ],
)
def test_samples_that_do_not_fit(wrong):
    with (
        session(ExitStack()) as chain,
        pytest.raises(BackendError, match=r"model: (it accepts|input \w must be) ") as caught,
    ):
        chain.run(wrong)
    assert caught.value.code == "input-mismatch"


def test_a_closed_session():
    held = ExitStack()
    closed = []
    held.callback(closed.append, 1)
    with session(held) as chain:
        assert not closed
    assert closed == [1]
    with pytest.raises(BackendError) as caught:
        chain.run((np.zeros((1, 2), np.float32),) * 2)
    assert caught.value.code == "session-closed"
