"""A worker that is stopped in its timed run: the result says so, and does not count."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")


def fields(pid):
    """Of ``/proc/PID/stat``, from the state on."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def state(pid):
    return fields(pid)[0]


def workers(pid):
    """Its children that lead a session, as workers do."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        child = path.parent.name
        try:
            _, parent, _, session, *_ = fields(child)
        except OSError:
            continue  # it has ended
        found += [int(child)] if (parent, session) == (str(pid), child) else []
    return found


def test_a_worker_that_was_stopped(command):
    """The kernel tells the launcher, however short the stop was."""
    process = command.start("--quiet", "--mode", "performance", "--set", "min_duration_s=1.5")
    command.until(lambda told: any(e["event"] == "progress" and e["phase"] == "performance" for e in told), process)
    (worker,) = workers(process.pid)
    os.kill(worker, signal.SIGSTOP)
    deadline = time.monotonic() + 200
    while state(worker) != "T" and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(worker, signal.SIGCONT)
    out, _ = process.communicate(timeout=200)
    (result,) = json.loads(out)["results"]
    rules = {rule["name"]: rule for rule in result["rules"]}
    assert (result["status"], result["valid"]) == ("completed", False)
    assert (rules["uninterrupted"]["ok"], result["interruptions"]["stops"]) == (False, 1)
    assert rules["min-duration"]["ok"]
