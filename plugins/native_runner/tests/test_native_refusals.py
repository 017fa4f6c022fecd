"""What the native runner does not run is refused before anything is opened or sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlperf_mobile.config.layers import from_assignments
from mlperf_mobile.config.resolve import resolve
from mlperf_mobile.config.selection import Request
from mlperf_mobile.errors import UsageError
from mlperf_mobile.registry import Registry
from mlperf_mobile_native_runner.prepared import prepare


@pytest.mark.parametrize("task", ["multiple_choice", "instruction_following"])
def test_language_models(task):
    (plan,) = resolve(Registry(), Request(flags=from_assignments([f"tasks={task}"]))).plans
    with pytest.raises(UsageError, match="for language models") as caught:
        prepare(plan, None, None, Path())
    assert (caught.value.code, "--runner" in caught.value.hint) == ("task-not-native", True)
