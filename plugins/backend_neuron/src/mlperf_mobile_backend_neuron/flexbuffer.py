"""Reads a flat map of numbers and texts from an untrusted FlexBuffer.

The format: https://flatbuffers.dev/internals, "FlexBuffers". Python rejects indices beyond the end of the bytes; this
module checks for negative ones, which Python would accept.
"""

from __future__ import annotations

_INT, _UINT, _KEY, _STRING, _MAP = 1, 2, 4, 5, 9
_MOST = 64
"""Maximum number of entries in a map; more are an error."""


def read_map(data: bytes) -> dict[str, int | str]:
    """The entries that are numbers or texts; others are omitted.

    Raises:
        ValueError: The data is not a FlexBuffer with a map.
    """
    try:
        return _Reader(data).read()
    except (IndexError, UnicodeDecodeError) as error:
        raise ValueError(f"it is not a FlexBuffer ({error})") from error


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self) -> dict[str, int | str]:
        if len(self._data) < 3:
            raise ValueError("it is too short for a FlexBuffer")
        root_width, packed = self._data[-1], self._data[-2]
        kind, width = packed >> 2, 1 << (packed & 3)
        if kind != _MAP or root_width not in (1, 2, 4, 8):
            raise ValueError("it is not a FlexBuffer with a map")
        at = self._target(len(self._data) - 2 - root_width, root_width)
        count = self._number(at - width, width)
        if count > _MOST:
            raise ValueError(f"it has {count} entries")
        keys, key_width = self._target(at - 3 * width, width), self._number(at - 2 * width, width)
        if key_width not in (1, 2, 4, 8):
            raise ValueError(f"its keys are {key_width} bytes wide")
        found: dict[str, int | str] = {}
        for index in range(count):
            key = self._key(self._target(keys + index * key_width, key_width))
            value = self._value(at + index * width, width, self._byte(at + count * width + index))
            if value is not None:
                found[key] = value
        return found

    def _value(self, at: int, width: int, packed: int) -> int | str | None:
        kind = packed >> 2
        if kind in (_INT, _UINT):
            return self._number(at, width, signed=kind == _INT)
        if kind == _KEY:
            return self._key(self._target(at, width))
        if kind == _STRING:
            start, size_width = self._target(at, width), 1 << (packed & 3)
            return self._bytes(start, self._number(start - size_width, size_width)).decode()
        return None

    def _bytes(self, at: int, size: int) -> bytes:
        if at < 0 or size < 0 or at + size > len(self._data):
            raise ValueError(f"it refers to {size} bytes at {at} of {len(self._data)}")
        return self._data[at : at + size]

    def _byte(self, at: int) -> int:
        return self._bytes(at, 1)[0]

    def _number(self, at: int, width: int, *, signed: bool = False) -> int:
        return int.from_bytes(self._bytes(at, width), "little", signed=signed)

    def _target(self, at: int, width: int) -> int:
        """The position that an offset refers to: offsets point backwards."""
        return at - self._number(at, width)

    def _key(self, at: int) -> str:
        if at < 0 or (end := self._data.find(b"\0", at)) < 0:
            raise ValueError("a key is not terminated")
        return self._data[at:end].decode()
