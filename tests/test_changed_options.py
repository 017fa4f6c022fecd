"""What a run was made with and is not the default stands in its plan by name, whichever plugin it belongs to."""

from __future__ import annotations

import pytest

from mlperf_mobile.config.layers import from_assignments
from mlperf_mobile.config.resolve import resolve
from mlperf_mobile.config.selection import Request
from mlperf_mobile.registry import Registry


@pytest.fixture(scope="module")
def changed():
    """The changed options of the plan that these settings give for image classification."""
    registry = Registry()

    def of(*assignments: str) -> dict[str, object]:
        flags = from_assignments(["tasks=[image_classification]", *assignments])
        (plan,) = resolve(registry, Request(file={}, environment={}, flags=flags)).plans
        return plan.changed_options

    return of


def test_nothing_is_changed_by_default(changed):
    assert changed() == {}


@pytest.mark.parametrize("assignment", ["threads=1", "warmup_s=0.5", "batch=1", "telemetry_interval_s=1.0"])
def test_a_default_that_is_set_is_a_default(changed, assignment):
    assert changed(assignment) == {}


@pytest.mark.parametrize(
    ("assignments", "expected"),
    [
        (["threads=2"], {"backend.threads": 2}),
        (["backend_options.threads=3"], {"backend.threads": 3}),
        (["xnnpack=false"], {"backend.xnnpack": False}),
        (
            ["delegate=libx.so", "delegate_options={a: b}"],
            {"backend.delegate": "libx.so", "backend.delegate_options.a": "b"},
        ),
        (["label_offset=1"], {"task.label_offset": 1}),
        (["warmup_s=0.25", "telemetry_interval_s=0"], {"warmup_s": 0.25, "telemetry_interval_s": 0.0}),
        (["scenario=offline", "batch=4"], {"batch": 4}),
        (["scenario=offline", "accelerator=cpu:2"], {"sessions.cpu": 2}),
        (["expected_latency_ns=5000"], {"expected_latency_ns": 5000}),
    ],
    ids=str,
)
def test_every_kind(changed, assignments, expected):
    assert changed(*assignments) == expected


@pytest.mark.parametrize("assignment", ["min_query_count=64", "rules=quick", "output=elsewhere", "cache=/tmp/none"])
def test_what_a_result_names_anyway_or_no_number_depends_on(changed, assignment):
    assert changed(assignment) == {}
