"""The Result of one run, schema 2: what was measured, by which rules, on what, and its verdict."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Any, Final, Literal

from pydantic import Field, model_validator

from mlperf_mobile import performance_score
from mlperf_mobile.plan import PYTHON, Plan, RunFacts
from mlperf_mobile.results import interruptions
from mlperf_mobile.results.accuracy import Accuracy, judged, quality_rule
from mlperf_mobile.results.interruptions import Interruptions
from mlperf_mobile.results.measured import DevicePart, FileFacts, ModelPart, Parts, Performance, RepeatedResponses
from mlperf_mobile.results.observed import TELEMETRY, Observed
from mlperf_mobile.results.parts import (
    CompiledFacts,
    Flag,
    Integer,
    Json,
    LoadFacts,
    Origin,
    Part,
    PlacementFacts,
    Scalar,
    SeveralPlacements,
    SystemFacts,
)
from mlperf_mobile.results.rule import RuleResult
from mlperf_mobile.results.submission_rules import submission_rules

SCHEMA: Final = 2


def current(data: Any) -> Any:
    """The JSON of a result in this schema.

    Schema 1 had the seeds twice, here and in ``load``, null where a plan left a number of the load open, and no
    observers but the telemetry; what has observers and says that it is of schema 1 is left for the model to refuse.
    """
    if not isinstance(data, dict) or data.get("schema") != 1 or "observers" in data:
        return data
    changed: dict[str, Any] = {"observers": {}} | data | {"schema": SCHEMA}
    load = data.get("load")
    if isinstance(load, dict):
        seeds = load.get("seeds") or data.get("seeds")
        if seeds == data.get("seeds"):  # others are refused as an unknown key
            changed.pop("seeds", None)
        nullable = ("performance_sample_count", "expected_latency_ns") if data.get("origin") is None else ()
        changed["load"] = load | {key: load.get(key) or 0 for key in nullable} | ({"seeds": seeds} if seeds else {})
    return changed


class Status(StrEnum):
    """How the run ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class ModelFacts(Part):
    """The model that was run."""

    name: str
    path: str
    """Of its file; of several, the main one."""
    format: str
    sha256: str | None = None
    """Of its file; of several, of the lines ``sha256  name``, sorted by name."""
    bytes: Integer | None = None
    files: dict[str, ModelPart] = Field(default_factory=dict)
    """By name; empty for a model of one file."""


class ErrorFacts(Part):
    """Why a run failed."""

    code: str
    summary: str
    hint: str = ""
    exit_code: Integer
    stderr_tail: str = ""


class Result(Part, RunFacts):
    """One run."""

    schema_version: Literal[2] = Field(default=SCHEMA, alias="schema")
    status: Status
    valid: Flag
    submittable: Flag | None = None
    """Whether it can be submitted by the round's rules; None outside of rounds."""
    model: ModelFacts
    dataset: str
    performance_dataset: str | None
    """The data set of the timed run, if it is a different one."""
    device: DevicePart | None = None
    """The device that was measured; None for the machine of the command."""
    runner: str = PYTHON
    runtime: str | None
    accelerator: str
    """One name, or several joined by commas."""
    functional_only: str = ""
    """Why its speed is meaningless: it ran on a simulator or a stand-in, with real outputs; empty for hardware."""
    rule_set: str
    load: LoadFacts
    """The requested load: counts, durations, percentile, samples in memory, seeds."""
    options: dict[str, Json] = Field(default_factory=dict)
    """Options and settings that are not their defaults, by name: ``backend.threads``, ``scenario.target_qps``."""
    rules: list[RuleResult]
    performance: Performance | None
    accuracy: Accuracy | None
    files: dict[str, FileFacts] = Field(default_factory=dict)
    """By the setting that names the file: ``dataset``, ``dataset.options.annotations``, ``backend_options.library``."""
    repeated: RepeatedResponses | None = None
    """None if no timed run was completed, or outputs were not repeated."""
    placement: SeveralPlacements | PlacementFacts | None
    system: SystemFacts | None
    compiled: dict[str, CompiledFacts] | None = None
    """By accelerator: whether it was compiled or cached, and what the compiler reported."""
    origin: Origin | None = None
    """Where an imported result comes from; None for a run of this program."""
    interruptions: Interruptions | None = None
    """Pauses of the timed run; None if they could not be observed."""
    telemetry: dict[str, Json] | None = None
    """The part of the observer ``telemetry``: what the device did during the timed run."""
    observers: dict[str, dict[str, Json]] = Field(default_factory=dict)
    """The parts of all other observers, by name."""
    warnings: list[str] = Field(default_factory=list)
    """Warnings of the data set, such as how ambiguous files were read, and of observers that failed."""
    logs: dict[str, str] = Field(default_factory=dict)
    """SHA-256 of the files that the result is composed from, by their paths in the folder."""
    report: dict[str, Json] | None = None
    """By accelerator: the backend's report about its runs, such as durations on the hardware."""
    versions: dict[str, str]
    environment: dict[str, Scalar]
    notes: list[str] = Field(default_factory=list)  # the user's settings without effect, and why
    error: ErrorFacts | None
    directory: str
    program: str = ""
    """The program that composed it, with its version; empty in results of early versions."""

    @model_validator(mode="before")
    @classmethod
    def _of_any_schema(cls, data: Any) -> Any:
        return current(data)

    @model_validator(mode="after")
    def _score_of_earlier_versions(self) -> Result:
        """Give completed runs of versions without scores the score by which those versions compared them."""
        timed = self.performance
        if timed and "score" not in timed.model_fields_set and self.status is Status.COMPLETED:
            one_query = timed.queries == 1 and timed.samples > 1
            timed.score = performance_score.earlier(
                None if one_query else timed.latency_ns.get("p90", 0.0), timed.throughput
            )
        return self

    def to_json(self) -> dict[str, Any]:
        """The result as JSON-serialisable data."""
        return self.model_dump(mode="json", by_alias=True)

    def options_text(self, *without: str) -> str:
        """The options that are not their defaults, as ``batch=8``, except names that begin with ``without``."""
        changed = {name: value for name, value in sorted(self.options.items()) if not name.startswith(without)}
        return ", ".join(f"{name}={_option(value)}" for name, value in changed.items())

    @property
    def swept_text(self) -> str:
        """Its values in a sweep, as ``threads=2, model=a``; empty outside of sweeps."""
        return ", ".join(f"{name}={_option(value)}" for name, value in self.swept.items())

    @property
    def placements(self) -> dict[str, PlacementFacts]:
        """The placement of the operations, by accelerator; empty if unknown."""
        if isinstance(self.placement, SeveralPlacements):
            return self.placement.accelerators
        return {self.accelerator: self.placement} if self.placement else {}

    @property
    def observed(self) -> dict[str, dict[str, Json]]:
        """The parts of all observers, by name."""
        return ({} if self.telemetry is None else {TELEMETRY: self.telemetry}) | self.observers

    @property
    def verdict(self) -> str:
        """``VALID``, or the rules not met; for a valid run of a round also why it cannot be submitted."""
        if self.status is Status.INTERRUPTED:
            return "INTERRUPTED"
        if self.status is Status.FAILED:
            return f"FAILED {self.error.code if self.error else ''}".strip()
        if not self.valid:
            return f"INVALID because {self._wrong('result')}"
        return (
            "VALID"
            if self.submittable in (None, True)
            else f"VALID, not submittable because {self._wrong('submission')}"
        )

    def _wrong(self, scope: str) -> str:
        wrong = [rule for rule in self.rules if not rule.ok and rule.scope == scope]
        return ", ".join(f"{rule.name}: {_text(rule.observed)} of {_text(rule.required)}" for rule in wrong)


def _option(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def compose(
    plan: Plan,
    parts: Parts,
    status: Status,
    error: ErrorFacts | None,
    directory: str,
    logs: dict[str, str] | None = None,
    program: str = "",
) -> Result:
    """The result of ``plan`` from the measured parts, of which some may be missing."""
    performance = parts.performance.performance if parts.performance else None
    rules = list(parts.performance.rules) if parts.performance else []
    seen = interruptions.found(parts.interruptions, parts.stops)
    observed = parts.observed or Observed()
    if performance and seen:
        rules.append(interruptions.rule(seen))
    accuracy = judged(parts.accuracy, plan.quality, plan.unverified) if parts.accuracy else None
    if accuracy and (rule := quality_rule(accuracy, plan.quality)):
        rules.append(rule)
    functional_only = parts.backend.functional_only
    if performance and functional_only:
        rules.append(
            RuleResult(
                name="real-hardware", ok=False, observed=plan.accelerator, required="hardware", note=functional_only
            )
        )
    rules += [rule for rule in observed.rules if rule.scope == "result"]
    submission = [rule for rule in observed.rules if rule.scope == "submission"]
    rules += submission_rules(plan, functional_only, submission, parts.system)
    due = {"performance": plan.has_performance and not performance, "accuracy": plan.has_accuracy and not accuracy}
    missing = " and ".join(f"no {part}" for part, is_missing in due.items() if is_missing)
    if status is not Status.COMPLETED or missing:
        ended = status.value if status is not Status.COMPLETED else missing
        rules.append(RuleResult(name="completed", ok=False, observed=ended, required="completed"))
    valid = all(rule.ok for rule in rules if rule.scope == "result")
    left_behind = {"processes.left_behind": ", ".join(parts.left_behind)} if parts.left_behind else {}
    return Result(
        **plan.run_facts,
        schema=SCHEMA,
        status=status,
        valid=valid,
        submittable=valid and all(rule.ok for rule in rules) if plan.official else None,
        model=ModelFacts(
            name=plan.model.name,
            path=str(plan.model.path),
            format=plan.model.format,
            sha256=parts.model.sha256,
            bytes=parts.model.bytes,
            files=parts.model.files,
        ),
        dataset=plan.dataset.name,
        performance_dataset=plan.performance_dataset.name if plan.performance_dataset else None,
        device=parts.device or (DevicePart(address=plan.device) if plan.device else None),
        runner=plan.runner,
        runtime=parts.backend.runtime,
        accelerator=plan.accelerator,
        functional_only=functional_only,
        rule_set=plan.rules,
        load=LoadFacts.model_validate(plan.load.model_dump(mode="json")),
        options=plan.changed_options,
        rules=rules,
        performance=performance,
        accuracy=accuracy,
        files=parts.files,
        repeated=parts.repeated,
        placement=parts.placement,
        system=parts.system,
        compiled=parts.compiled,
        interruptions=seen if performance else None,
        telemetry=observed.parts.get(TELEMETRY),
        observers={name: part for name, part in observed.parts.items() if name != TELEMETRY},
        warnings=[*parts.warnings, *observed.warnings],
        logs=logs or {},
        report=parts.report,
        versions=parts.versions | parts.backend.versions,
        environment=parts.environment | left_behind,
        notes=list(plan.notes),
        error=error,
        directory=directory,
        program=program,
    )
