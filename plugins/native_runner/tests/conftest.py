"""Commands whose native runner is the stand-in, on this machine and on stand-ins for devices."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from mlperf_mobile.testing.command import Command
from mlperf_mobile_devices.testing import StandInBoard

STAND_IN = Path(__file__).with_name("stand_in_runner.py")
HERE = f"linux-{os.uname().machine}"
BOARDS = """
    import os

    from mlperf_mobile_devices.testing import StandInTransport

    StandInTransport.machine = os.environ.get("STAND_IN_MACHINE", StandInTransport.machine)

    if limit := os.environ.get("STAND_IN_CHUNK_BYTES"):  # the data set is streamed in chunks of this size
        from mlperf_mobile_native_runner import chunks, run
        chunks.CHUNK_BYTES, run.KEPT_BYTES = int(limit), 0
"""


def put(folder: Path, place: str) -> dict[str, str]:
    """Put the stand-in where users put runners that they built; the variable that names the folder."""
    program = folder / "data" / "mlperf-mobile" / "runners" / place / "mlperf-mobile-runner"
    program.parent.mkdir(parents=True)
    fault = folder / "fault"
    reads = f'[ ! -f {fault} ] || export STAND_IN_FAULT="$(cat {fault})"'
    program.write_text(f'#!/bin/sh\n{reads}\nexec {sys.executable} {STAND_IN} "$@"\n')
    program.chmod(0o755)
    return {"XDG_DATA_HOME": str(folder / "data")}


@pytest.fixture
def here(processes, tmp_path):
    """The command on this machine."""
    return Command(tmp_path, put(tmp_path, HERE))


@pytest.fixture
def board(processes, few_facts, tmp_path):
    """The command, and a stand-in for a board without Python."""
    env = put(tmp_path, HERE) | {"MLPERF_MOBILE_DATA_PATH": str(few_facts)}
    return StandInBoard(tmp_path, "native", BOARDS, env)
