"""What the native runner does not run is refused before anything is opened or sent, and foreseen by ``--dry-run``."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlperf_mobile.campaigns.foresee import foreseen
from mlperf_mobile.config.layers import from_assignments
from mlperf_mobile.config.resolve import resolve
from mlperf_mobile.config.selection import Request
from mlperf_mobile.errors import MobileError
from mlperf_mobile.plugin import Ref, RunnerInfo
from mlperf_mobile.registry import Registry
from mlperf_mobile_native_runner.chosen import check
from mlperf_mobile_native_runner.prepared import prepare


def planned(*settings):
    (plan,) = resolve(Registry(), Request(flags=from_assignments(list(settings)))).plans
    return plan


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        (("tasks=multiple_choice", "scenario=token-sweep"), "scenario-not-native"),
        (("tasks=image_classification", "scenario=token-sweep"), "scenario-not-native"),
        (("tasks=image_classification", "accelerator=cpu,delegate", "scenario=offline"), "several-accelerators"),
        (("tasks=image_classification", "accelerator=cpu,delegate"), "several-accelerators"),
        # not what its load lacks
        (("tasks=image_classification", "scenario=server", "scenario_options.max_batch=8"), "scenario-not-native"),
    ],
)
def test_what_does_not_run(settings, code):
    plan = planned("runner=native", *settings)
    with pytest.raises(MobileError) as caught:
        prepare(plan, None, None, Path())
    assert caught.value.code == code
    assert foreseen(plan, Registry()).line() == caught.value.line()


def test_nothing_is_foreseen_of_what_runs():
    plan = planned("runner=native", "tasks=image_classification")
    check(plan, Registry())
    assert foreseen(plan, Registry()) is None


@pytest.mark.parametrize("broken", [Ref("no_such_module:check"), Ref("json:dumps")])
def test_a_check_that_fails_hides_nothing_else(broken, monkeypatch):
    """What the task and the scenario do not agree about is found nevertheless."""
    registry = Registry()
    info = RunnerInfo(name="native", summary="broken", driver="none", places=("local",), hook_api=(2, 4), check=broken)
    monkeypatch.setattr(registry, "runners", {"native": registry.runners["native"]._replace(info=info)})
    plan = planned("runner=native", "tasks=image_classification", "scenario=token-sweep")
    assert foreseen(plan, registry).code == "no-tokens"
