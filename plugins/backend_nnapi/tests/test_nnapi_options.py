"""Options are checked before anything reaches the driver."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from mlperf_mobile_backend_nnapi.backend import NNAPIBackend
from mlperf_mobile_backend_nnapi.options import NNAPIOptions


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"preference": "turbo"}, "preference"),
        ({"priority": "urgent"}, "priority"),
        ({"device": ""}, "device"),
        ({"no_such": 1}, "no_such"),
        ({"run_timeout_s": 0}, "run_timeout_s"),
        ({"disallow_cpu": True, "partial": True}, "partial runs operations on the CPU"),
        ({"disallow_cpu": True, "device": "nnapi-reference"}, "device nnapi-reference is the CPU"),
    ],
)
def test_wrong_ones_are_named(options, told):
    with pytest.raises(ValidationError, match=told):
        NNAPIOptions.model_validate(options)


def test_shards():
    assert NNAPIBackend(NNAPIOptions()).shards == 1
    assert NNAPIBackend(NNAPIOptions.model_validate({"shards": 3})).shards == 3
