"""Reads LoadGen's detail and summary logs of every version: streamed, in bounded memory, damaged ones too."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, TextIO

from mlperf_mobile.errors import DataError
from mlperf_mobile.loadgen import ACCURACY_LOG, DETAIL_LOG, SUMMARY_LOG
from mlperf_mobile_rounds.official.json_files import clean, encoding_of
from mlperf_mobile_rounds.official.log_frame import Frame, LoadedSamples

MAX_LINE = 4 << 20
"""Longer lines are skipped; the longest known, of loaded samples, has 1 MB."""
MAX_KEYS = 2000
MAX_TEXTS = 100
MAX_SUMMARY = 1 << 20
_MLLOG = ":::MLLOG "
_LONE_BACKSLASH = re.compile(r'\\(?!["\\])')
_ONCE = ("requested_", "effective_", "result_", "early_stopping_", "loadgen_version", "test_datetime")
_PART = re.compile(r"_?[a-z]{2}|_?\d{2}")


@dataclass(frozen=True, slots=True)
class LogEntry:
    """A value and its line."""

    value: Any
    line: int


@dataclass(frozen=True, slots=True)
class DetailLog:
    """What a detail log says: every key with its last value; lists are left out, and of mappings there is a digest."""

    path: Path
    entries: Mapping[str, LogEntry]
    errors: tuple[LogEntry, ...]
    """The texts of error records, at most ``MAX_TEXTS``."""
    warnings: int
    records: int
    damaged: tuple[int, ...]
    """Lines that are not records, at most ``MAX_TEXTS``."""
    rewritten: tuple[int, ...]
    """Lines that repeat a setting or a result with another value."""
    encoding: str
    ended: bool
    """Whether the last line is whole."""
    odd: tuple[LogEntry, ...] = ()
    """Descriptions of what LoadGen never writes, at most ``MAX_TEXTS``."""
    sites: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    """The source file and line that wrote each key."""
    times_ms: Mapping[str, float] = field(default_factory=dict)
    """When each key was written last, in milliseconds from the start of the test."""
    loaded: LoadedSamples | None = None
    """The samples of all ``loaded_qsl_set`` records."""
    generated: tuple[int, ...] = ()
    """Every ``generated_query_count``, at most ``MAX_KEYS``."""
    messages: tuple[str, ...] = ()
    """Every ``generic_message``, at most ``MAX_TEXTS``."""
    power: tuple[tuple[str, str, float, int], ...] = ()
    """Every ``power_begin`` and ``power_end``: key, value, when it was by the records' times in ms, and line."""

    def line(self, key: str) -> int | None:
        """The line of ``key``."""
        return self.entries[key].line if key in self.entries else None

    def text(self, key: str) -> str | None:
        """A text; None if missing or of another type."""
        value = self.entries[key].value if key in self.entries else None
        return value if isinstance(value, str) else None

    def number(self, key: str) -> float | None:
        """A finite number; None if missing or of another type."""
        value = self.entries[key].value if key in self.entries else None
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        try:
            return float(value) if math.isfinite(value) else None
        except OverflowError:
            return None

    def integer(self, key: str) -> int | None:
        """A whole number, also one that is written as ``1e+06``."""
        value = self.entries[key].value if key in self.entries else None
        if isinstance(value, bool):
            return None
        if isinstance(value, float) and value.is_integer():
            return int(value)
        return value if isinstance(value, int) else None

    def count(self, key: str) -> int | None:
        """A whole number of LoadGen's, which has 64 bits; None if it is missing or larger."""
        value = self.integer(key)
        return value if value is not None and abs(value) < 2**64 else None

    def flag(self, key: str) -> bool | None:
        """A boolean."""
        value = self.entries[key].value if key in self.entries else None
        return value if isinstance(value, bool) else None


def readable(value: object) -> str:
    """The text of an error record as :class:`DetailLog` keeps it."""
    return clean(str(value)[:500])


def parts(folder: Path, name: str) -> list[Path]:
    """The file ``name`` in a folder, or its parts in order, as ``split`` names them: ``…txt_aa``, ``…txtab``, ``…00``.

    Names without their suffix are accepted as well: ``mlperf_log_accuracy_aa``.
    """
    whole, stem = folder / name, name.rpartition(".")[0]
    if whole.is_file():
        return [whole]
    found = []
    for path in folder.iterdir():
        for start in (name, stem):
            if path.name.startswith(start) and _PART.fullmatch(path.name[len(start) :]) and path.is_file():
                found.append(path)
                break
    return sorted(found)


def read_detail(paths: list[Path]) -> DetailLog:
    """Read a detail log, or all of its parts as one; lines are counted through all of them.

    Raises:
        DataError: A file cannot be read.
    """
    entries, lines = dict[str, LogEntry](), dict[str, str]()
    errors: list[LogEntry] = []
    damaged: list[int] = []
    rewritten: list[int] = []
    warnings = records = number = 0
    ended, encoding = True, "utf-8"
    frame = Frame()
    try:
        with ExitStack() as stack:
            with paths[0].open("rb") as file:
                encoding = encoding_of(file.read(4))
            files = [stack.enter_context(path.open(encoding=encoding, errors="replace")) for path in paths]
            for number, (line, whole) in enumerate(_lines(files), 1):
                ended = line.endswith("\n")
                record = _record(line, frame) if whole else None
                if record is None:
                    if line.strip() and len(damaged) < MAX_TEXTS:
                        damaged.append(number)
                    continue
                records += 1
                key, value, is_error, is_warning = record
                frame.end(number)
                warnings += is_warning
                if is_error and len(errors) < MAX_TEXTS:
                    errors.append(LogEntry(readable(value), number))
                if not isinstance(value, list) and (key in entries or len(entries) < MAX_KEYS):
                    kept = LogEntry(_kept(value), number)
                    other = repr(entries.get(key, kept).value) != repr(kept.value)
                    if key.startswith(_ONCE) and (other or lines.get(key) == line):
                        rewritten.append(number)
                    entries[key], lines[key] = kept, line
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError("log-unreadable", f"cannot read {paths[0]}: {reason}", "check its permissions") from error
    return DetailLog(
        paths[0],
        entries,
        tuple(errors),
        warnings,
        records,
        tuple(damaged),
        tuple(rewritten[:MAX_TEXTS]),
        encoding,
        ended,
        tuple(LogEntry(clean(text), line) for text, line in frame.odd[:MAX_TEXTS]),
        frame.sites,
        frame.times_ms,
        frame.loaded(),
        tuple(frame.generated[:MAX_KEYS]),
        tuple(frame.messages[:MAX_TEXTS]),
        tuple(frame.power),
    )


def _kept(value: Any) -> Any:
    if isinstance(value, dict):
        return sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16] if value else ""
    return clean(value[:500]) if isinstance(value, str) else value


def _lines(files: Sequence[TextIO]) -> Iterator[tuple[str, bool]]:
    """Lines of the files as of one, and whether each is whole; only the start of an overlong one is kept."""
    held, whole = "", True
    for file in files:
        while piece := file.readline(MAX_LINE):
            whole = whole and len(held) + len(piece) <= MAX_LINE
            held = held + piece if whole else held[:100] + piece[-1:]
            if piece.endswith("\n"):
                yield held, whole
                held, whole = "", True
    if held:
        yield held, whole


def _record(line: str, frame: Frame) -> tuple[str, Any, bool, bool] | None:
    """Key, value, and whether it is an error or a warning; None if it is not a record."""
    if not line.startswith(_MLLOG):
        return None
    text = line[len(_MLLOG) :]
    try:
        try:
            data = frame.decode(text)
        except json.JSONDecodeError:  # LoadGen writes paths of Windows with single backslashes
            data = frame.decode(_LONE_BACKSLASH.sub(r"\\\\", text))
        metadata = data.get("metadata")
        about = metadata if isinstance(metadata, dict) else {}
        key = clean(str(data["key"])[:200])
        is_error = about.get("is_error") is True or key.startswith("error")
        frame.see(key, data, about)
        return key, data["value"], is_error, about.get("is_warning") is True
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        frame.drop()
        return None


@dataclass(frozen=True, slots=True)
class SummaryLog:
    """What a summary log says, as ``name : value`` lines."""

    path: Path
    entries: Mapping[str, LogEntry]
    ended: bool
    """Whether its last line, about errors, is there."""
    counts: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """How many warnings and errors it counts, and in which line."""
    body: str = ""

    def text(self, name: str) -> str | None:
        """The text behind a name."""
        return str(self.entries[name].value) if name in self.entries else None

    def number(self, name: str) -> float | None:
        """The number behind a name."""
        try:
            value = float(self.text(name) or "")
        except ValueError:
            return None
        return value if math.isfinite(value) else None

    def line(self, name: str) -> int | None:
        """The line of a name."""
        return self.entries[name].line if name in self.entries else None

    @property
    def percentile(self) -> tuple[str, float] | None:
        """Name and value of single-stream's score: ``("90", 212578.0)``."""
        for name in self.entries:
            if found := re.fullmatch(r"([\d.]+)th percentile latency \(ns\)", name):
                value = self.number(name)
                return None if value is None else (found[1], value)
        return None


def read_summary(path: Path) -> SummaryLog:
    """Read a summary log.

    Raises:
        DataError: It cannot be read, or is too large to be one.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_SUMMARY + 1)
    except OSError as error:
        raise DataError("log-unreadable", f"cannot read {path}: {error.strerror}", "check its permissions") from error
    if len(data) > MAX_SUMMARY:
        raise DataError("log-unreadable", f"{path} is larger than {MAX_SUMMARY >> 20} MB", "it is not a summary log")
    text = data.decode(encoding_of(data), errors="replace")
    entries: dict[str, LogEntry] = {}
    for number, line in enumerate(text.splitlines(), 1):
        name, colon, value = line.partition(":")
        if colon and (name := " ".join(name.split())) not in entries:
            entries[name] = LogEntry(value.strip()[:500], number)
    counts: dict[str, tuple[int, int]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if found := re.match(r"(No|\d{1,9}) (warning|error)s? encountered", line):
            counts.setdefault(found[2], (0 if found[1] == "No" else int(found[1]), number))
    return SummaryLog(path, entries, "error" in counts, counts, text)


def is_log_folder(names: set[str]) -> bool:
    """Whether a folder with these files holds LoadGen's logs, as a whole or in parts."""
    starts = (DETAIL_LOG, SUMMARY_LOG, ACCURACY_LOG, ACCURACY_LOG.rpartition(".")[0])
    return any(name.startswith(starts) for name in names)
