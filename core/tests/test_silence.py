"""How long a worker may say nothing: the limit on silence, and the one on compiling that takes its place."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from mlperf_mobile import events
from mlperf_mobile.launch import local
from mlperf_mobile.worker import steps
from mlperf_mobile.worker.accuracy import _CountedMetric

SILENCE_S, COMPILE_S = 10, 100
COMPILE, LOAD = (events.encode(events.Phase(name=name)) for name in ("compile", "load"))


@pytest.fixture
def hears_out(monkeypatch, tmp_path):
    """``hears_out((50, None), (1, LOAD))``: whether a worker that is silent for 50 s, and loads after another, is."""
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(local, "time", SimpleNamespace(monotonic=lambda: clock.now))

    def hears_out(*script):
        def lines(left_s, is_over, interrupts):
            for seconds, line in script:
                clock.now += seconds
                yield line

        plan = SimpleNamespace(silence_timeout_s=SILENCE_S, compile_timeout_s=COMPILE_S)
        journal = SimpleNamespace(write=lambda line, essential=True: None)
        run = local.Run(plan, tmp_path, lambda event: None, journal)
        process = SimpleNamespace(pid=os.getpid(), poll=lambda: None)
        worker = SimpleNamespace(process=process, log=SimpleNamespace(trim=lambda: None), measures=True)
        return run._hear(SimpleNamespace(lines=lines), worker, None)

    return hears_out


def test_a_silent_worker_is_stopped(hears_out):
    assert hears_out((0, LOAD), (9, None), (0.5, None))
    assert not hears_out((0, LOAD), (9, None), (1, None))


def test_every_line_starts_the_limit_anew(hears_out):
    assert hears_out((0, LOAD), (9, b"no event"), (9, None), (0.5, LOAD), (9.5, None))
    assert hears_out((0, LOAD), *[(9, b"")] * 100, (9.5, None))  # a driver that waits on purpose


def test_the_limit_does_not_apply_while_compiling(hears_out):
    """A compiler may hold the interpreter, so that nothing in the worker can report anything."""
    assert hears_out((0, COMPILE), (50, None), (49, None), (0.5, LOAD))


def test_compiling_has_a_limit_of_its_own(hears_out):
    assert not hears_out((0, COMPILE), (50, None), (50, None))


def test_a_compiler_that_reports_has_the_same_time(hears_out):
    assert not hears_out((0, COMPILE), (50, COMPILE), (50, COMPILE))


def test_the_limit_applies_again_once_the_model_is_compiled(hears_out):
    assert not hears_out((0, COMPILE), (50, None), (0, LOAD), (10, None))


def signs_of_life(sessions):
    """What a run on these sessions counts as signs of life within a call; None if nothing."""
    found = []
    loaded = SimpleNamespace(pool=SimpleNamespace(sessions=sessions), watch=SimpleNamespace(alive=found.append))
    steps._watch_steps(loaded)
    return found[0]() if found else None


def test_the_steps_of_long_calls_are_signs_of_life():
    """Of all sessions together; sessions without steps, such as those of vision tasks, cost nothing."""
    session = {"inputs": (), "outputs": ()} | dict.fromkeys(("run", "placement", "__enter__", "__exit__"), print)
    plain, stepping = (type("S", (), session | more)() for more in ({}, {"steps": 7}))
    assert signs_of_life([plain]) is None
    assert signs_of_life([plain, stepping, stepping]) == 14


def test_scored_responses_are_signs_of_life():
    """A metric may run a model of its own for each of them."""
    metric = _CountedMetric(SimpleNamespace(update=lambda index, response: None, score=lambda: "scored"))
    for index in range(3):
        metric.update(index, b"")
    assert (metric.scored, metric.score()) == (3, "scored")
