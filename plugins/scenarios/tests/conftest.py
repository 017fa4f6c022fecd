"""Runs a scenario on a faulty system, in a process of its own, because LoadGen may take the process with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("faulty_system.py")


@pytest.fixture
def drive(tmp_path, processes):
    """``drive("server", target_qps=500)``: how the run ended."""

    def drive(scenario, *, fault="", sessions=2, batch=1, count=200, expected_ns=1_000_000, **given):
        name, kind = {"server": ("server:Server", "ServerOptions"),
                      "multi-stream": ("multi_stream:MultiStream", "MultiStreamOptions")}[scenario]  # fmt: skip
        logs = tmp_path / "logs"
        logs.mkdir(exist_ok=True)
        request = {
            "scenario": name, "options": f"mlperf_mobile_scenarios.options:{kind}", "given": given, "fault": fault,
            "sessions": sessions, "batch": batch, "count": count, "expected_ns": expected_ns, "logs": str(logs),
        }  # fmt: skip
        done = subprocess.run(
            [sys.executable, SCRIPT],
            input=json.dumps(request), capture_output=True, text=True, timeout=240, check=False,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return drive
