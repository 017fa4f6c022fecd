"""What is said about a worker's end: who ended it, and whether it was a signal at all."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from mlperf_mobile.launch import endings
from mlperf_mobile.launch.process import Exit

PLAN = SimpleNamespace(backend="acme")
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
