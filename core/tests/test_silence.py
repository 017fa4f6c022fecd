"""How long a worker may say nothing: the limit on silence, and the one on compiling that takes its place."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from mlperf_mobile import events
from mlperf_mobile.launch import local

SILENCE_S, COMPILE_S = 10, 100
COMPILE, LOAD = (events.encode(events.Phase(name=name)) for name in ("compile", "load"))


@pytest.fixture
def hears_out(monkeypatch, tmp_path):
    """``hears_out((50, None), (1, LOAD))``: whether a worker that is silent for 50 s, and loads after another, is."""
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(local, "time", SimpleNamespace(monotonic=lambda: clock.now))

    def hears_out(*script):
        def lines(pipe, left_s, is_over):
            for seconds, line in script:
                clock.now += seconds
                yield line

        monkeypatch.setattr(local, "_lines", lines)
        plan = SimpleNamespace(silence_timeout_s=SILENCE_S, compile_timeout_s=COMPILE_S)
        journal = SimpleNamespace(write=lambda line, essential=True: None)
        run = local.Run(plan, tmp_path, lambda event: None, journal)
        process = SimpleNamespace(pid=os.getpid(), poll=lambda: None)
        return run._hear(None, SimpleNamespace(process=process, log=SimpleNamespace(trim=lambda: None)))

    return hears_out


def test_a_silent_worker_is_stopped(hears_out):
    assert hears_out((0, LOAD), (9, None), (0.5, None))
    assert not hears_out((0, LOAD), (9, None), (1, None))


def test_every_line_starts_the_limit_anew(hears_out):
    assert hears_out((0, LOAD), (9, b"no event"), (9, None), (0.5, LOAD), (9.5, None))


def test_the_limit_does_not_apply_while_compiling(hears_out):
    """A compiler may hold the interpreter, so that nothing in the worker can report anything."""
    assert hears_out((0, COMPILE), (50, None), (49, None), (0.5, LOAD))


def test_compiling_has_a_limit_of_its_own(hears_out):
    assert not hears_out((0, COMPILE), (50, None), (50, None))


def test_a_compiler_that_reports_has_the_same_time(hears_out):
    assert not hears_out((0, COMPILE), (50, COMPILE), (50, COMPILE))


def test_the_limit_applies_again_once_the_model_is_compiled(hears_out):
    assert not hears_out((0, COMPILE), (50, None), (0, LOAD), (10, None))
