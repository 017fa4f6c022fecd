"""Compares every field of a result with the one derived from its plan, journal and files."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from mlperf_mobile.errors import MobileError
from mlperf_mobile.regular_files import open_regular
from mlperf_mobile.results import store
from mlperf_mobile.results.model import Result
from mlperf_mobile.results.recompose import Ending, Journal, of_journal, program, read_journal

QUICK_BYTES = 1 << 20
"""Larger files are not hashed by the fast check; most of LoadGen's logs and 100,000 latencies are smaller."""
_NEWLY_DIGESTED = (store.PLAN, store.EVENTS, "telemetry.jsonl")
"""Files for which earlier versions stored no digest."""
_NOTHING: tuple[Any, ...] = (None, "", False, [], {})
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that differs from the one derived from the folder."""

    key: str
    """``performance.latency_ns.p90``, ``rules[min-duration].ok``, ``logs[latencies.bin]``."""
    told: Any
    found: Any
    doubt: bool = False
    """Another version may have meant this: no proof of an edit."""

    @property
    def text(self) -> str:
        """In words."""
        if self.told is _ABSENT:
            return f"{self.key} is missing; by its folder it is {_text(self.found)}"
        if self.found is _ABSENT:
            return f"{self.key} is {_text(self.told)}, but does not exist by its folder"
        return f"{self.key} is {_text(self.told)}; by its folder it is {_text(self.found)}"


class _Absent:
    pass


_ABSENT = _Absent()


@dataclass(frozen=True, slots=True)
class Followed:
    """A result, and its comparison with its folder."""

    result: Result
    journal: Journal
    differences: tuple[Difference, ...]

    @property
    def vouched(self) -> bool:
        """Whether the journal was closed; earlier versions did not, and kept no digest of plan and journal."""
        return self.journal.concluded is not None


def follow(folder: Path, raw: Any, result: Result, digests: Mapping[str, str]) -> Followed:
    """Derive the result of a folder again, and compare every field.

    Args:
        folder: Of the run.
        raw: What stands in its ``result.json``, as JSON.
        result: The same, as it was read.
        digests: Of the files in the folder.

    Raises:
        OutputError: The plan or the journal is not there, or damaged.
    """
    plan, journal = store.read_plan(folder), read_journal(folder / store.EVENTS)
    told = Ending(result.status, result.error, result.directory)
    composed = of_journal(folder, plan, journal, told, dict(digests)).to_json()
    same = journal.concluded is not None and journal.concluded.program == program()
    found = [] if json.dumps(raw) == json.dumps(composed) else [*_differences(raw, composed, "", strict=same)]
    if journal.concluded is None and result.program:
        found.append(Difference("program", result.program, _ABSENT))
    if any(each.doubt and each.key.startswith("rules") and not each.key.endswith(".note") for each in found):
        found = [Difference(e.key, e.told, e.found, True) if e.key in ("valid", "submittable") else e for e in found]
    older = journal.concluded is None and result.logs  # an earlier version kept fewer digests, but never none
    spared = [f"logs[{name}]" for name in _NEWLY_DIGESTED] if older else []
    found = [Difference(e.key, e.told, e.found, e.doubt and not _is_log(e.key, spared)) for e in found]
    return Followed(result, journal, tuple(found))


def _is_log(key: str, spared: Sequence[str]) -> bool:
    return key.startswith("logs") and key not in spared


def doubts(folder: Path, raw: Any, result: Result) -> list[str]:
    """How a result differs from its folder, by the checks that are fast.

    It reads the plan and the journal and hashes the small files, some 2 ms for a result: nothing is scored again, and
    files of more than :data:`QUICK_BYTES` are only looked for. ``mlperf-mobile check`` does all of it.

    Args:
        folder: Where the result is.
        raw: What stands in its file, as JSON; with ``result`` as :func:`store.read_both` gives them.
        result: The same, as it was read.
    """
    if imported(result) and not (folder / store.PLAN).exists():
        return []
    digests = {
        name: digest for name in store.members(folder) if (digest := _quick(folder / name, result.logs.get(name)))
    }
    try:
        followed = follow(folder, raw, result, digests)
    except MobileError as error:
        return [error.summary]
    strange = [f"{store.EVENTS} has entries that no run writes"] if followed.journal.unknown else []
    return [each.text for each in followed.differences if not each.doubt] + strange


def alone(folder: Path, result: Result) -> bool:
    """Whether a result of ours has neither plan nor journal in its folder, so that it cannot be checked."""
    return not (imported(result) or (folder / store.PLAN).exists() or (folder / store.EVENTS).exists())


def imported(result: Result) -> bool:
    """Whether a result was imported, and has neither plan nor journal."""
    return result.origin is not None and result.origin.kind == "official"


def _quick(path: Path, expected: str | None) -> str | None:
    try:
        with open_regular(path) as file:
            if expected is not None and os.fstat(file.fileno()).st_size > QUICK_BYTES:
                return expected
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def _differences(told: Any, found: Any, key: str, *, strict: bool) -> Iterator[Difference]:
    """What differs between two pieces of JSON, by place.

    Args:
        told: In the file.
        found: By the folder.
        key: The place of both.
        strict: Whether the same version wrote both, which then have the same keys.
    """
    if key == "rules" and isinstance(told, list) and isinstance(found, list):
        yield from _rules(told, found, strict=strict)
    elif isinstance(told, dict) and isinstance(found, dict):
        for name in (*found, *(name for name in told if name not in found)):
            place = f"{key}[{name}]" if key == "logs" else f"{key}.{name}" if key else str(name)
            if name in told and name in found:
                yield from _differences(told[name], found[name], place, strict=strict)
            else:
                doubt = not strict and name not in told
                if not (doubt and found[name] in _NOTHING):  # a field that the version did not have
                    yield Difference(place, told.get(name, _ABSENT), found.get(name, _ABSENT), doubt)
    elif isinstance(told, list) and isinstance(found, list):
        for number, (one, other) in enumerate(zip_longest(told, found, fillvalue=_ABSENT)):
            yield from _differences(one, other, f"{key}[{number}]", strict=strict)
    elif not _same(told, found):
        yield Difference(key, told, found, not strict and key.endswith(".note"))  # another version's words


def _rules(told: list[Any], found: list[Any], *, strict: bool) -> Iterator[Difference]:
    """Rules by their names, so that one more or less does not shift the others."""
    one, other = _named(told), _named(found)
    if one is None or other is None:
        yield from _differences({"rules": told}, {"rules": found}, "all", strict=strict)
        return
    for name in (*other, *(name for name in one if name not in other)):
        key = f"rules[{name}]"
        if name not in one:
            yield Difference(key, _ABSENT, other[name], not strict)
        else:
            yield from _differences(one[name], other.get(name, _ABSENT), key, strict=strict)
    order = [name for name in one if name in other]
    if order != [name for name in other if name in one]:
        yield Difference("rules", order, "another order")


def _named(rules: list[Any]) -> dict[str, Any] | None:
    """Rules by name; None where that is not possible."""
    named = {str(rule.get("name")): rule for rule in rules if isinstance(rule, dict)}
    return named if len(named) == len(rules) else None


def _same(told: Any, found: Any) -> bool:
    """Equal numbers may be written in two ways, ``1`` and ``1.0``; a truth value is no number."""
    if isinstance(told, bool) or isinstance(found, bool):
        return told is found
    if isinstance(told, int | float) and isinstance(found, int | float):
        return told == found or (math.isnan(told) and math.isnan(found))
    return type(told) is type(found) and bool(told == found)


def _text(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False) if not isinstance(value, _Absent) else "nothing"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
