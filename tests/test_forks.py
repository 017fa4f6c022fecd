"""A process that is forked for a test finds what a new one would."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest
from forks import ForkServer, forking

from mlperf_mobile.testing.command import PROGRAM

LOOKS = """
    import json, os, psutil, signal, sys
    from pathlib import Path
    own = Path("/proc/self")
    # Not SigQ, which counts queued signals of all the user's processes.
    KEPT = "Umask", "SigPnd", "SigBlk", "SigIgn", "SigCgt", "Cap", "Groups"
    status = own.joinpath("status").read_text().splitlines()
    print(json.dumps({
        "argv": sys.argv, "path": sys.path, "name": __name__, "cwd": os.getcwd(), "environ": dict(os.environ),
        "shown": own.joinpath("cmdline").read_text().rstrip("\\0").split("\\0")[1:],
        "shown_environ": sorted(filter(None, own.joinpath("environ").read_text(errors="surrogateescape").split("\\0"))),
        "read": os.read(int(sys.argv[1]), 10).decode(),
        "stdin": sys.stdin.read(), "leads": os.getsid(0) == os.getpid(), "parent": os.getppid(),
        "signals": [str(signal.getsignal(number)) for number in (2, 1, 15, 13, 14, 17)],
        "descriptors": len(list(own.joinpath("fd").iterdir())), "threads": len(list(own.joinpath("task").iterdir())),
        "children": len(psutil.Process().children()),
        "status": [line for line in status if line.startswith(KEPT)],
    }))
    forked = "fork_server.py" in " ".join(sys.orig_argv)
    print("forked" if forked else "new", file=sys.stderr)
    sys.exit(5)
"""
pytestmark = pytest.mark.usefixtures("processes")


@pytest.fixture(scope="module")
def new_process():
    """``subprocess.Popen`` as it is without the tests' own."""
    return subprocess.Popen.__base__


@pytest.fixture(scope="module")
def forked(new_process):
    server = ForkServer.start()
    yield forking(PROGRAM, lambda: server)
    server.close()


@pytest.fixture
def look(tmp_path, write_plugin):
    site, folder = write_plugin("looks", LOOKS, "mlperf_mobile_looks"), tmp_path / "here"
    folder.mkdir()

    def look(popen, *options, env=None, **more):
        read, write = os.pipe()
        os.write(write, b"piped")
        os.close(write)
        env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")} | (env or {})
        with popen(
            [sys.executable, *options, "-m", "mlperf_mobile_looks", str(read), "a b", ""], cwd=folder, pass_fds=[read],
            env={"PYTHONPATH": str(site), "NEW": "\udcff ä", **env}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, **more,
        ) as process:  # fmt: skip
            out, err = process.communicate("told", timeout=200)
        os.close(read)
        assert out, err
        return json.loads(out), err.strip(), process.returncode

    return look


@pytest.mark.parametrize(("options", "more"), [(["-P"], {}), (["-P"], {"start_new_session": True}), ([], {})])
def test_it_finds_what_a_new_process_does(look, new_process, forked, options, more):
    expected, how, code = look(new_process, *options, **more)
    assert (how, code, expected["read"], expected["stdin"]) == ("new", 5, "piped", "told")
    found, how, code = look(forked, *options, **more)
    assert (how, code) == ("forked", 5)
    assert (expected.pop("children"), found.pop("children")) == (0, 1)  # the server of what it starts
    assert found.pop("descriptors") - expected.pop("descriptors") == 1  # its connection to that server
    assert found == expected
    assert found["parent"] == os.getpid()


@pytest.mark.parametrize(
    "env", [{"OMP_NUM_THREADS": "3"}, {"LD_LIBRARY_PATH": "/"}, {"PYTHONHASHSEED": "1"}, {"LC_ALL": "C"}]
)
def test_a_variable_that_is_read_at_the_start(look, forked, env):
    assert look(forked, "-P", env=env)[1] == "new"


def test_a_module_of_another_place(look, forked, tmp_path):
    tmp_path.joinpath("here/mlperf_mobile").mkdir()
    assert [look(forked, *options)[1] for options in (["-P"], ())] == ["forked", "new"]


def test_another_umask(look, forked):
    before = os.umask(0o077)
    try:
        assert look(forked, "-P")[1] == "new"
    finally:
        os.umask(before)


def test_it_is_killed_as_any_process(forked, write_plugin):
    site = write_plugin("sleeps", "import time; print('began', flush=True); time.sleep(1000)", "mlperf_mobile_sleeps")
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    with forked(
        [sys.executable, "-P", "-m", "mlperf_mobile_sleeps"], env=env | {"PYTHONPATH": str(site)},
        stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout.readline() == "began\n"
        assert process.poll() is None
        process.kill()
    assert process.returncode == -signal.SIGKILL
