"""One simulated phone: its port, its connections and its processes, and the faults that happen to it."""

from __future__ import annotations

import asyncio
import os
import re
import resource
import secrets
import shutil
import signal
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from mlperf_mobile_device_adb.testing import shell
from mlperf_mobile_device_adb.testing.faults import Moments
from mlperf_mobile_device_adb.testing.keys import PublicKey
from mlperf_mobile_device_adb.testing.processes import Processes, command_line, cpu_seconds
from mlperf_mobile_device_adb.testing.profile import Body, Profile
from mlperf_mobile_device_adb.testing.protocol import Connection, Stream
from mlperf_mobile_device_adb.testing.sync import Sync
from mlperf_mobile_device_adb.testing.system import System

REFRESH_S = 0.5
"""Minimum time between two calculations of heat and battery."""
MOST_BURST_S = 0.05
"""The link may be this much ahead of its rate."""
_all = Processes()
UNLIMITED = resource.RLIM_INFINITY


class Device:
    """A stand-in for one phone.

    Args:
        profile: What it claims to be.
        folder: An empty folder for its files.
        keys: The hosts that it accepts.
        toybox: See :class:`System`.
        sh: The shell that executes commands.
    """

    def __init__(
        self, profile: Profile, folder: Path, keys: Iterable[PublicKey], *, toybox: str | None = None, sh: str = "sh"
    ) -> None:
        self.profile, self.body = profile, Body(profile, seed=hash_of(profile.serial))
        self.system = System(folder, self.body, toybox)
        self.moments = Moments()
        self.port = 0
        self.is_offline = False
        self.needs_key = True
        self.commands = 0
        self.moved_bytes = {"push": 0, "pull": 0}
        self._keys = [*keys]
        self._refuses_all = False
        self._sh = sh
        self._marker = secrets.token_hex(8)
        self._server: asyncio.Server | None = None
        self._connections: set[Connection] = set()
        self._bytes_per_s = 0.0
        self._link_free_at = 0.0
        self._looked_at, self._cpu_s = time.monotonic(), 0.0

    # What the protocol needs.

    def banner(self, features: str) -> str:
        profile = self.profile
        names = {"name": profile.board, "model": profile.model.replace(" ", "_"), "device": profile.board}
        if not profile.has_shell_v2:
            features = features.replace("shell_v2,", "")
        return "device::" + "".join(f"ro.product.{key}={text};" for key, text in names.items()) + f"features={features}"

    def accepts(self, token: bytes, signature: bytes) -> bool:
        return not self._refuses_all and any(key.signed(token, signature) for key in self._keys)

    async def passes(self, count: int) -> None:
        if self._bytes_per_s:
            now = time.monotonic()
            self._link_free_at = max(now, self._link_free_at) + count / self._bytes_per_s
            if self._link_free_at - now > MOST_BURST_S:
                await asyncio.sleep(self._link_free_at - now)

    async def serve(self, service: str, stream: Stream) -> bool:
        kind, _, rest = service.partition(":")
        kind, *options = kind.split(",")
        if kind == "reboot":
            asyncio.get_running_loop().call_soon(self.reboot)
        elif kind == "sync":
            await stream.accept()
            await Sync(stream, self.system.place, self.system.room, self._moved).serve()
        elif kind in ("shell", "exec"):
            await stream.accept()
            await self._shell(stream, rest, kind, options)
        else:
            return False
        return True

    # Its life.

    async def start(self, port: int = 0) -> None:
        """Accept hosts on a port of 127.0.0.1; 0 takes a free one."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", port, reuse_address=True)
        self.port = self._server.sockets[0].getsockname()[1]

    def drop(self) -> None:
        """Cut all connections. The host may connect again."""
        for connection in list(self._connections):
            connection.drop()

    def reboot(self, seconds: float = 1.0) -> None:
        """End all processes, and come back after some seconds with another boot id."""
        self.vanish()
        self.system.boot()
        loop = asyncio.get_running_loop()
        loop.call_later(seconds, lambda: asyncio.ensure_future(self.start(self.port)))

    def vanish(self) -> None:
        """Be gone for good: nothing answers any more, and all processes end."""
        if self._server is not None:
            self._server.close()
        self.drop()
        self.kill()

    def unplug(self, seconds: float = 1.0) -> None:
        """Be out of reach for some seconds, while processes go on."""
        if self._server is not None:
            self._server.close()
        self.drop()
        loop = asyncio.get_running_loop()
        loop.call_later(seconds, lambda: asyncio.ensure_future(self.start(self.port)))

    def set_offline(self, value: bool) -> None:
        """Accept connections without ever answering, as a phone that hangs; or stop that."""
        self.is_offline = value
        self.drop()

    def set_authorised(self, value: bool) -> None:
        """Refuse all keys, as before the user allowed the computer; or accept those of the device again."""
        self._refuses_all = not value
        self.drop()

    def slow(self, bytes_per_s: float) -> None:
        """Limit the link in both directions together; 0: no limit."""
        self._bytes_per_s = bytes_per_s

    def fill(self, free_bytes: int = 0) -> None:
        """Leave this much free storage. Files of running and later commands cannot grow beyond it."""
        self.system.extra_used = 0
        self.system.extra_used = max(0, self.system.room() - free_bytes)
        for pid in self.processes():
            with suppress(OSError, ValueError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (free_bytes, UNLIMITED))

    def empty(self) -> None:
        """Undo :meth:`fill`."""
        self.system.extra_used = 0
        for pid in self.processes():
            with suppress(OSError, ValueError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (UNLIMITED, UNLIMITED))

    def deny(self, value: bool) -> None:
        """Make the folder for temporary files read-only, or writable again."""
        for folder in (self.system.tmp, *(path for path in self.system.tmp.iterdir() if path.is_dir())):
            folder.chmod(0o555 if value else 0o755)

    def kill(self, matching: str = "") -> int:
        """Kill the device's processes, or those whose command line matches a regular expression; how many there were.

        Raises: ValueError: It is not one.
        """
        try:
            expression = re.compile(matching)
        except re.error as error:
            raise ValueError(f"{matching!r} is not a regular expression: {error}") from error
        killed: set[int] = set()
        while found := [pid for pid in self.processes() if expression.search(command_line(pid)) and pid not in killed]:
            for pid in found:  # those that began meanwhile are found the next time
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            killed.update(found)
        return len(killed)

    def lose_end(self) -> None:
        """Remove the last ``ended`` from every journal of a run that has an ``rc``, or as soon as it has one."""

        def look() -> None:
            found = [path for path in self.system.tmp.glob("**/events.jsonl") if path.with_name("rc").exists()]
            for path in found:
                lines = path.read_bytes().splitlines(keepends=True)
                path.write_bytes(b"".join(line for line in lines if b'"ended"' not in line))
            if not found:
                loop.call_later(0.005, look)

        loop = asyncio.get_running_loop()
        look()

    def processes(self, age_s: float = 0.0) -> Sequence[int]:
        """The processes that commands on this device started, and their descendants, as of at most ``age_s`` ago."""
        return _all.of(self._marker, age_s) if self.commands else ()

    def close(self) -> None:
        self.vanish()
        self.deny(value=False)
        shutil.rmtree(self.system.folder, ignore_errors=True)

    # Its services.

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(self, reader, writer)
        self._connections.add(connection)
        try:
            await connection.serve()
        except asyncio.CancelledError:
            return  # the stand-in ends
        finally:
            self._connections.discard(connection)

    async def _shell(self, stream: Stream, line: str, kind: str, options: list[str]) -> None:
        self.commands += 1
        self._refresh()
        if "df" in line:
            self.system.measure()
        for seconds, happens in self.moments.command(line):
            asyncio.get_running_loop().call_later(seconds, happens)
        limit = f"trap '' XFSZ; ulimit -S -f {self.system.room() // 512}; " if self.system.extra_used else ""
        command = [self._sh, "-c", limit + self.system.command(line)] if line else [self._sh]
        await shell.serve(
            stream, command, folder=self.system.folder, env=self.system.env(self._marker),
            has_protocol=kind == "shell" and "v2" in options, has_input=True,
        )  # fmt: skip

    async def _moved(self, direction: str, path: str, count: int, size: int) -> None:
        self.moved_bytes[direction] += size
        for happens in self.moments.moved(direction, path, count):
            happens()

    def _refresh(self) -> None:
        now = time.monotonic()
        passed = now - self._looked_at
        if passed < REFRESH_S:
            return
        used = sum(map(cpu_seconds, self.processes(REFRESH_S)))
        cores = len(self.profile.cores)
        load = min(1.0, max(0.0, used - self._cpu_s) / passed / cores)
        self._looked_at, self._cpu_s = now, used
        if self.body.advance(passed, load):
            asyncio.get_running_loop().call_soon(self.drop)
        self.system.refresh()


def hash_of(text: str) -> int:
    """A number for a text, the same in every process."""
    return int.from_bytes(text.encode()[-8:], "big")
