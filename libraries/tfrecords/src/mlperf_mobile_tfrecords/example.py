"""Reads the features of a tf.train.Example from its bytes.

Example is ``{1: Features}``, Features ``{1: repeated entry}``, an entry ``{1: name, 2: Feature}``, a Feature one of
``{1: BytesList, 2: FloatList, 3: Int64List}``, and each list ``{1: repeated value}``. Sources: TensorFlow,
core/example/example.proto and feature.proto; the wire format: protobuf.dev, "Encoding".
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
BYTES_LIST, INT64_LIST = 1, 3

Feature = memoryview
"""The bytes of one Feature."""


def features(record: memoryview) -> dict[str, Feature]:
    """The features by name; the last of two with the same name counts, as in a protobuf map.

    Raises:
        ValueError: The bytes are not an Example.
    """
    found: dict[str, Feature] = {}
    for block in _messages(record, 1):
        for entry in _messages(block, 1):
            name, value = "", memoryview(b"")
            for field, content in _fields(entry):
                if field == 1:
                    name = str(content, "utf-8")
                elif field == 2:
                    value = content
            found[name] = value
    return found


def texts(feature: Feature) -> list[str]:
    """The values of a bytes feature, decoded as UTF-8.

    Raises:
        ValueError: It is not a list of bytes, or a value is not UTF-8.
    """
    found: list[str] = []
    for block in _messages(feature, BYTES_LIST, alone=True):
        found += _short_texts(bytes(block)) or [str(value, "utf-8") for value in _messages(block, 1)]
    return found


def integers(feature: Feature) -> npt.NDArray[np.int64]:
    """The values of an integer feature.

    Raises:
        ValueError: It is not a list of integers.
    """
    packed = [value for block in _messages(feature, INT64_LIST, alone=True) for value in _packed(block)]
    return varints(b"".join(packed))


def varints(data: bytes) -> npt.NDArray[np.int64]:
    """The 64-bit two's complement numbers in a sequence of varints.

    Raises:
        ValueError: The last varint is incomplete, or one has more than ten bytes.
    """
    values = np.frombuffer(data, np.uint8)
    if not values.size:
        return np.zeros(0, np.int64)
    last = np.flatnonzero(values < 0x80)
    if not last.size or last[-1] != values.size - 1:
        raise ValueError("a number does not end")
    first = np.concatenate(([0], last[:-1] + 1))
    sizes = last - first + 1
    if sizes.max() > 10:
        raise ValueError("a number has more than ten bytes")
    shifts = 7 * (np.arange(values.size) - np.repeat(first, sizes)).astype(np.uint64)
    return np.add.reduceat((values & 0x7F).astype(np.uint64) << shifts, first).view(np.int64)


def _short_texts(block: bytes) -> list[str] | None:
    """The same as ``_messages(block, 1)`` as text, in a tenth of the time; None unless all values are short."""
    found, place, size = [], 0, len(block)
    while place + 1 < size and block[place] == 1 << 3 | LENGTH and block[place + 1] < 0x80:
        begin = place + 2
        place = begin + block[place + 1]
        found.append(block[begin:place].decode())
    return found if place == size else None


def _packed(block: memoryview) -> Iterator[memoryview]:
    """The bytes of a repeated integer's values, packed or single."""
    for field, wire, content in _all_fields(block):
        if field == 1:
            if wire not in (VARINT, LENGTH):
                raise ValueError(f"an integer has wire type {wire}")
            yield content


def _messages(data: memoryview, number: int, alone: bool = False) -> Iterator[memoryview]:
    for field, content in _fields(data):
        if field == number:
            yield content
        elif alone:
            raise ValueError(f"the values are of kind {field}, not {number}")


def _fields(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    for field, wire, content in _all_fields(data):
        if wire != LENGTH:
            raise ValueError(f"field {field} has wire type {wire}")
        yield field, content


def _all_fields(data: memoryview) -> Iterator[tuple[int, int, memoryview]]:
    """Number, wire type and content of each field; a varint's content is its bytes."""
    place = 0
    while place < len(data):
        key, place = _varint(data, place)
        wire, begin = key & 7, place
        if wire == LENGTH:
            length, begin = _varint(data, place)
            place = begin + length
        elif wire == VARINT:
            _, place = _varint(data, place)
        elif wire in (FIXED64, FIXED32):
            place += 8 if wire == FIXED64 else 4
        else:
            raise ValueError(f"wire type {wire} does not exist")
        if place > len(data):
            raise ValueError(f"{place - len(data)} bytes are missing")
        yield key >> 3, wire, data[begin:place]


def _varint(data: memoryview, place: int) -> tuple[int, int]:
    """A number of up to 64 bits, and the offset of its end."""
    number = 0
    for shift in range(0, 70, 7):
        if place >= len(data):
            raise ValueError("a number is cut off")
        byte = data[place]
        place += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number & 0xFFFFFFFFFFFFFFFF, place
    raise ValueError("a number has more than ten bytes")
