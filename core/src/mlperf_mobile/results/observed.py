"""The parts that observers add to a result, read back from their files; a failing observer never costs the result."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from mlperf_mobile.contracts.observer import ObservedPart
from mlperf_mobile.errors import described
from mlperf_mobile.plan import Plan
from mlperf_mobile.plugin import ObserverInfo, Remark
from mlperf_mobile.registry import Offer, Registry, installed_plugins
from mlperf_mobile.results.parts import Json, Part
from mlperf_mobile.results.rule import CORE_RULES, RuleResult
from mlperf_mobile.results.views import LoadedPart

OBSERVED: Final = "observed"
"""The part of the journal with the parts of all observers."""
TELEMETRY = "telemetry"
"""The observer whose part has its own key in a result, and which was the only one in earlier versions."""
READ_S = 60.0
"""Timeout for an observer that reads its file."""
_LONGEST = 1_000_000
"""Characters of a part with its rules, as JSON: time series stay in the observer's file."""
_MOST_RULES = 100

T = TypeVar("T")
_DATA: TypeAdapter[dict[str, Json]] = TypeAdapter(dict[str, Json], config=ConfigDict(defer_build=True))


class Observed(Part):
    """The parts of observers by name, their rules, and warnings about those that failed."""

    parts: dict[str, dict[str, Json]] = Field(default_factory=dict)
    rules: list[RuleResult] = Field(default_factory=list)
    warnings: list[str] = Field(default_factory=list)

    def add(self, name: str, other: Observed) -> None:
        """Add the part of the observer ``name``, without rules whose names another observer has used."""
        taken = {rule.name for rule in self.rules}
        self.parts |= other.parts
        self.rules += [rule for rule in other.rules if rule.name not in taken]
        self.warnings += other.warnings
        for repeated in sorted(taken.intersection(rule.name for rule in other.rules)):
            self.warnings.append(f"observer {name}: another observer adds a rule {repeated}; only the first one counts")


def read(
    registry: Registry, plan: Plan, folder: Path, earlier: Mapping[str, Any] | None = None, *, trace: bool = False
) -> Observed:
    """Read the parts of a plan's observers from the run's folder.

    Args:
        registry: The installed plugins; observers that are not among them add nothing.
        plan: The plan of the run.
        folder: The folder of the run.
        earlier: Parts by name from a journal of an earlier version, which are not read from files.
        trace: Whether the traceback of an observer that fails is printed, into the worker's log.
    """
    found = Observed()
    for name in plan.observers:
        if offer := registry.observers.get(name):
            found.add(name, read_one(offer, plan, folder, (earlier or {}).get(name), trace=trace))
    return found


def read_one(
    offer: Offer[ObserverInfo], plan: Plan, folder: Path, earlier: Any = None, *, trace: bool = False
) -> Observed:
    """Read the part of one observer; a warning says why it cannot be read, with ``trace`` a traceback where."""
    try:
        made = make(offer, plan, folder, earlier)
    except Exception as error:  # noqa: BLE001  an observer may do anything
        if trace:
            traceback.print_exception(error)
        return Observed(warnings=[warning(offer, str(error))])
    return Observed(parts={offer.info.name: made.data}, rules=made.rules) if made else Observed()


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
        data = part.model_dump(mode="json", warnings="error")
        try:
            data = _DATA.validate_python(data)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(str(each) for each in first["loc"] if "[" not in str(each))
            raise ValueError(f"{place or 'it'}: {first['msg'].removeprefix('Value error, ')}") from error
        rules = [_rule(rule) for rule in islice(part.rules(plan), _MOST_RULES)]
        _check_names([rule.name for rule in rules])
        length = len(Observed(parts={offer.info.name: data}, rules=rules).model_dump_json())
        if length > _LONGEST:
            raise ValueError(f"it has {length} characters as JSON, and may have {_LONGEST}")
        return NewPart(data, frozenset(part.model_fields_set), rules)

    return within(READ_S, work, "of() of its part")


def _rule(rule: Any) -> RuleResult:
    ok, observed, required = map(_plain, (rule.ok, rule.observed, rule.required))
    return RuleResult(name=rule.name, ok=ok, observed=observed, required=required, note=rule.note, scope=rule.scope)


def _plain(value: Any) -> Any:
    """A NumPy scalar, which a comparison of arrays' means gives, as Python's own."""
    return value.item() if getattr(value, "shape", None) == () else value


def _check_names(names: list[str]) -> None:
    for name in names:
        if name in CORE_RULES:
            raise ValueError(f"the rule {name} is the core's; use another name")
        if names.count(name) > 1:
            raise ValueError(f"several rules have the name {name}; each needs its own")


def earlier(plan: Plan, folder: Path, telemetry: Mapping[str, Any] | None, *, torn: bool) -> Observed:
    """The telemetry of a run of an earlier version, whose journal has no parts of observers.

    Args:
        plan: The plan of the run.
        folder: The folder of the run.
        telemetry: The part in its journal.
        torn: Whether the timed run did not end, so that only the file has its readings.
    """
    return read(installed_plugins(), plan, folder, {TELEMETRY: telemetry}) if torn or telemetry else Observed()


def warning(offer: Offer[ObserverInfo], text: str) -> str:
    """The warning about an observer that failed."""
    return f"observer {offer.info.name} ({offer.source}): {text}"[:500]


def load_parts(registry: Registry, parts: Mapping[str, Any]) -> Iterator[LoadedPart[ObservedPart]]:
    """The parts of a result whose observers are installed and can read them."""
    for name, data in parts.items():
        if offer := registry.observers.get(name):
            part = attempted(partial(_part, offer, data), None)
            if part is not None:  # else it was changed by hand, or is of another version
                yield LoadedPart(name, part)


def _part(offer: Offer[ObserverInfo], data: Any) -> ObservedPart:
    return offer.info.part.load().model_validate(data)


def lines(registry: Registry, parts: Mapping[str, Any]) -> list[Remark]:
    """The remarks of observers on the card of a result."""
    return [line for each in load_parts(registry, parts) for line in each.lines]


def columns(offer: Offer[ObserverInfo]) -> dict[str, str]:
    """The columns of an observer with their descriptions; empty if it fails."""
    return attempted(lambda: {str(name): str(about) for name, about in offer.info.part.load().columns.items()}, {})


def attempted(work: Callable[[], T], otherwise: T) -> T:
    """The value of ``work``, an observer's code, or ``otherwise`` if it raises; its output goes to standard error."""
    try:
        with redirect_stdout(sys.stderr):
            return work()
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001  a failing observer does not hide the others
        return otherwise


def within(seconds: float, work: Callable[[], T], what: str = "it") -> T:
    """The value of ``work``, which is abandoned if it takes too long; ``what`` is called so in the error.

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
        raise TimeoutError(f"{what} did not answer within {seconds:g} s")
    return held[0]
