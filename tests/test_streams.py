"""Standard streams that are closed, full or broken: results are stored, and nobody is blamed."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys

import pytest

from mlperf_mobile.streams import ReaderGone, _Checked
from mlperf_mobile.testing.command import PROGRAM

COMMAND = shlex.quote(str(PROGRAM))
RUN = "run product --backend toy --mode performance --set min_duration_s=0.1 --set warmup_s=0.05 --json"


@pytest.mark.parametrize(
    ("streams", "exit_code"),
    [
        ("<&- >&- 2>&-", 0),
        ("2>/dev/full", 0),
        (">/dev/full", 6),
    ],
)
def test_a_run(command, streams, exit_code):
    done = subprocess.run(
        f"{COMMAND} {RUN} {streams}", shell=True, cwd=command.folder, env=command.environment(),
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    (name,) = command.leftovers()
    stored = json.loads((command.results / name / "result.json").read_text())
    assert (stored["valid"], stored["error"]) == (True, None)
    assert done.returncode == exit_code
    if done.stdout:
        assert json.loads(done.stdout)["results"] == [stored]
    errors = [line for line in done.stderr.splitlines() if "error[" in line]
    assert [line.split("]")[0] for line in errors] == (
        ["mlperf-mobile: error[output-lost"] if streams == ">/dev/full" else []
    )
    assert "Traceback" not in done.stderr


@pytest.mark.usefixtures("processes")
def test_no_file_gets_the_number_of_a_closed_stream(tmp_path):
    """What is written to them goes into the log."""
    code = (
        "import os, pathlib, sys; from mlperf_mobile.streams import guard\n"
        "os.closerange(0, 3); guard(pathlib.Path(sys.argv[1]))\n"
        "os.write(1, b'one'); os.write(2, b'two'); assert os.read(0, 1) == b''\n"
        "os._exit(os.open(sys.argv[1], os.O_RDONLY))"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "log"], check=False)
    assert done.returncode >= 3
    assert (tmp_path / "log").read_bytes() == b"onetwo"


def test_a_pipe_that_nobody_reads():
    """Its error is not that of any other broken pipe, which is a failure."""
    reading, writing = os.pipe()
    os.close(reading)
    with _Checked(writing, "w") as stream, pytest.raises(ReaderGone):
        stream.write(b"text")
