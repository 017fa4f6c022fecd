"""Runs the client of a transport: its input and output in bounded memory, with a deadline."""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

MOST_OUTPUT = 16 << 20
"""Maximum bytes of each stream of a command."""


@dataclass(frozen=True, slots=True)
class Finished:
    """How a client ended."""

    returncode: int
    stdout: bytes
    stderr: bytes
    timed_out: bool = False
    overflowed: bool = False


def call(argv: Sequence[str], *, stdin: bytes = b"", timeout_s: float, most: int = MOST_OUTPUT) -> Finished:
    """Run a client, and end it at the deadline or when it prints too much.

    Raises:
        OSError: It cannot be started.
    """
    with subprocess.Popen(  # noqa: S603  no shell takes part
        argv, stdin=subprocess.PIPE if stdin else subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            return _communicate(process, stdin, time.monotonic() + timeout_s, most)
        except BaseException:
            process.kill()
            raise


def _communicate(process: subprocess.Popen[bytes], stdin: bytes, deadline: float, most: int) -> Finished:
    """Feed and drain a process; unlike ``Popen.communicate`` in bounded memory."""
    outputs = {process.stdout: bytearray(), process.stderr: bytearray()}
    left = memoryview(stdin)
    timed_out = overflowed = False
    with selectors.DefaultSelector() as selector:
        for stream in outputs:
            assert stream is not None
            selector.register(stream, selectors.EVENT_READ)
        if process.stdin is not None:
            os.set_blocking(process.stdin.fileno(), False)
            selector.register(process.stdin, selectors.EVENT_WRITE)
        while selector.get_map() and not overflowed:
            if (remaining := deadline - time.monotonic()) <= 0:
                timed_out = True
                break
            for key, _ in selector.select(remaining):
                if key.fileobj is process.stdin:
                    left = _written(key.fd, left)
                    if not left:
                        selector.unregister(process.stdin)
                        process.stdin.close()
                    continue
                kept = outputs[key.fileobj]  # type: ignore[index]  # only these two are registered for reading
                if data := os.read(key.fd, 65536):
                    kept += data
                    overflowed = len(kept) > most
                else:
                    selector.unregister(key.fileobj)
    if not (timed_out or overflowed):
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, deadline - time.monotonic()))
        timed_out = process.poll() is None
    if timed_out or overflowed:
        process.kill()
    out, err = (bytes(kept[:most]) for kept in outputs.values())
    return Finished(process.wait(), out, err, timed_out, overflowed)


def _written(fd: int, left: memoryview) -> memoryview:
    """What is left after a write; nothing if the process does not read any more."""
    try:
        return left[os.write(fd, left[:65536]) :]
    except BlockingIOError:
        return left
    except OSError:
        return left[:0]
