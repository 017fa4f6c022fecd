"""Compares every field of a result with the one derived from its plan, journal and files."""

from __future__ import annotations

import hashlib
import json
import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from mlperf_mobile.errors import MobileError
from mlperf_mobile.printing import clean
from mlperf_mobile.regular_files import open_regular
from mlperf_mobile.results import store
from mlperf_mobile.results.digests import members
from mlperf_mobile.results.model import Result
from mlperf_mobile.results.recompose import Ending, Journal, of_journal, program, read_journal
from mlperf_mobile_rounds import sizes

QUICK_BYTES = 1 << 20
"""Larger files are not hashed by the fast check; most of LoadGen's logs and 100,000 latencies are smaller."""
_NEWLY_DIGESTED = (store.PLAN, store.EVENTS, "telemetry.jsonl")
"""Files for which earlier versions stored no digest."""
_NOTHING: tuple[Any, ...] = (None, "", False, [], {})
_ADDED = ("device", "runner")
"""Fields that plan and result got later; a result may lack them if its plan does."""
_ADDED_BELOW = ("load.early_stopping", "model.files")
"""The same, of their parts."""
_ADDED_WITH_THEM = ("accuracy.logged", "performance.timed_region", "swept")
"""Fields of results alone that came later; a result may lack them if its plan lacks those of :data:`_ADDED`."""
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class FieldDifference:
    """One field that differs from the one derived from the folder."""

    key: str
    """``performance.latency_ns.p90``, ``rules[min-duration].ok``, ``logs[latencies.bin]``."""
    stored: Any
    derived: Any
    doubt: bool = False
    """Another version may have written this: not a proof of an edit."""

    @property
    def text(self) -> str:
        """In words."""
        if self.stored is _ABSENT:
            return f"{self.key} is missing; by its folder it is {_text(self.derived)}"
        if self.derived is _ABSENT:
            return f"{self.key} is {_text(self.stored)}, but its folder does not give it"
        return f"{self.key} is {_text(self.stored)}; by its folder it is {_text(self.derived)}"


class _Absent:
    pass


_ABSENT = _Absent()


@dataclass(frozen=True, slots=True)
class DerivedResult:
    """A result, and its comparison with its folder."""

    result: Result
    journal: Journal
    differences: tuple[FieldDifference, ...]

    @property
    def vouched(self) -> bool:
        """Whether the journal was closed; earlier versions did not, and stored no digests of plan and journal."""
        return self.journal.concluded is not None


def follow(folder: Path, raw: Any, result: Result, digests: Mapping[str, str]) -> DerivedResult:
    """Derive the result of a folder again, and compare every field.

    Args:
        folder: Of the run.
        raw: The content of its ``result.json``, as JSON.
        result: The same, as it was read.
        digests: Of the files in the folder.

    Raises:
        OutputError: The plan or the journal is missing or damaged.
    """
    plan, journal = store.read_plan(folder), read_journal(folder / store.EVENTS)
    stored = Ending(result.status, result.error, result.directory)
    composed = of_journal(folder, plan, journal, stored, dict(digests)).to_json()
    same = journal.concluded is not None and journal.concluded.program == program()
    derived = [] if json.dumps(raw) == json.dumps(composed) else [*_differences(raw, composed, "", strict=same)]
    later = [name for name in _ADDED if name not in plan.model_fields_set]
    later += _ADDED_WITH_THEM if later else ()
    for key in _ADDED_BELOW:
        part, _, name = key.partition(".")
        later += [key] if name not in getattr(plan, part).model_fields_set else []
    derived = [each for each in derived if not (each.key in later and each.stored is _ABSENT)]
    if journal.concluded is None and result.program:
        derived.append(FieldDifference("program", result.program, _ABSENT))
    if any(each.doubt and each.key.startswith("rules") and not each.key.endswith(".note") for each in derived):
        derived = [
            FieldDifference(e.key, e.stored, e.derived, True) if e.key in ("valid", "submittable") else e
            for e in derived
        ]
    older = journal.concluded is None and result.logs  # an earlier version kept fewer digests, but never none
    spared = [f"logs[{name}]" for name in _NEWLY_DIGESTED] if older else []
    derived = [FieldDifference(e.key, e.stored, e.derived, e.doubt and not _is_log(e.key, spared)) for e in derived]
    return DerivedResult(result, journal, tuple(derived))


def _is_log(key: str, spared: Sequence[str]) -> bool:
    return key.startswith("logs") and key not in spared


def doubts(folder: Path, raw: Any, result: Result) -> list[str]:
    """How a result differs from its folder, by the fast checks alone.

    It reads the plan and the journal and hashes the small files, about 2 ms for a result: nothing is scored again, and
    for files of more than :data:`QUICK_BYTES` only existence is checked. ``mlperf-mobile check`` runs all checks.

    Args:
        folder: Where the result is.
        raw: The content of its file, as JSON; with ``result`` as :func:`store.read_both` gives them.
        result: The same, as it was read.
    """
    if imported(result) and not (folder / store.PLAN).exists():
        return []
    if large := sizes.too_large(folder):
        return [*large.values()]
    digests = {name: digest for name in members(folder) if (digest := _quick(folder / name, result.logs.get(name)))}
    try:
        derived_result = follow(folder, raw, result, digests)
    except MobileError as error:
        return [error.summary]
    strange = [f"{store.EVENTS} has entries that no run writes"] if derived_result.journal.unknown else []
    return [each.text for each in derived_result.differences if not each.doubt] + strange


def mismatch(folder: Path, raw: Any, result: Result) -> str:
    """What :func:`doubts` finds, in one line; empty if it finds nothing."""
    found = doubts(folder, raw, result)
    more = f", and {len(found) - 1} more" if len(found) > 1 else ""
    return f"it does not match its folder: {found[0]}{more}" if found else ""


def read_with_warning(place: Path) -> Result:
    """The result in a folder; a result that does not match its folder is named on standard error."""
    raw, result = store.read_both(place)
    if wrong := mismatch(place if place.is_dir() else place.parent, raw, result):
        print(f"mlperf-mobile: warning: {clean(f'{place}: {wrong}')}; see mlperf-mobile check", file=sys.stderr)
    return result


def alone(folder: Path, result: Result) -> bool:
    """Whether a result of this program has neither plan nor journal in its folder, so it cannot be checked."""
    return not (imported(result) or (folder / store.PLAN).exists() or (folder / store.EVENTS).exists())


def imported(result: Result) -> bool:
    """Whether a result was imported, and has neither plan nor journal."""
    return result.origin is not None and result.origin.kind == "official"


def _quick(path: Path, expected: str | None) -> str | None:
    if path.is_symlink():
        return None  # as folder_digests
    try:
        with open_regular(path) as file:
            if expected is not None and os.fstat(file.fileno()).st_size > QUICK_BYTES:
                return expected
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def _differences(stored: Any, derived: Any, key: str, *, strict: bool) -> Iterator[FieldDifference]:
    """What differs between two pieces of JSON, by place.

    Args:
        stored: In the file.
        derived: From the folder.
        key: The place of both.
        strict: Whether the same version wrote both, so that they must have the same keys.
    """
    if key == "rules" and isinstance(stored, list) and isinstance(derived, list):
        yield from _rules(stored, derived, strict=strict)
    elif isinstance(stored, dict) and isinstance(derived, dict):
        for name in (*derived, *(name for name in stored if name not in derived)):
            place = f"{key}[{name}]" if key == "logs" else f"{key}.{name}" if key else str(name)
            if name in stored and name in derived:
                yield from _differences(stored[name], derived[name], place, strict=strict)
            else:
                doubt = not strict and name not in stored
                if not (doubt and derived[name] in _NOTHING):  # a field that the version did not have
                    yield FieldDifference(place, stored.get(name, _ABSENT), derived.get(name, _ABSENT), doubt)
    elif isinstance(stored, list) and isinstance(derived, list):
        for number, (one, other) in enumerate(zip_longest(stored, derived, fillvalue=_ABSENT)):
            yield from _differences(one, other, f"{key}[{number}]", strict=strict)
    elif not _same(stored, derived):
        yield FieldDifference(key, stored, derived, not strict and key.endswith(".note"))  # another version's words


def _rules(stored: list[Any], derived: list[Any], *, strict: bool) -> Iterator[FieldDifference]:
    """Rules by their names, so that one more or less does not shift the others."""
    one, other = _named(stored), _named(derived)
    if one is None or other is None:
        yield from _differences({"rules": stored}, {"rules": derived}, "all", strict=strict)
        return
    for name in (*other, *(name for name in one if name not in other)):
        key = f"rules[{name}]"
        if name not in one:
            yield FieldDifference(key, _ABSENT, other[name], not strict)
        else:
            yield from _differences(one[name], other.get(name, _ABSENT), key, strict=strict)
    order = [name for name in one if name in other]
    if order != [name for name in other if name in one]:
        yield FieldDifference("rules", order, "another order")


def _named(rules: list[Any]) -> dict[str, Any] | None:
    """Rules by name; None if the names are not unique."""
    named = {str(rule.get("name")): rule for rule in rules if isinstance(rule, dict)}
    return named if len(named) == len(rules) else None


def _same(stored: Any, derived: Any) -> bool:
    """Equal numbers may be written in two ways, ``1`` and ``1.0``; a boolean is not a number."""
    if isinstance(stored, bool) or isinstance(derived, bool):
        return stored is derived
    if isinstance(stored, int | float) and isinstance(derived, int | float):
        return stored == derived or (math.isnan(stored) and math.isnan(derived))
    return type(stored) is type(derived) and bool(stored == derived)


def _text(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False) if not isinstance(value, _Absent) else "nothing"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
