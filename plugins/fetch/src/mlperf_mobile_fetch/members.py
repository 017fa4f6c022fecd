"""Checks that an archive's member names are safe, and that a zip's table of members is not too large."""

from __future__ import annotations

import os
import struct
import unicodedata
import zipfile
from pathlib import Path

MAX_DEPTH = 32
MAX_NAME = 255
MAX_PATH = 1024
TABLE_BYTES = 512
"""Bytes that one member may take in a zip's table, on average: 46, its name and extra fields."""


class UnsafeName(Exception):
    """A member that must not be unpacked."""


class Names:
    """The names seen so far; none may overwrite another, even on a file system that ignores case."""

    def __init__(self) -> None:
        self._folders: dict[str, str] = {}
        self._files: set[str] = set()

    def add(self, name: str, *, is_folder: bool) -> list[str]:
        """The parts of a member's name.

        Raises:
            UnsafeName: It leads out of the folder, is not a proper name, or occurs twice.
        """
        parts = _parts(name)
        if not parts and not is_folder:
            raise UnsafeName(f"a member is called {name!a}")
        for end in range(1, len(parts) + is_folder):
            path = "/".join(parts[:end])
            key = _key(path)
            if key in self._files or self._folders.setdefault(key, path) != path:
                raise UnsafeName(f"{path!a} occurs twice, as a file or in another spelling")
        if parts and not is_folder:
            key = _key("/".join(parts))
            if key in self._files or key in self._folders:
                raise UnsafeName(f"{name!a} occurs twice")
            self._files.add(key)
        return parts


def _parts(name: str) -> list[str]:
    shown = f"{name[:200]!a}"
    if name.startswith("/") or "\\" in name or name[1:2] == ":":
        raise UnsafeName(f"{shown} is not a relative path")
    if not all(char.isprintable() or unicodedata.category(char) == "Zs" for char in name):
        raise UnsafeName(f"{shown} has control characters or an unknown encoding")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise UnsafeName(f"{shown} leads out of its folder")
    if len(parts) > MAX_DEPTH or any(len(os.fsencode(part)) > MAX_NAME for part in parts):
        raise UnsafeName(f"{shown} is too long or too deep")
    if len(os.fsencode(name)) > MAX_PATH:
        raise UnsafeName(f"{shown} is too long")
    return parts


def _key(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()


def check_directory(archive: Path, most: int) -> None:
    """Refuse a zip whose table of members, which is read as a whole, would fill the memory.

    Layout: APPNOTE.TXT 6.3.10, 4.3.14 to 4.3.16.

    Raises:
        zipfile.BadZipFile: The table is missing or too large.
        OSError: The file cannot be read.
    """
    with archive.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        begin = max(0, size - 22 - 0xFFFF)
        file.seek(begin)
        tail = file.read()
        found = tail.rfind(b"PK\x05\x06")
        if found < 0 or len(tail) < found + 22:
            raise zipfile.BadZipFile("its end is missing")
        table = struct.unpack_from("<I", tail, found + 12)[0]
        locator = begin + found - 20
        if table == 0xFFFFFFFF and locator >= 0:
            file.seek(locator)
            offset = struct.unpack("<4sIQI", file.read(20))[2]
            file.seek(min(offset, size))
            record = file.read(56)
            if len(record) == 56 and record.startswith(b"PK\x06\x06"):
                table = struct.unpack_from("<Q", record, 40)[0]
    if table > most * TABLE_BYTES:
        raise zipfile.BadZipFile("its table of members is too large")
