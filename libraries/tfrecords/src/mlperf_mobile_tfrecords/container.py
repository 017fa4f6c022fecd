"""Reads TFRecord files that are one ZLIB stream, whole, with every checksum verified.

A record is its length (uint64), that length's masked CRC-32C, the data, and the data's masked CRC-32C, all
little-endian. Source: TensorFlow, tsl/lib/io/record_writer.h and tsl/lib/hash/crc32c.h.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import google_crc32c

from mlperf_mobile.errors import DataError

MAX_BYTES = 1 << 29
"""Largest uncompressed file."""
_CHUNK = 1 << 20
_HEAD = struct.Struct("<QI")
_FOOT = struct.Struct("<I")


def read_records(path: Path) -> list[memoryview]:
    """All records of a file, as views of one buffer.

    Raises:
        DataError: The file cannot be read, is damaged or not ZLIB, or unpacks to more than ``MAX_BYTES``.
    """
    return list(split_records(unpack(path), str(path)))


def unpack(path: Path) -> memoryview:
    """The uncompressed content of a file that is one ZLIB stream."""
    data, stream = bytearray(), zlib.decompressobj()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                data += stream.decompress(chunk, MAX_BYTES + 1 - len(data))
                if len(data) > MAX_BYTES:
                    reason = f"{path} unpacks to more than {MAX_BYTES} bytes"
                    raise DataError("data-damaged", reason, "give one of the app's TFRecord files")
                if stream.eof and (stream.unused_data or file.read(1)):
                    raise DataError("data-damaged", f"{path} has data after the end of its stream", "replace the file")
    except OSError as error:
        raise DataError("data-missing", f"cannot read {path}: {error.strerror}", "check --data-path") from error
    except zlib.error as error:
        hint = "the app's TFRecord files are compressed with ZLIB: replace the file, or write it again"
        raise DataError("data-damaged", f"{path} cannot be unpacked: {error}", hint) from error
    if not stream.eof:
        raise DataError("data-damaged", f"{path} is cut off after {len(data)} unpacked bytes", "replace the file")
    return memoryview(data).toreadonly()


def split_records(data: memoryview, source: str) -> Iterator[memoryview]:
    """The records in the uncompressed bytes of a file; ``source`` names it in messages."""
    place, number = 0, 0
    while place < len(data):
        if len(data) - place < _HEAD.size + _FOOT.size:
            raise _damaged(source, number, f"its header is cut off: {len(data) - place} bytes are left")
        length, check = _HEAD.unpack_from(data, place)
        if masked_crc(data[place : place + 8]) != check:
            raise _damaged(source, number, "the checksum of its length is wrong")
        begin = place + _HEAD.size
        if length > len(data) - begin - _FOOT.size:
            raise _damaged(source, number, f"it should have {length} bytes, {len(data) - begin} are left")
        record = data[begin : begin + length]
        if masked_crc(record) != _FOOT.unpack_from(data, begin + length)[0]:
            raise _damaged(source, number, "its checksum is wrong")
        yield record
        place, number = begin + length + _FOOT.size, number + 1


def masked_crc(data: memoryview) -> int:
    """CRC-32C, rotated right by 15 bits, plus a constant."""
    crc = int(google_crc32c.value(bytes(data)))
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _damaged(source: str, number: int, what: str) -> DataError:
    return DataError("data-damaged", f"{source} record {number}: {what}", "replace the file")
