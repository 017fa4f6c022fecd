"""What is said about a worker's end: who ended it, and whether it was a signal at all."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from mlperf_mobile.launch import endings
from mlperf_mobile.launch.process import Exit
from mlperf_mobile.registry import installed_plugins

PLAN = SimpleNamespace(backend="acme")
SUSPECTS = {
    ("single-stream", ("telemetry",)): "the backend acme or a library it uses crashed; see worker.log",
    ("burst", ()): "the backend acme, a library it uses, or the scenario burst crashed; see worker.log",
    ("offline", ("meter",)): "the backend acme, a library it uses, or the observer meter crashed; see worker.log",
    ("burst", ("meter", "telemetry")): (
        "the backend acme, a library it uses, the scenario burst, or the observer meter crashed; see worker.log"
    ),
}


@pytest.mark.parametrize(("scenario", "observers", "hint"), [(*case, hint) for case, hint in SUSPECTS.items()])
def test_who_may_have_crashed(scenario, observers, hint, monkeypatch):
    plan = SimpleNamespace(
        backend="acme", scenario=scenario, has_performance=True, observers={name: {} for name in observers}
    )
    monkeypatch.setattr(endings, "Plan", SimpleNamespace)
    burst = SimpleNamespace(source=SimpleNamespace(distribution="acme"))
    known = {**installed_plugins().scenarios, "burst": burst}
    monkeypatch.setattr(endings, "installed_plugins", lambda: SimpleNamespace(scenarios=known))
    assert endings.died(plan, Exit(-11, False, False, ()), "").hint == hint


CASES = {
    "a signal of somebody else's": (Exit(-9, False, False, ()), "killed by SIGKILL"),
    "a crash": (Exit(-11, False, False, ()), "killed by SIGSEGV"),
    "memory": (
        Exit(-9, False, True, ()),
        "killed by SIGKILL; the kernel killed a process because the system ran out of memory",
    ),
    "a real-time signal": (Exit(-35, False, False, ()), "killed by signal 35"),
    "an exit": (Exit(3, False, False, ()), "it exited with 3 without reporting an error"),
    "our own signal": (Exit(-9, True, False, ()), "it closed its event channel"),
    "it noticed itself": (Exit(7, False, False, ()), "it closed its event channel"),
}


@pytest.mark.parametrize(("end", "cause"), CASES.values(), ids=CASES)
def test_causes(end, cause):
    facts = endings.died(PLAN, end, "last words")
    assert (facts.code, facts.summary) == ("worker-died", f"the worker died: {cause}")
    assert (facts.exit_code, facts.stderr_tail) == (7, "last words")
    assert ("acme" in facts.hint) is (not end.out_of_memory)
