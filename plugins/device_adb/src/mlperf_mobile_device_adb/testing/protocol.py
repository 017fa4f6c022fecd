"""The ADB protocol on the device's side: messages, authorisation of the host, and streams with flow control.

The protocol is described in AOSP's ``packages/modules/adb/docs/dev/protocol.md``.
"""

from __future__ import annotations

import asyncio
import os
import struct
from contextlib import suppress
from typing import Protocol

MOST_BYTES = 256 * 1024
"""Maximum payload of a message that the stand-in accepts."""
MOST_STREAMS = 256
FEATURES = "shell_v2,cmd,stat_v2,ls_v2,fixed_push_mkdir"
VERSION = 0x01000001
"""Since this version of the protocol, checksums are not verified."""
TOKEN, SIGNATURE = 1, 2
"""Kinds of AUTH messages. A third has the host's public key, which the user of a phone may accept."""


def _command(name: bytes) -> int:
    return int.from_bytes(name, "little")


CNXN, AUTH, OPEN, OKAY, CLSE, WRTE = map(_command, (b"CNXN", b"AUTH", b"OPEN", b"OKAY", b"CLSE", b"WRTE"))


class ProtocolError(Exception):
    """The host sent something that the protocol does not allow."""


class Owner(Protocol):
    """What a connection needs of the device that it belongs to."""

    is_offline: bool
    """Whether the host is never answered."""
    needs_key: bool
    """Whether a host must prove that it has an accepted key."""

    def banner(self, features: str) -> str: ...

    def accepts(self, token: bytes, signature: bytes) -> bool:
        """Whether this is a signature of ``token`` by an accepted key."""
        ...

    async def passes(self, count: int) -> None:
        """Wait as long as ``count`` bytes take on the link."""
        ...

    async def serve(self, service: str, stream: Stream) -> bool:
        """Serve one stream until it ends; False if the service is unknown."""
        ...


class Stream:
    """One stream of a connection, from the device's point of view."""

    def __init__(self, connection: Connection, local: int, remote: int) -> None:
        self.local, self.remote = local, remote
        self.closed = False
        self._connection = connection
        self._buffer = b""
        self._owes_okay = False
        self._arrived, self._sent = asyncio.Event(), asyncio.Event()

    async def accept(self) -> None:
        """Tell the host that the service exists."""
        await self._connection.send(OKAY, self.local, self.remote)

    async def write(self, data: bytes) -> None:
        """Send data, and wait until the host has taken it.

        Raises: EOFError: The stream was closed.
        """
        most = self._connection.most_bytes
        for start in range(0, len(data), most):
            if self.closed:
                raise EOFError
            self._sent.clear()
            await self._connection.send(WRTE, self.local, self.remote, data[start : start + most])
            await self._sent.wait()

    async def read(self, count: int) -> bytes:
        """Exactly ``count`` bytes.

        Raises: EOFError: The stream ended before.
        """
        parts = []
        while count:
            parts.append(await self.some(count))
            count -= len(parts[-1])
        return b"".join(parts)

    async def some(self, most: int = MOST_BYTES) -> bytes:
        """The next bytes, as many as there are.

        Raises: EOFError: The stream ended.
        """
        while not self._buffer:
            if self.closed:
                raise EOFError
            if self._owes_okay:
                self._owes_okay = False
                await self._connection.send(OKAY, self.local, self.remote)
            self._arrived.clear()
            if not self._buffer and not self.closed:
                await self._arrived.wait()
        data, self._buffer = self._buffer[:most], self._buffer[most:]
        return data

    async def close(self) -> None:
        if not self.closed:
            self.ended()
            await self._connection.send(CLSE, self.local, self.remote)

    # Called by the connection.

    def took(self, data: bytes) -> None:
        if self._owes_okay:
            raise ProtocolError("a second WRTE before the first was acknowledged")
        self._buffer += data
        self._owes_okay = True
        self._arrived.set()

    def acknowledged(self) -> None:
        self._sent.set()

    def ended(self) -> None:
        self.closed = True
        self._arrived.set()
        self._sent.set()


class Connection:
    """One host that is connected to a device."""

    def __init__(self, owner: Owner, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.most_bytes = MOST_BYTES
        self._owner, self._reader, self._writer = owner, reader, writer
        self._streams: dict[int, Stream] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._next = 1
        self._token = b""
        self._is_authorised = False

    async def serve(self) -> None:
        """Serve the host until the connection ends."""
        try:
            while True:
                await self._handle(*await self._message())
        except (asyncio.IncompleteReadError, OSError, ProtocolError):
            pass
        finally:
            self.drop()

    def drop(self) -> None:
        """Cut the connection, as a cable that is pulled does."""
        for stream in self._streams.values():
            stream.ended()
        self._streams.clear()
        self._writer.transport.abort()

    async def send(self, command: int, first: int, second: int, data: bytes = b"") -> None:
        await self._owner.passes(len(data))
        head = struct.pack("<6I", command, first, second, len(data), sum(data) & 0xFFFFFFFF, command ^ 0xFFFFFFFF)
        with suppress(OSError):  # reading reports that the connection ended
            self._writer.write(head + data)
            await self._writer.drain()

    async def authorise(self) -> None:
        """Complete a connection that waits for its user's permission."""
        if self._token and not self._is_authorised:
            await self._greet()

    async def _message(self) -> tuple[int, int, int, bytes]:
        command, first, second, size, _, magic = struct.unpack("<6I", await self._reader.readexactly(24))
        if magic != command ^ 0xFFFFFFFF or size > MOST_BYTES:
            raise ProtocolError("not a message of ADB, or too long")
        data = await self._reader.readexactly(size)
        await self._owner.passes(size)
        return command, first, second, data

    async def _handle(self, command: int, first: int, second: int, data: bytes) -> None:
        if command == CNXN:
            self.most_bytes = max(1, min(second, MOST_BYTES))
            if self._owner.is_offline:
                return
            await (self._challenge() if self._owner.needs_key else self._greet())
        elif command == AUTH and not self._is_authorised:
            if first == SIGNATURE and self._token:
                await (self._greet() if self._owner.accepts(self._token, data) else self._challenge())
        elif not self._is_authorised:
            raise ProtocolError("the host is not authorised")
        elif command == OPEN:
            self._open(first, data)
        elif stream := self._streams.get(second):
            if command == WRTE:
                stream.took(data)
            elif command == OKAY:
                stream.acknowledged()
            elif command == CLSE:
                del self._streams[second]
                stream.ended()

    async def _greet(self) -> None:
        self._is_authorised = True
        await self.send(CNXN, VERSION, MOST_BYTES, self._owner.banner(FEATURES).encode())

    async def _challenge(self) -> None:
        self._token = os.urandom(20)
        await self.send(AUTH, TOKEN, 0, self._token)

    def _open(self, remote: int, data: bytes) -> None:
        if len(self._streams) >= MOST_STREAMS:
            raise ProtocolError("too many streams")
        stream = Stream(self, self._next, remote)
        self._streams[stream.local] = stream
        self._next += 1
        service = data.rstrip(b"\0").decode("utf-8", "surrogateescape")
        task = asyncio.ensure_future(self._serve(service, stream))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, service: str, stream: Stream) -> None:
        try:
            if not await self._owner.serve(service, stream):
                await self.send(CLSE, 0, stream.remote)
                stream.ended()
        except EOFError:
            pass
        finally:
            await stream.close()
            self._streams.pop(stream.local, None)
