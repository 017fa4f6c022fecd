"""What every backend checks stands once, and says what is wrong."""

from __future__ import annotations

import numpy as np
import pytest

from mlperf_mobile.backend_checks import batch_misfit, closed, misfit, of_one_sample
from mlperf_mobile.contracts import TensorSpec

FLOAT = np.dtype(np.float32)
SPECS = (TensorSpec("x", (1, 2), FLOAT), TensorSpec("q", (1, 3), np.dtype(np.int8), 0.5, 3))
X, Q = np.zeros((1, 2), np.float32), np.zeros((1, 3), np.int8)


@pytest.mark.parametrize("sample", [(X, Q), [X, Q], (X[:, ::-1], Q)])
def test_a_sample_that_fits(sample):
    assert misfit(sample, SPECS, "m") is None


@pytest.mark.parametrize(
    ("sample", "told"),
    [
        ((X,), "it accepts 2 input tensors, not 1"),
        (None, "it accepts 2 input tensors, not NoneType"),
        (X, "it accepts 2 input tensors, not ndarray"),
        ((X, X), "input q must be int8[1,3], not float32[1,2]"),
        ((X[0], Q), "input x must be float32[1,2], not float32[2]"),
        ((X.astype(">f4"), Q), "input x must be float32[1,2], not >f4[1,2]"),
        ((X, [1, 2, 3]), "input q must be an array of int8[1,3], not list"),
    ],
)
def test_a_sample_that_does_not(sample, told):
    error = misfit(sample, SPECS, "m.tflite")
    assert error is not None
    assert (error.code, error.summary) == ("input-mismatch", f"m.tflite: {told}")


def test_errors_name_the_model():
    assert str(batch_misfit(0, 4, "m")) == "error[batch-size]: m accepts 1 to 4 samples per call, not 0; change batch"
    assert (closed("m").code, closed("m").summary) == ("session-closed", "the session of m is closed")


def test_one_sample_of_a_batch():
    (spec,) = of_one_sample([TensorSpec("x", (8, 5, 2), FLOAT, 0.5, 3)])
    assert spec == TensorSpec("x", (1, 5, 2), FLOAT, 0.5, 3)
