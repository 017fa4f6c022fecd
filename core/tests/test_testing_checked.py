"""The kit reports a method that returns something else in the words of a run, whatever error a test expects of it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from mlperf_mobile.errors import BackendError
from mlperf_mobile.testing.backend import BackendConformance
from mlperf_mobile.testing.checked import CheckedBackend, run, run_batch
from mlperf_mobile.testing.task import TaskConformance

NOTHING = SimpleNamespace(
    shards=7, outputs=("x",), **dict.fromkeys(("probe",), lambda: None),
    **dict.fromkeys(("compile", "load", "run", "run_batch", "metric"), lambda given: None),
)  # fmt: skip


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: CheckedBackend("acme", NOTHING).probe(), "backend acme: probe() returned None, a Probe was expected"),
        (lambda: CheckedBackend("acme", NOTHING).compile(1), "compile() returned None, an Artifact was expected"),
        (lambda: CheckedBackend("acme", NOTHING).load(1), "load() returned None, a Session was expected"),
        (lambda: run(NOTHING, ()), "run() returned None, a tuple of 1 arrays was expected"),
        (lambda: run_batch(NOTHING, []), "run_batch() returned None, a list with each sample's outputs was expected"),
        (lambda: TaskConformance._metric(NOTHING, 1), "metric() returned None, a Metric was expected"),
    ],
)
def test_nothing_is_a_failure(call, told):
    with pytest.raises(pytest.fail.Exception) as caught:
        try:
            call()
        except BackendError:
            pytest.skip("a test that expects this error would pass")
    assert told in str(caught.value)


def test_the_kit_checks_the_backend():
    info = SimpleNamespace(name="acme", backend=SimpleNamespace(load=lambda: lambda options: NOTHING))
    with pytest.raises(pytest.fail.Exception, match=r"probe\(\) returned None"):
        BackendConformance().test_probe_answers_on_any_machine(info, None)


def test_everything_else_is_the_backends():
    assert CheckedBackend("acme", NOTHING).shards == 7
