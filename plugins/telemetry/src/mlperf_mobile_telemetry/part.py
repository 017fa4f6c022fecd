"""The telemetry part of a result: a summary of the recording, and how it is judged and displayed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from mlperf_mobile.contracts import Graph, Listing, ObservedPart, Rule
from mlperf_mobile.plugin import Remark
from mlperf_mobile.results import latencies, tokens
from mlperf_mobile.results.parts import Flag, Integer, Json, Number, OpenPart, Part
from mlperf_mobile_telemetry import graphs, summary, timeline

if TYPE_CHECKING:
    from mlperf_mobile.plan import Plan

_MOST_ANSWERS = 4 << 20
_MOST_ENERGIES = 20
_MOST_EVIDENCE = 5
_OF_TOKENS = ("tokens", "joules_per_token")
_NUMBERS = ("first", "min", "mean", "max", "last")


class Temperature(Part):
    """The hottest sensor of the timed run, in degrees Celsius."""

    sensor: str
    first_celsius: Number
    max_celsius: Number
    last_celsius: Number


class Energy(Part):
    """The energy of the timed run by one source."""

    source: str
    includes: str
    joules: Number | None = None
    seconds: Number | None = None
    watts: Number
    inferences: Integer | None = None
    joules_per_inference: Number | None = None
    tokens: Integer | None = None
    """Of a language model: tokens of the answers among the inferences."""
    joules_per_token: Number | None = None

    @model_serializer(mode="wrap")
    def _without_tokens_of_other_models(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        data: dict[str, Any] = handler(self)
        return {key: value for key, value in data.items() if value is not None or key not in _OF_TOKENS}


class ThrottlingEvent(OpenPart):
    """One sign of throttling; ``at_s`` is seconds since the recording began."""

    kind: str
    series: str = ""
    at_s: Number | None = None


class Throttling(OpenPart):
    """The kinds of evidence that were watched, and the signs of throttling."""

    watched: list[str] = Field(default_factory=list)
    events: list[ThrottlingEvent] = Field(default_factory=list)


class Telemetry(ObservedPart):
    """The summary of a recording; see :func:`mlperf_mobile_telemetry.summary.of`."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Json]

    title: ClassVar[str] = "Device during the run"
    columns: ClassVar[Mapping[str, str]] = {
        "throttled": "whether the device was slowed down during the run",
        "hottest_celsius": "highest temperature of the hottest sensor",
        "joules_per_inference": "energy of one inference, by the first source",
        "joules_per_token": "energy of one token of an answer, by the first source, with that of its prompt",
    }

    interval_s: Number | None = None
    rows: Integer = 0
    duration_s: Number | None = None
    temperature: Temperature | None = None
    battery_drop_percent: Number | None = None
    external_power: Flag | None = None
    energy: list[Energy] = Field(default_factory=list)
    throttled: Flag | None = None
    evidence: list[str] = Field(default_factory=list)
    throttling: Throttling | None = None
    series: dict[str, dict[str, Number]] = Field(default_factory=dict)
    trouble: str | None = None

    @classmethod
    def of(cls, folder: Path) -> Self | None:
        path = folder / timeline.FILE
        if not path.is_file():
            return None
        return cls.model_validate(summary.of(timeline.read(path), _lengths(folder / tokens.TOKENS)))

    def rules(self, plan: Plan) -> Iterable[Rule]:
        """The rules of a round: on battery and not throttled, if they could be observed.

        Source: mobile_open, rules/submissionRuleV3_0.adoc.
        """
        if plan.official is None or not plan.has_performance:
            return
        if (powered := self.external_power) is not None:
            observed = "external power" if powered else "battery"
            yield Rule("on-battery", not powered, observed, "battery", scope="submission")
        if (throttled := self.throttled) is not None:
            yield Rule(
                "no-throttling", not throttled, throttled, False, "; ".join(self.evidence), "submission"
            )  # fmt: skip

    def lines(self) -> Iterable[Remark]:
        if heat := self.temperature:
            degrees = {"first": heat.first_celsius, "max": heat.max_celsius, "last": heat.last_celsius}
            yield Remark(
                "temperature",
                f"{heat.sensor}: " + "  ".join(f"{key} {value:.1f} °C" for key, value in degrees.items()),
            )
        if self.throttled:
            yield Remark("THROTTLED", "; ".join(self.evidence), alarm=True)
        for energy in self.energy:
            joules = energy.joules_per_inference
            per_inference = f"{joules * 1000:.3g} mJ per inference, " if joules is not None else ""
            if energy.joules_per_token is not None:
                per_inference += f"{energy.joules_per_token * 1000:.3g} mJ per token, "
            yield Remark("energy", f"{per_inference}{energy.watts:.3g} W by {energy.source} ({energy.includes})")

    def facts(self) -> Iterable[Remark]:
        if self.throttled:
            yield Remark("THROTTLED", "; ".join(self.evidence[:_MOST_EVIDENCE]), alarm=True)
        words = {True: "yes", False: "no", None: "unknown: this device does not report it"}
        yield Remark("throttled", words[self.throttled])
        if heat := self.temperature:
            degrees = " → ".join(f"{n:.6g}" for n in (heat.first_celsius, heat.max_celsius, heat.last_celsius))
            yield Remark("hottest sensor", f"{heat.sensor}: {degrees} °C (first, highest, last)")
        for source in self.energy[:_MOST_ENERGIES]:
            used = f"{_text(source.joules_per_inference)} J per inference, {_text(source.watts)} W"
            if source.joules_per_token is not None:
                used = f"{_text(source.joules_per_token)} J per token of an answer, {used}"
            yield Remark(f"energy by {source.source}", f"{used}; {source.includes}")
        yield Remark("external power", {True: "connected", False: "on battery", None: "unknown"}[self.external_power])
        if self.battery_drop_percent is not None:
            yield Remark("battery", f"{_text(self.battery_drop_percent)} % less at the end")
        yield Remark("recorded", f"{self.rows} rows, initially one every {_text(self.interval_s)} s")
        if self.trouble:
            yield Remark("trouble", self.trouble)

    def values(self) -> Mapping[str, float | bool | None]:
        return {
            "throttled": self.throttled,
            "hottest_celsius": self.temperature.max_celsius if self.temperature else None,
            "joules_per_inference": self.energy[0].joules_per_inference if self.energy else None,
            "joules_per_token": self.energy[0].joules_per_token if self.energy else None,
        }

    def graphs(self, folder: Path) -> Iterable[Graph]:
        events = self.throttling.events if self.throttling else []
        marks = [(event.at_s, event.kind) for event in events if event.at_s is not None]
        return graphs.of(timeline.read(folder / timeline.FILE), marks)

    def listings(self) -> Iterable[Listing]:
        if self.series:
            rows = [(name, *(numbers.get(key) for key in _NUMBERS)) for name, numbers in self.series.items()]
            yield Listing("All series of the timed run", ("series", *_NUMBERS), rows)


def _lengths(path: Path) -> Sequence[int]:
    """Tokens of each answer in ``tokens.bin``; empty without the file, and if it is too large or impossible."""
    if not path.is_file() or path.stat().st_size > 8 * tokens.FIELDS * _MOST_ANSWERS:
        return ()
    found = latencies.read(path)[1 :: tokens.FIELDS]
    return found if len(found) and min(found) >= 0 else ()


def _text(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.6g}"
