"""The rules of a round that decide whether a valid result can be submitted."""

from __future__ import annotations

from collections.abc import Sequence

from mlperf_mobile.plan import Official, Plan
from mlperf_mobile.results.parts import SystemFacts
from mlperf_mobile.results.rule import RuleResult
from mlperf_mobile.terms import EarlyStopping, Load, TokenRules


def submission_rules(
    plan: Plan, functional_only: str, observed: Sequence[RuleResult], system: SystemFacts | None = None
) -> list[RuleResult]:
    """The rules of the plan's round, each with its observed and required value; empty outside of rounds.

    Sources: mobile_open, rules/submissionRuleV3_0.adoc (one uninterrupted run) and
    rules/mobile_inference_rules.adoc (seeds, counts, percentile, quality).

    Args:
        plan: The plan of the run.
        functional_only: Why its speed is meaningless; empty for hardware.
        observed: The rules that observers add.
        system: The system under test, which says how a language model generated; None before it was loaded.
    """
    official = plan.official
    if official is None:
        return []
    found = [
        _same("seeds-of-the-round", _seeds(plan), _seeds(official), f"of {official.round}"),
        _same("model-of-the-round", plan.model.name, official.model),
        RuleResult(
            name="strict-placement",
            ok=plan.strict_placement or list(plan.accelerators) == ["cpu"],
            observed=plan.strict_placement,
            required=True,
            note="every operation on the accelerator" if list(plan.accelerators) != ["cpu"] else "it ran on the CPU",
        ),
        RuleResult(
            name="one-session",
            ok=bool(plan.session and plan.session.mode == "submission" and not plan.session.resumed),
            observed=_session(plan),
            required="submission",
            note="all performance runs, then all accuracy runs, uninterrupted",
        ),
    ]
    if functional_only:
        found.append(RuleResult(name="real-device", ok=False, observed=functional_only, required="hardware"))
    if plan.has_performance:
        found += _performance_rules(plan, official)
        if official.token_rules:
            found += _token_rules(official.token_rules, system or SystemFacts())
    found += observed
    if plan.has_accuracy:
        found.append(_same("data-of-the-round", plan.dataset.name, official.dataset, "accuracy"))
        if plan.quality is None or "quality" in plan.unverified:
            why = plan.unverified.get("quality", "the benchmark has no quality target")
            found.append(
                RuleResult(name="known-target", ok=False, observed="unverified", required="published", note=why)
            )
    return [rule.model_copy(update={"scope": "submission"}) for rule in found]


def _performance_rules(plan: Plan, official: Official) -> list[RuleResult]:
    timed = plan.timed_dataset
    load = plan.load
    return [
        _same("scenario-of-the-round", plan.scenario, official.scenario),
        _same("data-of-the-round", timed.name, official.performance_dataset or official.dataset, "performance"),
        _same("percentile", load.percentile, official.percentile),
        *_early_stopping(load, official),
        _at_least("counts-of-the-round", load.min_query_count, official.min_query_count, "queries at least"),
        _at_least("duration-of-the-round", load.min_duration_s, official.min_duration_s, "seconds at least"),
    ]


def _token_rules(required: TokenRules, system: SystemFacts) -> list[RuleResult]:
    """How the timed run generated: limit and stop ids of the round, and room for its longest prompts.

    Source: mobile_app_open, mobile_back_tflite/cpp/backend_tflite/llm_pipeline.cc and flutter/cpp/datasets.
    """
    extra = system.model_extra or {}
    generation = extra.get("generation")
    how = generation.get("performance") if isinstance(generation, dict) else None
    how = how if isinstance(how, dict) else {}
    limit, stops, context = how.get("max_new_tokens"), how.get("stop_ids"), extra.get("context")
    return [
        _same("token-limit", limit if isinstance(limit, int) else "unknown", required.max_new_tokens, "new tokens"),
        _same("stop-ids", _ids(stops), _ids(required.stop_ids)),
        _at_least("context", context if isinstance(context, int) else 0, required.context, "tokens at least"),
    ]


def _ids(ids: object) -> str:
    """Token ids in order, as text."""
    return " ".join(sorted(map(str, ids))) if isinstance(ids, list) else "unknown"


def _early_stopping(load: Load, official: Official) -> list[RuleResult]:
    """A rule if the run ignores early stopping and the round does not."""
    ignored = load.early_stopping is EarlyStopping.IGNORED is not official.early_stopping
    return [_same("early-stopping-of-the-round", load.early_stopping, official.early_stopping)] if ignored else []


def _same(name: str, observed: float | str, required: float | str, note: str = "") -> RuleResult:
    return RuleResult(name=name, ok=observed == required, observed=observed, required=required, note=note)


def _at_least(name: str, observed: float, required: float, note: str) -> RuleResult:
    return RuleResult(name=name, ok=observed >= required, observed=observed, required=required, note=note)


def _seeds(plan: Plan | Official) -> str:
    seeds = plan.load.seeds if isinstance(plan, Plan) else plan.seeds
    return f"{seeds.qsl}/{seeds.sample_index}/{seeds.schedule}"


def _session(plan: Plan) -> str:
    if plan.session is None:
        return "a run of its own"
    return f"{plan.session.mode}, resumed" if plan.session.resumed else plan.session.mode
