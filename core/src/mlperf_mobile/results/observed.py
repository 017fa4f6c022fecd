"""What observers found out about a run, read back from their files; whatever they do, there is a result."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
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
"""A part of the journal: what all observers found out."""
TELEMETRY = "telemetry"
"""The observer whose part stands in a result under a key of its own, and in journals of earlier versions alone."""
READ_S = 60.0
"""An observer that takes longer to read its file is given up."""
_MOST_RULES = 100

T = TypeVar("T")
_DATA: TypeAdapter[dict[str, Json]] = TypeAdapter(dict[str, Json])


class Observed(Part):
    """The parts that observers add to a result by their names, their rules, and what went wrong with them."""

    parts: dict[str, dict[str, Json]] = Field(default_factory=dict)
    rules: list[RuleResult] = Field(default_factory=list)
    warnings: list[str] = Field(default_factory=list)


def read(registry: Registry, plan: Plan, folder: Path, earlier: Mapping[str, Any] | None = None) -> Observed:
    """What the observers of a plan find in the folder of its run.

    Args:
        registry: The installed plugins; observers that are not among them add nothing.
        plan: Of the run.
        folder: Of the run.
        earlier: Parts by name that a journal of an earlier version holds, and that are not read from files.
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
class Made:
    """A part that was made from an observer's file."""

    data: dict[str, Any]
    """All of it, as JSON data."""
    read: frozenset[str]
    """The keys that follow from the file; the others are defaults."""
    rules: list[RuleResult]


def make(offer: Offer[ObserverInfo], plan: Plan, folder: Path, earlier: Any = None) -> Made | None:
    """The part of one observer, from its file or from ``earlier``; None where there is nothing to tell.

    Raises:
        RuntimeError: The observer failed.
        TimeoutError: It took too long.
    """

    def work() -> Made | None:
        model = offer.info.part.load()
        part = model.of(folder) if earlier is None else model.model_validate(earlier)
        if part is None:
            return None
        if not isinstance(part, ObservedPart):
            raise TypeError(f"expected an ObservedPart, got {part!r:.100}")
        rules = [_rule(rule) for rule in islice(part.rules(plan), _MOST_RULES)]
        data = _DATA.validate_python(part.model_dump(mode="json", warnings="error"))
        return Made(data, frozenset(part.model_fields_set), rules)

    return within(READ_S, work)


def _rule(rule: Any) -> RuleResult:
    return RuleResult(
        name=rule.name, ok=rule.ok, observed=rule.observed, required=rule.required, note=rule.note, scope=rule.scope
    )


def earlier(plan: Plan, folder: Path, telemetry: Mapping[str, Any] | None, *, torn: bool) -> Observed:
    """The telemetry of a run of an earlier version, whose journal does not say what observers found.

    Args:
        plan: Of the run.
        folder: Of the run.
        telemetry: What its journal says of it.
        torn: Whether the timed run did not end, so that its readings are in the file alone.
    """
    return read(_installed(), plan, folder, {TELEMETRY: telemetry}) if torn or telemetry else Observed()


@cache
def _installed() -> Registry:
    """What is installed, for journals of earlier versions, of which there may be thousands."""
    return Registry()


def warning(offer: Offer[ObserverInfo], text: str) -> str:
    """What a result says about an observer that failed."""
    return f"observer {offer.info.name} ({offer.source}): {text}"[:500]


@dataclass(frozen=True, slots=True)
class Read:
    """A part of a result as its observer understands it."""

    offer: Offer[ObserverInfo]
    part: ObservedPart

    @property
    def name(self) -> str:
        """Of the observer."""
        return self.offer.info.name

    def ask(self, view: Callable[[ObservedPart], Iterable[T]]) -> list[T]:
        """A view of the part; nothing where the observer fails to give it."""
        try:
            return list(view(self.part))
        except Exception:  # noqa: BLE001  what is shown of one observer takes nothing from the others
            return []


def understood(registry: Registry, parts: Mapping[str, Any]) -> Iterator[Read]:
    """The parts of a result whose observers are installed and can read them."""
    for name, data in parts.items():
        if offer := registry.observers.get(name):
            try:
                yield Read(offer, offer.info.part.load().model_validate(data))
            except Exception:  # noqa: BLE001, S112  it was changed by hand, or is of another version
                continue


def lines(registry: Registry, parts: Mapping[str, Any]) -> list[Remark]:
    """What observers say of their parts on the card of a result."""
    return [line for each in understood(registry, parts) for line in each.ask(lambda part: remarks(part.lines()))]


def columns(offer: Offer[ObserverInfo]) -> dict[str, str]:
    """The columns of an observer with what each is; none of one that fails."""
    try:
        return {str(name): str(about) for name, about in offer.info.part.load().columns.items()}
    except Exception:  # noqa: BLE001  what is shown of one observer takes nothing from the others
        return {}


def remarks(given: Any) -> list[Remark]:
    """The remarks of an observer.

    Raises:
        TypeError: They are none.
    """
    found = list(given)
    for each in found:
        if not (isinstance(each, Remark) and isinstance(each.label, str) and isinstance(each.text, str)):
            raise TypeError(f"expected a Remark, got {each!r:.100}")
    return found


def within(seconds: float, work: Callable[[], T]) -> T:
    """What ``work`` returns; it is left to itself when it takes too long.

    Raises:
        TimeoutError: It does.
        Exception: It raised that.
    """
    held: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            held.append(work())
        except BaseException as error:  # noqa: BLE001  it may do anything
            failed.append(error)

    thread = threading.Thread(target=run, name="observed", daemon=True)
    thread.start()
    thread.join(seconds)
    if failed:
        raise RuntimeError(f"its part cannot be made: {described(failed[0])}") from failed[0]
    if not held:
        raise TimeoutError(f"it did not answer within {seconds:g} s")
    return held[0]
