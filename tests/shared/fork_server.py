"""Runs ``mlperf-mobile`` in forks of one interpreter that has already imported it: the same command, started faster.

``python fork_server.py`` is the server; :class:`ForkServer` starts one and is its client.
"""

from __future__ import annotations

import gc
import json
import os
import pkgutil
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path

READ_AT_START = ("LD_PRELOAD", "LC_", "LANG", "PYTHON", "OPENBLAS_", "OMP_")
"""Prefixes of variables that a process reads when it starts; a worker, which loads vendors' libraries, does start."""
PACKAGES = re.compile(r"mlperf_mobile(_(rounds|report|telemetry|scenarios|fetch|images|tfrecords|task_.*))?")
LEFT_OUT = re.compile(r"mlperf_mobile\.(testing|worker)\b.*|.*\.__main__|.*train.*")
"""What the command's own process does not need."""


class ForkServer:
    """A server in this process's environment; a call runs one command and waits for it."""

    def __init__(self, program: Path) -> None:
        self._program, self._base = program, dict(os.environ)
        self._output = tempfile.TemporaryDirectory()
        own = {name: value for name, value in self._base.items() if not name.startswith(("PYTHON", "MLPERF_MOBILE_"))}
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/",
            env=own | {"OPENBLAS_NUM_THREADS": "1", "PYDANTIC_DISABLE_PLUGINS": "true"},
        )  # fmt: skip
        self._imported = frozenset(self._answer())

    def _answer(self) -> list[str]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the fork server died"
        answer: list[str] = json.loads(line)
        return answer

    @property
    def is_alive(self) -> bool:
        """Whether it takes another command."""
        return self._process.poll() is None

    def suits(self, env: Mapping[str, str]) -> bool:
        """Whether a fork would find in ``env`` what a new process would."""
        given = {name for name in env if name.startswith(READ_AT_START)} - {"PYTHONPATH"}
        known = {name for name in self._base if name.startswith(READ_AT_START) and not name.startswith("PYTHON")}
        if any(env.get(name) != self._base.get(name) for name in given | known):
            return False
        folders = [Path(folder) for folder in env.get("PYTHONPATH", "").split(os.pathsep) if folder]
        offered = {path.name.partition(".")[0] for folder in folders if folder.is_dir() for path in folder.iterdir()}
        return not offered & self._imported

    def __call__(
        self, arguments: Sequence[str], folder: Path, env: Mapping[str, str], timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """Run the command as :func:`subprocess.run` would.

        Raises:
            subprocess.TimeoutExpired: It took more than ``timeout`` seconds, and was killed.
        """
        out, err = (Path(self._output.name, name) for name in ("out", "err"))
        words = [str(self._program), *arguments]
        request = {"argv": words, "cwd": str(folder), "env": dict(env), "out": str(out), "err": str(err),
                   "timeout": timeout}  # fmt: skip
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            (code,) = self._answer()
        except BaseException:  # a test that ran into its limit leaves an answer behind, which is not the next one's
            self._process.kill()
            self.close()
            raise
        if code is None:
            raise subprocess.TimeoutExpired(words, timeout, out.read_bytes(), err.read_bytes())
        return subprocess.CompletedProcess(words, int(code), out.read_text(), err.read_text())

    def close(self) -> None:
        """End the server."""
        self._process.communicate()
        self._output.cleanup()


def serve() -> None:
    """Fork for each request on standard input; return only in the forks, as the command that is requested."""
    for found in pkgutil.iter_modules():
        if found.ispkg and PACKAGES.fullmatch(found.name):
            package = import_module(found.name)
            for module in pkgutil.walk_packages(package.__path__, f"{found.name}."):
                if not LEFT_OUT.fullmatch(module.name):
                    with suppress(ImportError):
                        import_module(module.name)
    gc.freeze()
    assert len(os.listdir("/proc/self/task")) == 1, "a fork has no other threads"
    print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})), flush=True)
    while line := sys.stdin.readline():
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            return become(**request)
        print(json.dumps([ended(child, request["timeout"])]), flush=True)
    raise SystemExit


def ended(child: int, timeout: float) -> int | None:
    """The exit code of a fork; None if it was killed after ``timeout`` seconds."""
    late = False

    def kill(number: int, frame: object) -> None:
        nonlocal late
        late = True
        os.kill(child, signal.SIGKILL)

    signal.signal(signal.SIGALRM, kill)
    signal.setitimer(signal.ITIMER_REAL, timeout)
    _, status = os.waitpid(child, 0)
    signal.setitimer(signal.ITIMER_REAL, 0)
    return None if late else os.waitstatus_to_exitcode(status)


def become(argv: list[str], cwd: str, env: dict[str, str], out: str, err: str, timeout: float) -> None:
    """Give this process what a new one would have been started with."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    for number, file, flags in ((0, os.devnull, os.O_RDONLY), (1, out, os.O_WRONLY), (2, err, os.O_WRONLY)):
        opened = os.open(file, flags | (os.O_CREAT | os.O_TRUNC if number else 0), 0o600)
        os.dup2(opened, number)
        os.close(opened)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    sys.argv = argv
    sys.path[:1] = [str(Path(argv[0]).parent), *filter(None, env.get("PYTHONPATH", "").split(os.pathsep))]


if __name__ == "__main__":
    serve()
    from mlperf_mobile.cli.main import command

    command()
