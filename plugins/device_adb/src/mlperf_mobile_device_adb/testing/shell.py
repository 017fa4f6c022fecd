"""The shell service: commands with and without the shell protocol, which keeps the streams and the exit code apart."""

from __future__ import annotations

import asyncio
import os
import signal
import struct
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from mlperf_mobile_device_adb.testing.protocol import Stream

STDIN, OUT, ERR, EXIT, CLOSE_STDIN = range(5)
"""Kinds of packets of the shell protocol."""
MOST_PACKET = 1 << 20


async def serve(
    stream: Stream, command: list[str], *, folder: Path, env: Mapping[str, str], has_protocol: bool, has_input: bool
) -> None:
    """Run a command, and connect it to the stream until it ends.

    Like adbd, it sends SIGHUP to the command's process when the host leaves before.
    """
    pipes = [os.pipe() for _ in range(2 if has_protocol else 1)]
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=pipes[0][1], stderr=pipes[1][1] if has_protocol else STDOUT, env=env,
            cwd=folder, start_new_session=True,
        )  # fmt: skip
    finally:
        for _, end in pipes:
            os.close(end)
    outputs = [await _open(start) for start, _ in pipes]
    feeding = asyncio.ensure_future(_feed(stream, process, has_protocol=has_protocol, has_input=has_input))
    pumps = [asyncio.ensure_future(_pump(outputs[n][0], n + OUT, stream, has_protocol)) for n in range(len(outputs))]
    try:
        await asyncio.gather(*pumps)
        code = await process.wait()
        if has_protocol:
            await stream.write(struct.pack("<BIB", EXIT, 1, code & 0xFF if code >= 0 else 128 - code))
    finally:
        for task in (feeding, *pumps):
            task.cancel()
        for _, transport in outputs:
            transport.close()
        _hang_up(process)


async def _open(fd: int) -> tuple[asyncio.StreamReader, asyncio.BaseTransport]:
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(fd, "rb", 0)
    )
    return reader, transport


async def _pump(reader: asyncio.StreamReader, kind: int, stream: Stream, has_protocol: bool) -> None:
    while data := await reader.read(65536):
        await stream.write(struct.pack("<BI", kind, len(data)) + data if has_protocol else data)


async def _feed(stream: Stream, process: asyncio.subprocess.Process, *, has_protocol: bool, has_input: bool) -> None:
    stdin = process.stdin
    assert stdin is not None
    try:
        while True:
            if not has_protocol:
                kind, data = STDIN, await stream.some()
            else:
                kind, size = struct.unpack("<BI", await stream.read(5))
                if size > MOST_PACKET:
                    raise EOFError
                data = await stream.read(size)
            with suppress(OSError, RuntimeError):  # the command may have closed its input, or ended
                if kind == STDIN and has_input:
                    stdin.write(data)
                    await stdin.drain()
                elif kind == CLOSE_STDIN:
                    stdin.close()
    except EOFError:
        _hang_up(process)


def _hang_up(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGHUP)
