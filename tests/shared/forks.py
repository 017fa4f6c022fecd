"""Starts the command and its workers as forks of an interpreter that has imported them: the same processes, faster."""

from __future__ import annotations

import ctypes
import inspect
import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

SERVER = Path(__file__).with_name("fork_server.py")
READ_AT_START = ("LD_", "LC_", "LANG", "PYTHON", "OPENBLAS_", "OMP_")
"""Prefixes of variables that a process reads when it starts."""
HEEDED = ("PYTHONPATH", "PYTHONUNBUFFERED")
INHERITED = re.compile(r"^(Umask|[UG]id|Groups|Sig(Blk|Ign)|Cap\w+|NoNewPrivs|Seccomp|Cpus_allowed):.*", re.MULTILINE)
"""What a process has from the one that starts it, in proc(5)'s ``status``."""
SUBREAPER = (36, 37)
"""``PR_SET_CHILD_SUBREAPER`` and ``PR_GET_CHILD_SUBREAPER`` (linux/prctl.h)."""
ROOM = " " * 30_000
"""Place where ``/proc`` shows the arguments of a fork, and for its variables."""
START = inspect.signature(subprocess.Popen._execute_child)
UNUSUAL = ("executable", "preexec_fn", "shell", "gid", "gids", "uid", "umask", "process_group")
"""What no request has, of what ``Popen`` can be given."""


class ForkServer:
    """The client of a server.

    Args:
        connection: To the server.
        facts: Of the server: the names that it has ``imported``, its ``path``, and what a process finds at its
            start: ``variables`` and ``inherited``.
    """

    def __init__(self, connection: socket.socket, facts: dict[str, Any]) -> None:
        self._connection, self._facts, self._lock = connection, facts, threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def start(cls) -> ForkServer:
        """Start a server in this process's environment."""
        ours, theirs = socket.socketpair()
        own = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "MLPERF_MOBILE_"))}
        process = subprocess.Popen(
            [sys.executable, str(SERVER), str(theirs.fileno()), ROOM], stdin=subprocess.DEVNULL, cwd="/",
            env=own | {"OPENBLAS_NUM_THREADS": "1", "PYDANTIC_DISABLE_PLUGINS": "true", "ROOM": ROOM},
            pass_fds=[theirs.fileno()],
        )  # fmt: skip
        theirs.close()
        found, _ = received(ours)
        server = cls(ours, found | {"variables": read_at_start(own), "inherited": inherited()})
        server._process = process
        return server

    def suits(self, folder: str, env: Mapping[str, str], *, finds_folder: bool) -> bool:
        """Whether a fork would find what a new process would.

        Args:
            folder: Its working directory.
            env: Its variables.
            finds_folder: Whether it looks for modules in ``folder`` too.
        """
        named = [each for each in env.get("PYTHONPATH", "").split(os.pathsep) if each] + [folder] * finds_folder
        places = [Path(folder, each) for each in named if each not in self._facts["path"]]
        offered = {path.name.partition(".")[0] for place in places if place.is_dir() for path in place.iterdir()}
        return (
            read_at_start(env) == self._facts["variables"]
            and inherited() == self._facts["inherited"]
            and offered.isdisjoint(self._facts["imported"])
        )

    def fork(self, request: Mapping[str, Any], descriptors: Sequence[int]) -> int:
        """The id of a new process, a child of this one; see :func:`fork_server.become`."""
        libc, before = ctypes.CDLL(None), ctypes.c_int()
        with self._lock:
            libc.prctl(SUBREAPER[1], ctypes.byref(before), 0, 0, 0)
            libc.prctl(SUBREAPER[0], 1, 0, 0, 0)  # the fork's parent ends at once, and leaves it to us
            try:
                send(self._connection, {**request, "facts": self._facts}, descriptors)
                pid, _ = received(self._connection)
            finally:
                libc.prctl(SUBREAPER[0], before.value, 0, 0, 0)
        return int(pid)

    def close(self) -> None:
        """End the server."""
        self._connection.close()
        if self._process:
            self._process.wait()


def forking(program: Path, server: Callable[[], ForkServer]) -> type[subprocess.Popen[Any]]:
    """A ``Popen`` that forks ``program`` and the project's modules where that makes no difference but the time."""

    class Forking(subprocess.Popen):
        def _execute_child(self, *arguments: Any) -> None:
            given = START.bind(self, *arguments).arguments
            words, folder = given["args"], os.path.abspath(given["cwd"] or ".")
            env, kept = dict(os.environ if given["env"] is None else given["env"]), [*range(3), *given["pass_fds"]]
            pipes = [given[name] for name in ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")]
            standard = [own if pipe == -1 else pipe for own, pipe in enumerate(pipes[i] for i in (0, 3, 5))]
            words = [os.fspath(word) for word in words] if isinstance(words, list) else []
            if (
                not is_known(words, program)
                or any(given[name] not in (None, False, -1) for name in UNUSUAL)
                or any(map(os.isatty, standard))
                or not server().suits(folder, env, finds_folder=words[1:2] == ["-m"])
            ):
                super()._execute_child(*arguments)
                return
            request = {"words": words, "folder": folder, "env": env, "session": given["start_new_session"],
                       "kept": kept, "program": str(program)}  # fmt: skip
            self.pid = server().fork(request, [*standard, *given["pass_fds"]])
            self._child_created = True
            self._close_pipe_fds(*pipes)

    return Forking


def is_known(words: Sequence[str], program: Path) -> bool:
    """Whether a command line is one of ``program``, or starts an interpreter as the project does."""
    if not words or not all(isinstance(word, str) for word in words) or sys.platform != "linux":
        return False
    option, what = started(words)
    safe = words[1:2] == ["-P"] and (option == "-m" or what.startswith("from mlperf_mobile"))
    return words[0] == str(program) or (words[0] == sys.executable and (safe or what.startswith("mlperf_mobile")))


def started(words: Sequence[str]) -> tuple[str, str]:
    """What an interpreter's command line starts: ``-m`` and a module, or ``-c`` and code, or nothing."""
    option, what, *_ = [*words[1 + (words[1:2] == ["-P"]) :], "", ""]
    return (option, what) if option in ("-m", "-c") else ("", "")


def read_at_start(env: Mapping[str, str]) -> dict[str, str]:
    """The variables that matter at the start of a process, except those that a fork heeds."""
    return {name: value for name, value in env.items() if name.startswith(READ_AT_START) and name not in HEEDED}


def inherited() -> str:
    """What this thread would give to a process, besides what a request has."""
    own = Path("/proc/thread-self")
    return "\n".join(
        [*(found[0] for found in INHERITED.finditer((own / "status").read_text())), (own / "limits").read_text()]
    )


def send(connection: socket.socket, value: object, descriptors: Sequence[int] = ()) -> None:
    """Send a value of JSON, and descriptors."""
    data = json.dumps(value).encode()
    socket.send_fds(connection, [len(data).to_bytes(8)], descriptors)
    connection.sendall(data)


def received(connection: socket.socket) -> tuple[Any, list[int]]:
    """What the other side sent.

    Raises:
        EOFError: It has ended.
    """
    size, descriptors, _, _ = socket.recv_fds(connection, 8, 64)
    if not size:
        raise EOFError
    return json.loads(connection.recv(int.from_bytes(size), socket.MSG_WAITALL)), descriptors
