"""The sync service: files are looked at, listed, sent to the device and received from it.

Requests and answers are described in AOSP's ``packages/modules/adb/docs/dev/sync.md``.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from mlperf_mobile_device_adb.testing.protocol import Stream

MOST_PATH = 1024
"""Maximum bytes of a path that adbd accepts."""
MOST_DATA = 64 * 1024
"""Maximum bytes of a chunk of a file."""

Moved = Callable[[str, str, int, int], Awaitable[None]]
"""Called before each chunk: ``push`` or ``pull``, the path, the bytes so far, those of the chunk."""


class Sync:
    """One stream of the sync service.

    Args:
        stream: The stream.
        place: The file of this machine for a path of the device.
        room: The number of bytes for which the storage has room.
        moved: Called while a file is sent or received.
    """

    def __init__(self, stream: Stream, place: Callable[[str], Path], room: Callable[[], int], moved: Moved) -> None:
        self._stream, self._place, self._room, self._moved = stream, place, room, moved

    async def serve(self) -> None:
        """Answer requests until the host has no more, or asks for something unknown."""
        answers = {
            b"STAT": self._stat, b"LSTA": self._stat, b"STA2": self._stat2, b"LST2": self._stat2, b"LIST": self._list,
            b"LIS2": self._list, b"SEND": self._receive, b"RECV": self._send,
        }  # fmt: skip
        while True:
            name, size = await self._head()
            if name == b"QUIT":
                return
            if name not in answers or size > MOST_PATH:
                await self._fail(f"unknown request {name!r}, or a path of {size} bytes")
                return
            path = (await self._stream.read(size)).decode("utf-8", "surrogateescape")
            await answers[name](name, path)

    async def _head(self) -> tuple[bytes, int]:
        name, number = struct.unpack("<4sI", await self._stream.read(8))
        return name, number

    async def _fail(self, why: str) -> None:
        data = why.encode(errors="replace")
        await self._stream.write(struct.pack("<4sI", b"FAIL", len(data)) + data)

    async def _stat(self, name: bytes, path: str) -> None:
        found = _lstat(self._place(path))
        fields = (found.st_mode, found.st_size & 0xFFFFFFFF, int(found.st_mtime)) if found else (0, 0, 0)
        await self._stream.write(struct.pack("<4s3I", b"STAT", *fields))

    async def _stat2(self, name: bytes, path: str) -> None:
        found: os.stat_result | None = None
        error = 0
        try:
            found = self._place(path).stat() if name == b"STA2" else self._place(path).lstat()
        except OSError as failure:
            error = failure.errno or 5
        await self._stream.write(struct.pack("<4s", name) + _fields2(error, found))

    async def _list(self, name: bytes, path: str) -> None:
        is_new = name == b"LIS2"
        try:
            entries = sorted(self._place(path).iterdir())
        except OSError:
            entries = []
        for entry in entries:
            if (found := _lstat(entry)) is None:
                continue
            text = os.fsencode(entry.name)
            if is_new:
                answer = b"DNT2" + _fields2(0, found) + struct.pack("<I", len(text))
            else:
                head = (found.st_mode, found.st_size & 0xFFFFFFFF, int(found.st_mtime), len(text))
                answer = struct.pack("<4s4I", b"DENT", *head)
            await self._stream.write(answer + text)
        await self._stream.write(b"DONE" + bytes(72 if is_new else 16))

    async def _receive(self, name: bytes, request: str) -> None:
        """A file from the host. After an error, the rest of its data is read, as adbd does."""
        path, _, mode = request.rpartition(",")
        place, count, error = self._place(path), 0, ""
        file = -1
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):
                place.unlink()
            file = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        except OSError as failure:
            error = f"couldn't create file: {failure.strerror}"
        try:
            while True:
                kind, size = await self._head()
                if kind == b"DONE":
                    break
                if kind != b"DATA" or size > MOST_DATA:
                    await self._fail(f"invalid data message {kind!r}")
                    raise EOFError
                data = await self._stream.read(size)
                await self._moved("push", path, count, size)
                count += size
                if not error and self._room() < size:
                    error = "write failed: No space left on device"
                if not error:
                    error = _written(file, data)
        except EOFError:
            with suppress(OSError):
                place.unlink()  # adbd removes what did not arrive completely
            raise
        finally:
            if file >= 0:
                os.close(file)
        if error:
            with suppress(OSError):
                place.unlink()
            await self._fail(error)
            return
        user = int(mode) & 0o700 if mode.isdecimal() else 0o600
        place.chmod((int(mode) if mode.isdecimal() else 0o600) & 0o777 | user >> 3 | user >> 6)
        os.utime(place, (size, size))
        await self._stream.write(struct.pack("<4sI", b"OKAY", 0))

    async def _send(self, name: bytes, path: str) -> None:
        count = 0
        try:
            with self._place(path).open("rb") as file:
                while data := file.read(MOST_DATA):
                    await self._moved("pull", path, count, len(data))
                    count += len(data)
                    await self._stream.write(struct.pack("<4sI", b"DATA", len(data)) + data)
        except OSError as failure:
            await self._fail(f"open failed: {failure.strerror}")
            return
        await self._stream.write(struct.pack("<4sI", b"DONE", 0))


def _written(file: int, data: bytes) -> str:
    """Write all of it; the error, or nothing."""
    try:
        while data:
            data = data[os.write(file, data) :]
    except OSError as failure:
        return f"write failed: {failure.strerror}"
    return ""


def _lstat(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except OSError:
        return None


def _fields2(error: int, found: os.stat_result | None) -> bytes:
    """What STA2, LST2 and DNT2 have in common: error, device, inode, mode, links, owner, group, size, times."""
    if found is None:
        return struct.pack("<IQQIIIIQqqq", error, *[0] * 10)
    times = (int(found.st_atime), int(found.st_mtime), int(found.st_ctime))
    owner = (found.st_nlink, found.st_uid, found.st_gid)
    return struct.pack("<IQQIIIIQqqq", error, found.st_dev, found.st_ino, found.st_mode, *owner, found.st_size, *times)
