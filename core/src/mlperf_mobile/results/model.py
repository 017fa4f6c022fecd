"""The Result of one run, schema 2: what was measured, by which rules, on what, and whether it counts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, Literal

from pydantic import Field, model_validator

from mlperf_mobile import performance_score
from mlperf_mobile.performance_score import PerformanceScore
from mlperf_mobile.plan import Plan, RunFacts
from mlperf_mobile.results import interruptions
from mlperf_mobile.results.interruptions import Interruptions
from mlperf_mobile.results.parts import (
    CompiledFacts,
    Flag,
    Integer,
    Json,
    LoadFacts,
    LoadGenFacts,
    Number,
    Origin,
    Part,
    PlacementFacts,
    Scalar,
    SeveralPlacements,
    SystemFacts,
    TelemetryFacts,
)
from mlperf_mobile.results.rule import RuleResult
from mlperf_mobile.results.submission import submission_rules
from mlperf_mobile.terms import QualitySettings

SCHEMA: Final = 2


def current(data: Any) -> Any:
    """The JSON of a result in this schema.

    Schema 1 had the seeds twice, here and in ``load``, and null where a plan left a number of the load open.
    """
    if not isinstance(data, dict) or data.get("schema") != 1:
        return data
    changed, load = data | {"schema": SCHEMA}, data.get("load")
    if isinstance(load, dict):
        seeds = load.get("seeds") or data.get("seeds")
        if seeds == data.get("seeds"):  # others are refused as a key that does not belong there
            changed.pop("seeds", None)
        opened = ("performance_sample_count", "expected_latency_ns") if data.get("origin") is None else ()
        changed["load"] = load | {key: load.get(key) or 0 for key in opened} | ({"seeds": seeds} if seeds else {})
    return changed


class Status(StrEnum):
    """How the run ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class Performance(Part):
    """What the timed run measured; times in nanoseconds unless named otherwise."""

    latency_ns: dict[str, Number]
    throughput: Number
    """Samples per second of the timed region."""
    queries: Integer
    samples: Integer
    duration_s: Number
    expected_latency_ns: Integer | None = None
    accelerators: dict[str, dict[str, Number]] = Field(default_factory=dict)
    """What each did: ``sessions``, ``samples``, ``throughput``, and how ``busy`` they were, as a share of the time."""
    loadgen: LoadGenFacts = Field(default_factory=LoadGenFacts)
    latency_source: str | None = None
    """``load generator`` where the saved latencies are those it counted, ``live`` where they were taken around each
    call; None in results of earlier versions, which are live."""
    score: PerformanceScore | None = None
    """The number by which the run is compared; None where its scenario reports none, or the run did not end."""


class Repeated(Part):
    """What was answered once more after the timed run, and came out the same."""

    responses: Integer
    """How many; 0 where the scenario does not say which samples it answered first and last."""
    variation: Number = 0.0
    """How far the backend says its outputs lie apart, as a share of the largest; 0 for bit-equal."""


class Accuracy(Part):
    """What the accuracy run found, beside the quality target; ``passed`` is None without a target."""

    metric: str
    value: Number
    reference: Number | None
    target: Number | None
    passed: Flag | None
    samples: Integer
    duration_s: Number
    details: dict[str, Number] = Field(default_factory=dict)
    source: str = ""
    """Where the reference comes from."""
    unverified: str = ""
    """Why the target has no reliable source, and therefore decides nothing."""


class ModelFacts(Part):
    """The model file that was run."""

    name: str
    path: str
    format: str
    sha256: str | None = None
    bytes: Integer | None = None


class FileFacts(Part):
    """A file or folder that the run used, as it was before it was opened; it did not change until the run was over."""

    path: str
    sha256: str | None = None
    """None for a folder, and for a file of more than 4 GiB."""
    bytes: Integer
    files: Integer


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
    """Whether the round's rules let it be submitted; None outside of the rounds."""
    model: ModelFacts
    dataset: str
    performance_dataset: str | None
    """The data set of the timed run, where it is another one."""
    runtime: str | None
    accelerator: str
    """One name, or several joined by commas."""
    functional_only: str = ""
    """Why its speed says nothing: it ran on a simulator or a stand-in; its answers are real."""
    rule_set: str
    load: LoadFacts
    """What was asked for: counts, durations, percentile, samples in memory (None: as many as fit), seeds."""
    options: dict[str, Json] = Field(default_factory=dict)
    """Options and settings that are not their defaults, by name: ``backend.threads``, ``scenario.target_qps``."""
    rules: list[RuleResult]
    performance: Performance | None
    accuracy: Accuracy | None
    files: dict[str, FileFacts] = Field(default_factory=dict)
    """By the setting that names it: ``dataset``, ``dataset.options.annotations``, ``backend_options.library``."""
    repeated: Repeated | None = None
    """None where no timed run came to its end, or nobody looked."""
    placement: SeveralPlacements | PlacementFacts | None
    system: SystemFacts | None
    compiled: dict[str, CompiledFacts] | None = None
    """By accelerator: whether it was compiled or kept from before, and what the compiler found out."""
    origin: Origin | None = None
    """Where an imported result comes from; None for a run of this program."""
    interruptions: Interruptions | None = None
    """Whether the timed run stood still, or may have; None where that cannot be seen."""
    telemetry: TelemetryFacts | None = None
    """What the device did during the timed run."""
    warnings: list[str] = Field(default_factory=list)
    """What the data set warns of: how its files were read where they leave it open."""
    logs: dict[str, str] = Field(default_factory=dict)
    """SHA-256 of the files that the result is made of, by their paths in the folder."""
    report: dict[str, Json] | None = None
    """By accelerator: what the backend has to say about its runs, such as on-hardware durations."""
    versions: dict[str, str]
    environment: dict[str, Scalar]
    notes: list[str] = Field(default_factory=list)  # settings of the user's that the run could not honour, and why
    error: ErrorFacts | None
    directory: str
    program: str = ""
    """What composed it, and its version; empty in results of versions that closed no journal."""

    @model_validator(mode="before")
    @classmethod
    def _of_any_schema(cls, data: Any) -> Any:
        return current(data)

    @model_validator(mode="after")
    def _score_of_earlier_versions(self) -> Result:
        """Completed runs that were stored before scores were part of them get the one that they were compared by."""
        told = self.performance
        if told and "score" not in told.model_fields_set and self.status is Status.COMPLETED:
            one_query = told.queries == 1 and told.samples > 1
            told.score = performance_score.earlier(
                None if one_query else told.latency_ns.get("p90", 0.0), told.throughput
            )
        return self

    def to_json(self) -> dict[str, Any]:
        """The result as JSON-serialisable data."""
        return self.model_dump(mode="json", by_alias=True)

    def options_text(self, *without: str) -> str:
        """The options that are not their defaults, as ``batch=8``, but for names that begin with ``without``."""
        told = {name: value for name, value in sorted(self.options.items()) if not name.startswith(without)}
        return ", ".join(f"{name}={_option(value)}" for name, value in told.items())

    @property
    def placements(self) -> dict[str, PlacementFacts]:
        """Where the operations run, by accelerator; empty where nothing is known."""
        if isinstance(self.placement, SeveralPlacements):
            return self.placement.accelerators
        return {self.accelerator: self.placement} if self.placement else {}

    @property
    def verdict(self) -> str:
        """``VALID``, or what is wrong; of a valid run of a round also why it cannot be submitted."""
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
    parts: dict[str, Any],
    status: Status,
    error: ErrorFacts | None,
    directory: str,
    logs: dict[str, str] | None = None,
    program: str = "",
) -> Result:
    """The result of ``plan`` from the parts that its worker told, whether or not it told all of them."""
    measured = dict(parts.get("performance") or {})
    rules = [RuleResult.model_validate(rule) for rule in measured.pop("rules", ())]
    performance = Performance.model_validate(measured) if measured else None
    seen = interruptions.found(parts.get("interruptions"), parts.get("stops"))
    if performance and seen:
        rules.append(interruptions.rule(seen))
    accuracy = judged(parts["accuracy"], plan.quality, plan.unverified) if parts.get("accuracy") else None
    if accuracy and accuracy.passed is not None:
        rules.append(
            RuleResult(name="quality-target", ok=accuracy.passed, observed=accuracy.value, required=accuracy.target)
        )
    backend = parts.get("backend") or {}
    functional_only = str(backend.get("functional_only") or "")
    if performance and functional_only:
        rules.append(
            RuleResult(
                name="real-hardware", ok=False, observed=plan.accelerator, required="hardware", note=functional_only
            )
        )
    rules += submission_rules(plan, parts, functional_only)
    complete = (performance or not plan.has_performance) and (accuracy or not plan.has_accuracy)
    if status is not Status.COMPLETED or not complete:
        rules.append(RuleResult(name="completed", ok=False, observed=status.value, required="completed"))
    valid = all(rule.ok for rule in rules if rule.scope == "result")
    return Result(
        **plan.run_facts,
        schema=SCHEMA,
        status=status,
        valid=valid,
        submittable=valid and all(rule.ok for rule in rules) if plan.official else None,
        model=ModelFacts(
            name=plan.model.name, path=str(plan.model.path), format=plan.model.format, **(parts.get("model") or {})
        ),
        dataset=plan.dataset.name,
        performance_dataset=plan.performance_dataset.name if plan.performance_dataset else None,
        runtime=backend.get("runtime"),
        accelerator=plan.accelerator,
        functional_only=functional_only,
        rule_set=plan.rules,
        load=LoadFacts.model_validate(plan.load.model_dump(mode="json")),
        options=plan.changed_options,
        rules=rules,
        performance=performance,
        accuracy=accuracy,
        files={key: FileFacts.model_validate(told) for key, told in (parts.get("files") or {}).items()},
        repeated=Repeated.model_validate(parts["repeated"]) if parts.get("repeated") else None,
        placement=parts.get("placement"),
        system=parts.get("system"),
        compiled=parts.get("compiled"),
        interruptions=seen if performance else None,
        telemetry=parts.get("telemetry"),
        warnings=parts.get("warnings") or [],
        logs=logs or {},
        report=parts.get("report"),
        versions=(parts.get("versions") or {}) | (backend.get("versions") or {}),
        environment=parts.get("environment") or {},
        notes=list(plan.notes),
        error=error,
        directory=directory,
        program=program,
    )


def judged(told: dict[str, Any], quality: QualitySettings | None, unverified: Mapping[str, str]) -> Accuracy:
    """A score beside its quality target, which decides when it is of the same metric and has a source.

    Args:
        told: The score's ``metric``, ``value``, ``samples`` and ``details``, and how long it took.
        quality: The target.
        unverified: Settings without a reliable source, and why.
    """
    if quality and quality.metric != told["metric"]:
        quality = None
    doubt = next((why for key, why in unverified.items() if key == "quality"), "") if quality else ""
    return Accuracy(
        metric=told["metric"],
        value=told["value"],
        reference=quality.reference if quality else None,
        target=quality.target if quality else None,
        passed=told["value"] >= quality.target if quality and not doubt else None,
        samples=told["samples"],
        duration_s=told["duration_s"],
        details=told.get("details", {}),
        source=quality.source if quality else "",
        unverified=doubt,
    )
