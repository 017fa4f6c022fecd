"""Writes TFRecord files, independently of the code that reads them."""

import struct
import zlib


def crc32c(data):
    """Bit by bit, from the polynomial of RFC 3720."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked(data):
    crc = crc32c(data)
    return struct.pack("<I", ((crc >> 15) + (crc << 17) + 0xA282EAD8) % 2**32)


def container(records):
    parts = []
    for record in records:
        length = struct.pack("<Q", len(record))
        parts += [length, masked(length), record, masked(record)]
    return b"".join(parts)


def number(value):
    out = b""
    value %= 2**64
    while value >= 0x80:
        out += bytes((value % 128 + 128,))
        value //= 128
    return out + bytes((value,))


def message(field, content):
    return number(field * 8 + 2) + number(len(content)) + content


def encode(features, packed=True):
    entries = b""
    for key, values in features.items():
        if all(isinstance(value, str) for value in values):
            kind, body = 1, b"".join(message(1, value.encode()) for value in values)
        elif packed:
            kind, body = 3, message(1, b"".join(map(number, values)))
        else:
            kind, body = 3, b"".join(number(8) + number(value) for value in values)
        entries += message(1, message(1, key.encode()) + message(2, message(kind, body)))
    return message(1, entries)


def write_tfrecord(path, records):
    """One ZLIB stream of Examples, each given by its features."""
    path.write_bytes(zlib.compress(container([encode(record) for record in records])))
