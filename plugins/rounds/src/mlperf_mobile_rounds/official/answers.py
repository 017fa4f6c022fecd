"""The contents of an accuracy log without the data set: how many responses, of which samples, of what size."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlperf_mobile.errors import MobileError
from mlperf_mobile.loadgen import accuracy_log

MAX_SAMPLES = 1 << 22
_VIEWABLE = 4096
"""Bytes at begin and end that truncate_accuracy_log.py of mlcommons/inference leaves of a log."""


@dataclass(frozen=True, slots=True)
class LogContents:
    """Facts about the responses; lines are counted from 1."""

    count: int
    distinct: int
    """Sample indices."""
    repeated: int | None
    """The line of the first sample with a second response."""
    highest: int
    misnumbered: int | None
    """The line of the first item whose ``seq_id`` is not its place."""
    numbered: bool
    """Whether every ``seq_id`` below the number of items occurs once, in any order."""
    sizes: tuple[int, ...]
    """All response sizes, in bytes; at most the first 1000."""
    odd_line: int | None
    """The line of the first response whose size differs from that of the first one."""
    constant: bool
    """Whether all responses are the same bytes."""
    order: str
    """A digest of the indices in their order, as in :class:`mlperf_mobile_rounds.official.log_frame.LoadedSamples`."""
    digest: str
    """Of indices and answers."""
    counts: tuple[int, int] | None
    """The lowest and the highest number of tokens that LoadGen was told of; None without any."""
    damage: str
    """Why the log could not be read to its end; empty for a whole one."""
    truncated: bool
    """Truncated as by MLCommons' tool for logs that are too large to be published."""


def read(paths: Sequence[Path]) -> LogContents:
    """Read a log to its end, or as far as it is intact."""
    seen, numbers, order, content = _Bits(), _Bits(), hashlib.sha256(), hashlib.sha256()
    highest_number = -1
    sizes: dict[int, int] = {}
    repeated = misnumbered = odd = None
    first: bytes | None = None
    constant, highest, count, damage = True, -1, 0, ""
    counts: tuple[int, int] | None = None
    try:
        for item in accuracy_log.read(paths):
            if count == 0:
                first = item.data
            constant = constant and item.data == first
            if item.seq_id != count and misnumbered is None:
                misnumbered = item.line
            numbers.add(item.seq_id)
            highest_number = max(highest_number, item.seq_id)
            if not seen.add(item.index) and repeated is None:
                repeated = item.line
            if len(item.data) not in sizes and len(sizes) < 1000:
                if sizes and odd is None:
                    odd = item.line
                sizes[len(item.data)] = item.line
            highest = max(highest, item.index)
            if item.token_count is not None:
                low, high = counts or (item.token_count, item.token_count)
                counts = min(low, item.token_count), max(high, item.token_count)
            key = (item.index & (1 << 40) - 1).to_bytes(5, "little")
            order.update((item.index & (1 << 64) - 1).to_bytes(8, sys.byteorder))
            content.update(key + len(item.data).to_bytes(5, "little") + item.data)
            count += 1
    except MobileError as error:
        damage = error.summary
    return LogContents(
        count,
        seen.count,
        repeated,
        highest,
        misnumbered,
        numbers.count == count == highest_number + 1,
        tuple(sizes),
        odd,
        constant,
        order.hexdigest(),
        content.hexdigest(),
        counts,
        damage,
        bool(damage) and _truncated(paths),
    )


class _Bits:
    """A set of sample indices, as a bitmap."""

    def __init__(self) -> None:
        self._bits = bytearray()
        self.count = 0

    def add(self, index: int) -> bool:
        """Whether it was new; indices beyond any data set are never new."""
        if not 0 <= index < MAX_SAMPLES:
            return False
        place, bit = divmod(index, 8)
        if place >= len(self._bits):
            self._bits.extend(bytes(place + 1 - len(self._bits)))
        if self._bits[place] >> bit & 1:
            return False
        self._bits[place] |= 1 << bit
        self.count += 1
        return True


def _truncated(paths: Sequence[Path]) -> bool:
    """Begin and end of a log, and three dots between them."""
    try:
        if len(paths) != 1 or paths[0].stat().st_size > 2 * _VIEWABLE + 16:
            return False
        data = paths[0].read_bytes()
    except OSError:
        return False
    return b"\n\n...\n\n" in data[_VIEWABLE - 8 : _VIEWABLE + 16] and data.rstrip().endswith(b"]")
