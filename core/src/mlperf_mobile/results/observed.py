"""The parts that observers add to a result, read back from their files; a failing observer never costs the result."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import cache, partial
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import Field, TypeAdapter

from mlperf_mobile.contracts.observer import ObservedPart
from mlperf_mobile.errors import described
from mlperf_mobile.plan import Plan
from mlperf_mobile.plugin import ObserverInfo, Remark
from mlperf_mobile.registry import Offer, Registry
from mlperf_mobile.results.parts import Json, Part
from mlperf_mobile.results.rule import RuleResult

OBSERVED: Final = "observed"
"""The part of the journal with the parts of all observers."""
TELEMETRY = "telemetry"
"""The observer whose part has its own key in a result, and which was the only one in earlier versions."""
READ_S = 60.0
"""Timeout for an observer that reads its file."""
_LONGEST = 1_000_000
"""Characters of a part with its rules, as JSON: time series stay in the observer's file."""
_MOST_RULES, _MOST_SHOWN = 100, 1000

T = TypeVar("T")
_DATA: TypeAdapter[dict[str, Json]] = TypeAdapter(dict[str, Json])


class Observed(Part):
    """The parts of observers by name, their rules, and warnings about those that failed."""

    parts: dict[str, dict[str, Json]] = Field(default_factory=dict)
    rules: list[RuleResult] = Field(default_factory=list)
    warnings: list[str] = Field(default_factory=list)


def read(registry: Registry, plan: Plan, folder: Path, earlier: Mapping[str, Any] | None = None) -> Observed:
    """Read the parts of a plan's observers from the run's folder.

    Args:
        registry: The installed plugins; observers that are not among them add nothing.
        plan: The plan of the run.
        folder: The folder of the run.
        earlier: Parts by name from a journal of an earlier version, which are not read from files.
    """
    found = Observed()
    for name in plan.observers:
        offer = registry.observers.get(name)
        if offer is None:
            continue
        try:
            made = make(offer, plan, folder, (earlier or {}).get(name))
        except Exception as error:  # noqa: BLE001  an observer may do anything
            found.warnings.append(warning(offer, str(error)))
            continue
        if made is not None:
            found.parts[name] = made.data
            found.rules += made.rules
    return found


@dataclass(frozen=True, slots=True)
class NewPart:
    """A part that was made from an observer's file."""

    data: dict[str, Any]
    """The part as JSON data."""
    read: frozenset[str]
    """The keys read from the file; the others are defaults."""
    rules: list[RuleResult]


def make(offer: Offer[ObserverInfo], plan: Plan, folder: Path, earlier: Any = None) -> NewPart | None:
    """The part of one observer, from its file or from ``earlier``; None if it has none.

    Raises:
        RuntimeError: The observer failed.
        TimeoutError: It took longer than :data:`READ_S`.
    """

    def work() -> NewPart | None:
        model = offer.info.part.load()
        part = model.of(folder) if earlier is None else model.model_validate(earlier)
        if part is None:
            return None
        if not isinstance(part, ObservedPart):
            raise TypeError(f"expected an ObservedPart, got {part!r:.100}")
        data = _DATA.validate_python(part.model_dump(mode="json", warnings="error"))
        rules = [_rule(rule) for rule in islice(part.rules(plan), _MOST_RULES)]
        length = len(Observed(parts={offer.info.name: data}, rules=rules).model_dump_json())
        if length > _LONGEST:
            raise ValueError(f"it has {length} characters as JSON, and may have {_LONGEST}")
        return NewPart(data, frozenset(part.model_fields_set), rules)

    return within(READ_S, work)


def _rule(rule: Any) -> RuleResult:
    return RuleResult(
        name=rule.name, ok=rule.ok, observed=rule.observed, required=rule.required, note=rule.note, scope=rule.scope
    )


def earlier(plan: Plan, folder: Path, telemetry: Mapping[str, Any] | None, *, torn: bool) -> Observed:
    """The telemetry of a run of an earlier version, whose journal has no parts of observers.

    Args:
        plan: The plan of the run.
        folder: The folder of the run.
        telemetry: The part in its journal.
        torn: Whether the timed run did not end, so that only the file has its readings.
    """
    return read(_installed(), plan, folder, {TELEMETRY: telemetry}) if torn or telemetry else Observed()


@cache
def _installed() -> Registry:
    """The registry, cached because there may be thousands of journals of earlier versions."""
    return Registry()


def warning(offer: Offer[ObserverInfo], text: str) -> str:
    """The warning about an observer that failed."""
    return f"observer {offer.info.name} ({offer.source}): {text}"[:500]


@dataclass(frozen=True, slots=True)
class LoadedPart:
    """A part of a result, loaded by its observer."""

    offer: Offer[ObserverInfo]
    part: ObservedPart

    @property
    def name(self) -> str:
        """The observer's name."""
        return self.offer.info.name

    def view(self, view: Callable[[ObservedPart], Iterable[T]]) -> list[T]:
        """A view of the part; empty if the observer fails."""
        return attempted(lambda: list(islice(view(self.part), _MOST_SHOWN)), [])


def load_parts(registry: Registry, parts: Mapping[str, Any]) -> Iterator[LoadedPart]:
    """The parts of a result whose observers are installed and can read them."""
    for name, data in parts.items():
        if offer := registry.observers.get(name):
            part = attempted(partial(_part, offer, data), None)
            if part is not None:  # else it was changed by hand, or is of another version
                yield LoadedPart(offer, part)


def _part(offer: Offer[ObserverInfo], data: Any) -> ObservedPart:
    return offer.info.part.load().model_validate(data)


def lines(registry: Registry, parts: Mapping[str, Any]) -> list[Remark]:
    """The remarks of observers on the card of a result."""
    return [line for each in load_parts(registry, parts) for line in each.view(lambda part: remarks(part.lines()))]


def columns(offer: Offer[ObserverInfo]) -> dict[str, str]:
    """The columns of an observer with their descriptions; empty if it fails."""
    return attempted(lambda: {str(name): str(about) for name, about in offer.info.part.load().columns.items()}, {})


def remarks(given: Any) -> list[Remark]:
    """The remarks of an observer.

    Raises:
        TypeError: An item is not a remark.
    """
    items = list(islice(given, _MOST_SHOWN))
    for each in items:
        if not (isinstance(each, Remark) and isinstance(each.label, str) and isinstance(each.text, str)):
            raise TypeError(f"expected a Remark, got {each!r:.100}")
    return items


def attempted(work: Callable[[], T], otherwise: T) -> T:
    """The value of ``work``, an observer's code, or ``otherwise`` if it raises; its output goes to standard error."""
    try:
        with redirect_stdout(sys.stderr):
            return work()
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001  a failing observer does not hide the others
        return otherwise


def within(seconds: float, work: Callable[[], T]) -> T:
    """The value of ``work``, which is abandoned if it takes too long.

    Raises:
        TimeoutError: It took longer than ``seconds``.
        RuntimeError: It failed.
    """
    held: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            held.append(work())
        except BaseException as error:  # noqa: BLE001  it may do anything
            failed.append(error)

    thread = threading.Thread(target=run, name="observed", daemon=True)
    with redirect_stdout(sys.stderr):
        thread.start()
        thread.join(seconds)
    if failed:
        raise RuntimeError(f"its part cannot be made: {described(failed[0])}") from failed[0]
    if not held:
        raise TimeoutError(f"it did not answer within {seconds:g} s")
    return held[0]
