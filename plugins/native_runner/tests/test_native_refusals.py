"""What the native runner does not run is refused before anything is opened or sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlperf_mobile.config.layers import from_assignments
from mlperf_mobile.config.resolve import resolve
from mlperf_mobile.config.selection import Request
from mlperf_mobile.errors import MobileError
from mlperf_mobile.registry import Registry
from mlperf_mobile_native_runner.prepared import prepare


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        (("tasks=multiple_choice", "scenario=token-sweep"), "scenario-not-native"),
        (("tasks=image_classification", "scenario=token-sweep"), "scenario-not-native"),
    ],
)
def test_what_does_not_run(settings, code):
    (plan,) = resolve(Registry(), Request(flags=from_assignments(list(settings)))).plans
    with pytest.raises(MobileError) as caught:
        prepare(plan, None, None, Path())
    assert caught.value.code == code
