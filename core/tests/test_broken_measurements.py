"""A scenario that measures nothing, or what is no JSON, is blamed by its name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mlperf_mobile.contracts import AnsweredCall, Measurement
from mlperf_mobile.errors import BackendError
from mlperf_mobile.worker.measurements import as_json

GOOD = Measurement(
    latency_ns={"mean": 5.0}, throughput=2.0, queries=4, samples=4, duration_s=2.0, rules=(),
    answered=(AnsweredCall(0, (1,), (b"",)),),
)  # fmt: skip


def test_a_good_one():
    told = as_json("odd", GOOD)
    assert (told["samples"], told["duration_s"], "answered" in told) == (4, 2.0, False)


@pytest.mark.parametrize(
    ("measured", "what"),
    [
        (None, "run returned NoneType, not a Measurement"),
        ({"samples": 3}, "run returned dict, not a Measurement"),
        (replace(GOOD, samples=-5), "Measurement.samples is -5"),
        (replace(GOOD, queries=0), "Measurement.queries is 0"),
        (replace(GOOD, duration_s=0.0), "Measurement.duration_s is 0.0"),
        (replace(GOOD, samples="many"), "TypeError"),
        (replace(GOOD, throughput=np.float32(3)), "numpy.float32"),
    ],
)
def test_a_broken_one(measured, what):
    with pytest.raises(BackendError) as caught:
        as_json("odd", measured)
    assert caught.value.code == "scenario-failed"
    assert caught.value.summary.startswith("scenario odd failed: ")
    assert what in caught.value.summary
