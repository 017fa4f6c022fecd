"""A sample that is not encoded as the model takes it is the task's fault, and the error says what was expected."""

from __future__ import annotations

import numpy as np
import pytest

from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile.errors import ModelError
from mlperf_mobile.worker.encoded import EncodedStore
from mlperf_mobile.worker.encoding_check import EncodingCheck
from mlperf_mobile.worker.samples import EncodedSamples

X = TensorSpec("x", (1, 64), np.dtype(np.float32))
GOOD = np.zeros((1, 64), np.float32)
WRONG = {
    "None": (None, "encode() returned None, a tuple of 1 array was expected"),
    "an array alone": (GOOD, "encode() returned float32[1,64], a tuple of 1 array was expected"),
    "a generator": ((each for each in [GOOD]), "encode() returned generator, a tuple of 1 array was expected"),
    "two arrays": ((GOOD, GOOD), "a tuple of 2 (float32[1,64], float32[1,64]), a tuple of 1 array was expected"),
    "nothing": ((), "encode() returned a tuple of 0 (nothing), a tuple of 1 array was expected"),
    "another shape": (
        (np.zeros((2, 64), np.float32),), "encode() returned float32[2,64] for input x, float32[1,64] was expected",
    ),
    "another dtype": ((GOOD.astype(np.float64),), "float64[1,64] for input x, float32[1,64] was expected"),
    "another byte order": ((GOOD.astype(">f4"),), "for input x, float32[1,64] was expected"),
    "numbers": (([0.0] * 64,), "encode() returned list for input x, float32[1,64] was expected"),
}  # fmt: skip


class Data:
    recipe = "one"

    def __init__(self, encoded):
        self.encoded = encoded

    def __len__(self):
        return 1

    def sample(self, index):
        return index

    def truth(self, index):
        return index

    def fingerprint(self, index):
        return bytes(16)

    def encode(self, sample):
        return self.encoded

    def decode(self, outputs):
        return b""


@pytest.mark.parametrize("kept", [False, True], ids=["fresh", "with a store"])
@pytest.mark.parametrize(("encoded", "told"), WRONG.values(), ids=WRONG)
def test_the_task_is_named(encoded, told, kept, tmp_path):
    data, store = Data(encoded), EncodedStore(tmp_path, 10**6) if kept else None
    with pytest.raises(ModelError) as caught:
        EncodedSamples(data, data, store, inputs=(X,), task="echo")[0]
    assert caught.value.code == "task-failed"
    assert caught.value.summary.startswith("task echo: sample 0 is encoded wrongly: ")
    assert told in caught.value.summary


@pytest.mark.parametrize("encoded", [(GOOD,), [GOOD], (GOOD[:, ::1],)])
def test_right_samples_pass(encoded):
    assert EncodingCheck((X,)).wrong(encoded) == ""


@pytest.mark.parametrize(
    ("encoded", "told"), [(None, "a tuple of arrays was expected"), ((None,), "a tuple with None"), ([7], "with int")]
)
def test_prompts_are_arrays_of_any_length(encoded, told):
    assert told in EncodingCheck(None).wrong(encoded)
    assert EncodingCheck(None).wrong((np.zeros(7, np.int32),)) == ""


def test_what_was_kept_for_another_encoding_is_encoded_again(tmp_path):
    """The recipe should have changed with it."""
    store, before = EncodedStore(tmp_path, 10**6), Data((np.zeros((1, 3), np.float32),))
    EncodedSamples(before, before, store, inputs=(TensorSpec("x", (1, 3), X.dtype),))[0]
    data = Data((GOOD,))
    assert EncodedSamples(data, data, store, inputs=(X,))[0][0].shape == (1, 64)
