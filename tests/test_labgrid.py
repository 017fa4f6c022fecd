"""The script for labs with labgrid in ``docs/farm.md``, on labgrid's own coordinator and exporter on loopback.

The board is a name, and ``mlperf-mobile`` a program that notes how it was called and whether the place was held.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

FARM = Path(__file__).resolve().parents[1] / "docs/farm.md"
EXPORTED = "board1: {NetworkService: {address: 127.0.0.1, username: root}}\n"
PROGRAM = """#!/bin/sh
echo "$@" > called
labgrid-client -p + show | grep 'acquired: ' | head -1 >> called
exit $(cat code)
"""

pytestmark = [
    pytest.mark.usefixtures("processes"),
    pytest.mark.skipif(not shutil.which("labgrid-client"), reason="labgrid is not installed: pip install labgrid"),
]


class Lab:
    """A coordinator, an exporter with one board, and a place for it."""

    def __init__(self, folder):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{taken.getsockname()[1]}"
        self.folder, self.started = folder, []
        path = f"{folder / 'bin'}:{os.environ['PATH']}"
        self.environment = os.environ | {"PATH": path, "LG_COORDINATOR": address, "LG_HOSTNAME": "localhost"}
        (folder / "exporter.yaml").write_text(EXPORTED)
        (folder / "bin").mkdir()
        program = folder / "bin" / "mlperf-mobile"
        program.write_text(PROGRAM)
        program.chmod(0o755)
        self.start("labgrid-coordinator", "-l", address)
        self.until(lambda: self.client("places").returncode == 0)
        self.start("labgrid-exporter", "-c", address, "-n", "lab1", "--hostname", "localhost", "exporter.yaml")
        for words in (("create",), ("add-match", "*/board1/NetworkService"), ("set-tags", "soc=SM8750")):
            assert self.client("-p", "board1", *words).returncode == 0
        self.until(lambda: "NetworkService" in self.client("resources").stdout)

    def start(self, *words):
        with (self.folder / f"{words[0]}.log").open("wb") as log:
            process = subprocess.Popen(
                words, cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self.started.append(process)

    def client(self, *words):
        return subprocess.run(
            ["labgrid-client", *words], cwd=self.folder, env=self.environment, capture_output=True, text=True,
            check=False, timeout=60,
        )  # fmt: skip

    def until(self, seen):
        deadline = time.monotonic() + 60
        while not seen():
            assert time.monotonic() < deadline, "labgrid did not start"
            time.sleep(0.2)

    def stop(self):
        for process in reversed(self.started):
            process.terminate()
            process.wait(20)


@pytest.fixture
def lab(tmp_path):
    lab = Lab(tmp_path)
    yield lab
    lab.stop()


@pytest.mark.parametrize("code", [0, 1])
def test_the_script_of_the_document_holds_the_board_for_the_run(lab, code):
    """And lets go of it whatever comes of the run, whose exit code it has."""
    (script,) = re.findall(r"^```sh\n(.*?)^```$", FARM.read_text(), re.MULTILINE | re.DOTALL)
    (lab.folder / "code").write_text(str(code))
    done = subprocess.run(
        ["sh"], input=script, cwd=lab.folder, env=lab.environment, capture_output=True, text=True, check=False,
        timeout=120,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    called, held = (lab.folder / "called").read_text().splitlines()
    assert called == "run image_classification --device ssh:root@board1.lab --output results"
    assert re.search(r"acquired: \S+/\S+", held)
    assert "acquired: None" in lab.client("-p", "board1", "show").stdout
    assert "allocated" not in lab.client("reservations").stdout
