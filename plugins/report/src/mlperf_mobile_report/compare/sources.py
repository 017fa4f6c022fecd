"""Reads the arguments of the command line: result folders, folders of them, result files, official results."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from string import ascii_uppercase

from mlperf_mobile.errors import MobileError, OutputError, UsageError
from mlperf_mobile.results import store
from mlperf_mobile.results.model import Result
from mlperf_mobile_report.compare.entry import ComparedResult, of_official, of_result
from mlperf_mobile_rounds.follows import alone, mismatch
from mlperf_mobile_rounds.reference.table import PREFIX, find

_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._+-]{0,31}")
_MOST = 10_000


def read_all(
    arguments: Sequence[str], *, whole: bool = False, intervals: bool = True
) -> tuple[list[ComparedResult], list[str]]:
    """The results of all arguments, and warnings about what was left out.

    Args:
        arguments: Each ``[LABEL=]PLACE``. Without a label they are called ``A``, ``B``, …, official results by round
            and system.
        whole: Keep the whole results, for reports.
        intervals: Read latencies, for intervals.

    Raises:
        UsageError: Two have the same label, or an official name is unknown.
        OutputError: A place has no readable result.
    """
    entries: list[ComparedResult] = []
    warnings: list[str] = []
    entry = partial(of_result, whole=whole, intervals=intervals)
    seen: set[str] = set()
    letters = (label for label in _letters() if label not in _given(arguments))
    for argument in arguments:
        given, place = _split(argument)
        official = place.startswith(PREFIX)
        label = given or (_official_label(place) if official else next(letters))
        found = (
            _official(place, label) if official else _folder(_path(place), partial(entry, label=label), label, warnings)
        )
        if label in seen and (given or not official):
            raise UsageError("same-label", f"two results are called {label!r}", "give each its own: LABEL=PLACE")
        seen.add(label)
        known = {entry.source for entry in entries if entry.published}
        entries += [entry for entry in found if not (entry.published and entry.source in known)]
    _number(entries)
    return entries, warnings + [f"{entry.label}: {text}" for entry in entries for text in entry.warnings]


def _split(argument: str) -> tuple[str, str]:
    """A label is short and plain, so that a path with ``=`` in it is still a path."""
    label, equals, place = argument.partition("=")
    if equals and place and _LABEL.fullmatch(label) and not os.path.lexists(argument):
        return label, place
    return "", argument


def _path(place: str) -> Path:
    try:
        return Path(place).expanduser()
    except RuntimeError as error:  # the home of an unknown user
        raise OutputError("no-result", f"{place}: {error}", "give a result folder") from error


def _given(arguments: Iterable[str]) -> set[str]:
    return {_split(argument)[0] for argument in arguments}


def _letters() -> Iterator[str]:
    yield from ascii_uppercase
    yield from map("".join, product(ascii_uppercase, repeat=2))


def _official_label(place: str) -> str:
    return "/".join(find(place)[0].name.split("/")[:2])


def _official(place: str, label: str) -> list[ComparedResult]:
    return [of_official(row, label) for row in find(place)]


def _folder(
    place: Path, entry: Callable[[Result, Path], ComparedResult], label: str, warnings: list[str]
) -> list[ComparedResult]:
    """One result, or all in the folder and one level below; a damaged one among others is left out."""
    if not _is_collection(place):
        return [_entry(place, entry)]
    entries, first = [], None
    for path in _results(place):
        try:
            entries.append(_entry(path, entry))
        except MobileError as error:
            first = first or error
            warnings.append(f"{label}: left out: {error.summary}")
    if not entries:
        if first:
            raise first
        raise OutputError("no-result", f"{place} has no result", "give a result folder, or a folder of them")
    return entries


def _entry(place: Path, made: Callable[[Result, Path], ComparedResult]) -> ComparedResult:
    """A result, with a warning if it does not match its folder."""
    raw, result = store.read_both(place)
    folder = place if place.is_dir() else place.parent
    entry = made(result, folder)
    if alone(folder, result):
        entry.warnings.append("its folder has no plan and no journal to check it against")
    elif found := mismatch(folder, raw, result):
        entry.doubt = found
        entry.warnings.append(f"{entry.doubt}; see mlperf-mobile check")
    return entry


def _is_collection(place: Path) -> bool:
    try:
        return place.is_dir() and not (place / store.RESULT).exists()
    except OSError:
        return False  # reading it raises the error


def _results(place: Path) -> list[Path]:
    """Hidden folders are unfinished runs."""
    try:
        found = [*place.glob(f"[!.]*/{store.RESULT}"), *place.glob(f"[!.]*/[!.]*/{store.RESULT}")]
        list(place.iterdir())  # a folder without permission looks empty to glob
    except OSError as error:
        raise OutputError("no-result", f"cannot read {place}: {error.strerror}", "check its permissions") from error
    if len(found) > _MOST:
        raise OutputError("too-many", f"{place} holds {len(found)} results", f"compare at most {_MOST} together")
    return sorted(found)


def _number(entries: list[ComparedResult]) -> None:
    """Number several results of one benchmark under one label."""
    same: dict[tuple[str, str, str], list[ComparedResult]] = {}
    for entry in entries:
        same.setdefault((entry.label, entry.benchmark, entry.scenario), []).append(entry)
    for group in same.values():
        if len(group) > 1:
            for number, entry in enumerate(group, start=1):
                entry.label += f" #{number}"
