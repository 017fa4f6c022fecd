"""``python fork_server.py DESCRIPTOR``: forks for each request, as the process that is requested; see ``forks.py``."""

from __future__ import annotations

import ctypes
import fcntl
import gc
import os
import pkgutil
import re
import runpy
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from forks import ForkServer, forking, received, send, started
from pydantic import BaseModel

PACKAGES = re.compile(r"mlperf_(loadgen|mobile(_(rounds|report|telemetry|scenarios|fetch|images|tfrecords|task_.*))?)")
LEFT_OUT = re.compile(r"mlperf_mobile\.testing\b.*|.*\.__main__|.*train.*")
"""What neither commands nor workers need."""
STARTS_NOTHING = re.compile(r"mlperf_mobile\.(testing|worker)\b.*")


def import_all() -> None:
    """Import what commands and workers would."""
    names = [plugin.module for plugin in entry_points(group="mlperf_mobile")]
    for found in pkgutil.iter_modules():
        if PACKAGES.fullmatch(found.name):
            package = import_module(found.name)
            names += [each.name for each in pkgutil.walk_packages(getattr(package, "__path__", []), f"{found.name}.")]
    for name in names:
        if not LEFT_OUT.fullmatch(name):
            with suppress(ImportError):
                import_module(name)
    build(BaseModel)
    gc.freeze()
    assert len(os.listdir("/proc/self/task")) == 1, "a fork has no other threads"


def build(model: type[BaseModel]) -> None:
    """Build the validators of models, which are built when they are first used."""
    for each in model.__subclasses__():
        each.model_rebuild(raise_errors=False)
        build(each)


def serve(connection: socket.socket) -> Callable[[], object]:
    """Answer requests until the client ends; return only in forks: what they are to run."""
    while True:
        try:
            request, descriptors = received(connection)
        except EOFError:
            os._exit(0)
        told, tell = os.pipe()
        between = os.fork()
        if between == 0:
            parent = os.getpid()
            if child := os.fork():
                os.write(tell, str(child).encode())
                os._exit(0)
            while os.getppid() == parent:  # then it is the client's child
                time.sleep(0.0002)
            connection.detach()
            return become(descriptors=descriptors, **request)
        os.waitpid(between, 0)
        send(connection, int(os.read(told, 32)))
        for descriptor in (told, tell, *descriptors):
            os.close(descriptor)


def become(
    words: list[str], folder: str, env: dict[str, str], session: bool, kept: Sequence[int],
    descriptors: Sequence[int], program: str, facts: dict[str, Any],
) -> Callable[[], object]:  # fmt: skip
    """Give this process what a new one would have been started with.

    Args:
        words: Its command line.
        folder: Its working directory, absolute.
        env: Its variables.
        session: Whether it leads a session.
        kept: The numbers of its descriptors.
        descriptors: What they are.
        program: The command's.
        facts: See :class:`forks.ForkServer`.

    Returns:
        What it runs.
    """
    if session:
        os.setsid()
    above, own = max(kept) + 1, set(kept)
    option, what = started(words)
    if not STARTS_NOTHING.fullmatch(what):
        ours, theirs = socket.socketpair()
        if os.fork() == 0:  # a server for the processes that it starts, which is as new as it is now
            ours.detach()
            close_all_but({0, 1, 2, theirs.fileno()})
            return serve(theirs)
        theirs.detach()
        ours = socket.socket(fileno=fcntl.fcntl(ours.detach(), fcntl.F_DUPFD_CLOEXEC, above))
        own.add(ours.fileno())
        server = ForkServer(ours, facts)
        subprocess.Popen = forking(Path(program), lambda: server)
    lifted = [fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, above) for descriptor in descriptors]
    for number, descriptor in zip(kept, lifted, strict=True):
        os.dup2(descriptor, number)
    close_all_but(own)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    show(words, env)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(write_through=bool(env.get("PYTHONUNBUFFERED")))
    first = [] if words[1:2] == ["-P"] else [folder if option else str(Path(words[0]).parent)]
    sys.path[:1] = [*first, *filter(None, env.get("PYTHONPATH", "").split(os.pathsep))]
    sys.argv = [option, *words[words.index(what) + 1 :]] if option else words
    if option == "-c":
        return lambda: exec(what, vars(sys.modules["__main__"]))
    if option == "-m":
        if not hasattr(sys.modules.get(what), "__path__"):
            sys.modules.pop(what, None)  # it is run, not imported
        return lambda: runpy.run_module(what, run_name="__main__", alter_sys=True)
    return run_command


def run_command() -> None:
    """What the script of the command does."""
    from mlperf_mobile.cli.main import command

    command()


def close_all_but(kept: Collection[int]) -> None:
    """Close the descriptors of this process that are not ``kept``."""
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        if descriptor not in kept:
            with suppress(OSError):
                os.close(descriptor)


def show(words: Sequence[str], env: dict[str, str]) -> None:
    """Have ``/proc`` show a command line and variables as those of this process (proc(5), ``stat``)."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    arguments, arguments_end, variables, variables_end = map(int, fields[45:49])
    for texts, start, end in (
        (words, arguments, arguments_end),
        ([f"{name}={value}" for name, value in env.items()], variables, variables_end),
    ):
        data = b"".join(os.fsencode(text) + b"\0" for text in texts)
        ctypes.memmove(start, data[: end - start].ljust(end - start, b"\0"), end - start)


if __name__ == "__main__":
    import_all()
    names = sorted({name.partition(".")[0] for name in sys.modules})
    client = socket.socket(fileno=int(sys.argv[1]))
    send(client, {"imported": names, "path": sys.path})
    serve(client)()
