"""A process that has ended does not run, whether or not anybody has collected its exit code."""

from __future__ import annotations

import os
import subprocess
import sys

import psutil
import pytest

from mlperf_mobile.launch import process as launched
from mlperf_mobile.processes import created, exists, has_ended, is_alive


@pytest.fixture
def zombie(processes):
    """The id of a process that has ended, and when it was created; nobody has collected its exit code."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    process = psutil.Process(child.pid)
    assert process.status() == psutil.STATUS_ZOMBIE
    yield process
    child.wait()


def test_a_process_that_runs():
    own = psutil.Process()
    assert created(own.pid) == own.create_time()
    assert exists(own.pid)
    assert is_alive(own.pid, own.create_time())
    assert not is_alive(own.pid, own.create_time() - 60)  # another one that had the same id
    assert not has_ended(own)


def test_one_that_was_never_there():
    assert created(2**22 + 1) == 0  # the largest id of Linux is below
    assert not exists(2**22 + 1)
    assert not is_alive(2**22 + 1, 0)
    assert not is_alive(2**80, 1.0)


def test_a_zombie_has_ended(zombie):
    assert has_ended(zombie)
    assert created(zombie.pid) == 0
    assert not exists(zombie.pid)
    assert not is_alive(zombie.pid, zombie.create_time())


def test_a_zombie_is_not_left_behind(zombie, monkeypatch):
    """A stray process that was killed, whose new parent does not collect exit codes."""
    monkeypatch.setattr(psutil, "wait_procs", lambda found, timeout: ([], found))
    assert launched._end_all([zombie]) == []
