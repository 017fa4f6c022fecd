"""Reads an untrusted flexbuffer map of numbers, the format of custom operators' options.

The format: FlexBuffers of https://flatbuffers.dev/internals. A buffer ends with its root, the root's type and the
root's width; offsets point backwards.
"""

from __future__ import annotations

from struct import unpack_from

from mlperf_mobile_tflite_model.flatbuffer import Damaged

_INT, _UINT, _FLOAT, _INDIRECT_INT, _INDIRECT_UINT, _INDIRECT_FLOAT, _MAP, _BOOL = 1, 2, 3, 6, 7, 8, 9, 26
_UNSIGNED = "BHIQ"
_CODES = {_INT: "bhiq", _UINT: _UNSIGNED, _FLOAT: " efd", _BOOL: _UNSIGNED}

MAX_ENTRIES = 1000
"""More than any operator has options."""


def read_map(data: bytes) -> dict[str, bool | int | float]:
    """The numbers in a buffer's map, by key; other values are left out.

    Raises:
        Damaged: The buffer is not a map, or not all of it lies inside the buffer.
    """
    if len(data) < 3:
        raise Damaged("a flexbuffer has at least 3 bytes")
    packed, width = data[-2], data[-1]
    if width not in {1, 2, 4, 8} or packed >> 2 != _MAP:
        raise Damaged("the flexbuffer is not a map")
    at = _back(data, len(data) - 2 - width, width)
    width = 1 << (packed & 3)
    count = _unsigned(data, at - width, width)
    if count > MAX_ENTRIES:
        raise Damaged(f"the flexbuffer's map has {count} entries")
    keys_at = _back(data, at - 3 * width, width)
    keys_width = _unsigned(data, at - 2 * width, width)
    if keys_width not in {1, 2, 4, 8}:
        raise Damaged("the flexbuffer's keys have no width")
    found: dict[str, bool | int | float] = {}
    for index in range(count):
        key = _text(data, _back(data, keys_at + index * keys_width, keys_width))
        slot = at + index * width
        kind = _unsigned(data, at + count * width + index, 1)
        value = _value(data, slot, width, kind)
        if value is not None:
            found[key] = value
    return found


def _value(data: bytes, at: int, width: int, packed: int) -> bool | int | float | None:
    kind = packed >> 2
    if _INDIRECT_INT <= kind <= _INDIRECT_FLOAT:
        at, width, kind = _back(data, at, width), 1 << (packed & 3), kind - _INDIRECT_INT + _INT
    if kind not in _CODES:
        return None
    value = _number(data, at, width, _CODES[kind])
    return bool(value) if kind == _BOOL else value


def _number(data: bytes, at: int, width: int, codes: str) -> int | float:
    code = codes[width.bit_length() - 1]
    if not 0 <= at <= len(data) - width or code == " ":
        raise Damaged(f"the flexbuffer has no number at byte {at}")
    value: int | float = unpack_from(f"<{code}", data, at)[0]
    return value


def _unsigned(data: bytes, at: int, width: int) -> int:
    return int(_number(data, at, width, _UNSIGNED))


def _back(data: bytes, at: int, width: int) -> int:
    """The target of the offset at ``at``."""
    return at - _unsigned(data, at, width)


def _text(data: bytes, at: int) -> str:
    end = data.find(b"\0", at) if at >= 0 else -1
    if end < 0:
        raise Damaged("a key of the flexbuffer does not end")
    return data[at : min(end, at + 100)].decode("utf-8", "replace")
