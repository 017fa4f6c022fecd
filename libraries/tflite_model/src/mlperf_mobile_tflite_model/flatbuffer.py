"""Walks an untrusted flatbuffer: every table, vector and string must lie inside the file.

The format: https://flatbuffers.dev/internals. Python's integers do not overflow, so comparing sums of offsets with the
file's size is enough.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping
from functools import cache
from struct import Struct, unpack_from
from typing import NamedTuple

MAX_PARTS = 1_000_000
"""Tables and vector entries visited at most; a model of 30 MB has about ten thousand."""

Data = bytes | mmap.mmap
_U16, _U32, _I32 = Struct("<H"), Struct("<I"), Struct("<i")
_STRING, _NUMBERS, _TABLES, _TABLE, _UNION = range(5)
_REFERENCE = 4


class Damaged(Exception):
    """Something lies outside the file, or the file claims more parts than it can hold."""


class _Field(NamedTuple):
    """A declared field: its width in the table and, for a reference, its target."""

    width: int
    kind: int | None = None
    item: str = ""
    item_size: int = 0


class _Reference(NamedTuple):
    """A field of one table layout that refers to something."""

    offset: int
    field: _Field
    type_offset: int
    """For a union: the offset of its type; 0 if absent."""


class _Layout(NamedTuple):
    size: int
    references: tuple[_Reference, ...]


@cache
def _declared(text: str) -> tuple[_Field | None, ...]:
    """The fields that one line of the schema declares (see ``schema.py`` for the notation)."""

    def field(word: str) -> _Field | None:
        if word.isdigit():
            return _Field(int(word))
        if word[0] == "[":
            item = word[1:-1]
            return _Field(_REFERENCE, _NUMBERS, "", int(item)) if item.isdigit() else _Field(_REFERENCE, _TABLES, item)
        if word[0] == "?":
            return _Field(_REFERENCE, _UNION, word[1:])
        return None if word == "-" else _Field(_REFERENCE, _STRING if word == "s" else _TABLE, word)

    return tuple(field(word) for word in text.split())


class Walker:
    """Checks everything that can be reached from a table.

    Args:
        data: The file.
        tables: The fields of each table, in the notation of ``schema.py``.
        unions: The table of each type of each union.
    """

    def __init__(self, data: Data, tables: Mapping[str, str], unions: Mapping[str, str]) -> None:
        self._data, self._size, self._tables = data, len(data), tables
        self._unions = {union: members.split() for union, members in unions.items()}
        self._layouts: dict[tuple[str, int], _Layout] = {}
        self._left = min(MAX_PARTS, self._size // _REFERENCE)

    def root(self, name: str) -> Table:
        """Check the root table ``name`` and all below it.

        Raises:
            Damaged: Something does not lie inside the file.
        """
        if self._size < 2 * _REFERENCE:
            raise Damaged("the file is too short for a header")
        start = _U32.unpack_from(self._data, 0)[0]
        pending = [(name, start)]
        while pending:
            self._check_table(*pending.pop(), pending)
        return Table(self._data, start)

    def _check_table(self, name: str, at: int, pending: list[tuple[str, int]]) -> None:
        data, size = self._data, self._size
        self._spend(1)
        if at + _REFERENCE > size:
            raise Damaged(f"its {name} would start at byte {at}")
        vtable = at - _I32.unpack_from(data, at)[0]
        layout = self._layouts.get((name, vtable)) or self._read_layout(name, at, vtable)
        if at + layout.size > size:
            raise Damaged(f"its {name} at byte {at} has {layout.size} bytes")
        for offset, field, type_offset in layout.references:
            slot = at + offset
            target = slot + _U32.unpack_from(data, slot)[0]
            if target == slot or target + _REFERENCE > size:
                raise Damaged(f"its {name} at byte {at} refers to byte {target}")
            if field.kind == _NUMBERS:
                if target + _REFERENCE + _U32.unpack_from(data, target)[0] * field.item_size > size:
                    raise Damaged(f"a vector of its {name} at byte {at} extends past the end")
            elif field.kind == _TABLES:
                pending += self._check_references(name, field.item, target)
            elif field.kind == _STRING:
                end = target + _REFERENCE + _U32.unpack_from(data, target)[0]
                if end >= size or data[end]:
                    raise Damaged(f"a string of its {name} at byte {at} does not end")
            elif field.kind == _TABLE:
                pending.append((field.item, target))
            elif code := data[at + type_offset] if type_offset else 0:
                known = self._unions[field.item]
                pending.append((known[code] if code < len(known) else field.item, target))

    def _check_references(self, name: str, item: str, at: int) -> list[tuple[str, int]]:
        """The entries of a vector of tables, with their positions."""
        count = _U32.unpack_from(self._data, at)[0]
        first = at + _REFERENCE
        if first + count * _REFERENCE > self._size:
            raise Damaged(f"the {item} list of its {name} extends past the end")
        self._spend(count)
        offsets = unpack_from(f"<{count}I", self._data, first)
        return [(item, first + _REFERENCE * index + offset) for index, offset in enumerate(offsets)]

    def _read_layout(self, name: str, at: int, vtable: int) -> _Layout:
        """The layout of a table: which of its declared fields are present, and their offsets."""
        data, size = self._data, self._size
        if not 0 <= vtable <= size - _REFERENCE:
            raise Damaged(f"its {name} at byte {at} has no layout")
        length, table_size = unpack_from("<HH", data, vtable)
        if length < _REFERENCE or length % 2 or vtable + length > size or table_size < _REFERENCE:
            raise Damaged(f"its {name} at byte {at} has a broken layout")
        declared = _declared(self._tables.get(name, ""))
        count = min(len(declared), length // 2 - 2)
        offsets = unpack_from(f"<{count}H", data, vtable + _REFERENCE)
        references = []
        for index, (offset, field) in enumerate(zip(offsets, declared, strict=False)):
            if not offset or field is None:
                continue
            if offset < _REFERENCE or offset + field.width > table_size:
                raise Damaged(f"its {name} at byte {at} has a broken layout")
            if field.kind is not None:
                references.append(_Reference(offset, field, offsets[index - 1] if field.kind == _UNION else 0))
        layout = _Layout(table_size, tuple(references))
        self._layouts[name, vtable] = layout
        return layout

    def _spend(self, parts: int) -> None:
        self._left -= parts
        if self._left < 0:
            raise Damaged("it has more parts than a file of its size can hold")


class Table:
    """Reads one table that a :class:`Walker` has checked; fields are identified by id."""

    __slots__ = ("_at", "_data", "_fields")

    def __init__(self, data: Data, at: int) -> None:
        vtable = at - _I32.unpack_from(data, at)[0]
        self._data, self._at = data, at
        self._fields = unpack_from(f"<{_U16.unpack_from(data, vtable)[0] // 2 - 2}H", data, vtable + 4)

    def _slot(self, field: int) -> int:
        offset = self._fields[field] if field < len(self._fields) else 0
        return self._at + offset if offset else 0

    def vector(self, field: int) -> tuple[int, int]:
        """Start and number of a vector's entries or a string's bytes."""
        slot = self._slot(field)
        if not slot:
            return 0, 0
        start: int = slot + _U32.unpack_from(self._data, slot)[0]
        return start + _REFERENCE, _U32.unpack_from(self._data, start)[0]

    def number(self, field: int, code: str, default: int = 0) -> int:
        """An integer, of the ``struct`` type ``code``."""
        slot = self._slot(field)
        return int(unpack_from(code, self._data, slot)[0]) if slot else default

    def real(self, field: int, default: float = 0.0) -> float:
        """A 32-bit floating-point number."""
        slot = self._slot(field)
        return float(unpack_from("<f", self._data, slot)[0]) if slot else default

    def table(self, field: int) -> Table | None:
        """Another table, or the table of a union."""
        slot = self._slot(field)
        return Table(self._data, slot + int(_U32.unpack_from(self._data, slot)[0])) if slot else None

    def length(self, field: int) -> int:
        """The number of entries in a vector."""
        return self.vector(field)[1]

    def integers(self, field: int) -> tuple[int, ...]:
        """A vector of 32-bit integers."""
        start, count = self.vector(field)
        return unpack_from(f"<{count}i", self._data, start)

    def tables(self, field: int) -> Iterator[Table]:
        """The entries of a vector of tables."""
        start, count = self.vector(field)
        for slot in range(start, start + count * _REFERENCE, _REFERENCE):
            yield Table(self._data, slot + _U32.unpack_from(self._data, slot)[0])
