"""Options are checked before anything reaches the driver."""

from __future__ import annotations

import pytest

from mlperf_mobile.errors import UsageError
from mlperf_mobile_backend_nnapi.backend import NNAPIBackend


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"preference": "turbo"}, "preference: "),
        ({"priority": "urgent"}, "priority: "),
        ({"device": ""}, "device: "),
        ({"no_such": 1}, "no_such: "),
        ({"run_timeout_s": 0}, "run_timeout_s: "),
        ({"disallow_cpu": True, "partial": True}, "partial runs operations on the CPU"),
        ({"disallow_cpu": True, "device": "nnapi-reference"}, "device nnapi-reference is the CPU"),
    ],
)
def test_wrong_ones_are_named(options, told):
    with pytest.raises(UsageError) as caught:
        NNAPIBackend(options)
    assert caught.value.code == "bad-options"
    assert told in caught.value.summary


def test_shards():
    assert NNAPIBackend({}).shards == 1
    assert NNAPIBackend({"shards": 3}).shards == 3
