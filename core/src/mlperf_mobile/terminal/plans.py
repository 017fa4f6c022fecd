"""A plan as text: what would run, how long it takes, and where each value came from."""

from __future__ import annotations

from mlperf_mobile.campaigns.campaign import Campaign
from mlperf_mobile.campaigns.estimate import left
from mlperf_mobile.config.resolve import PlannedRuns
from mlperf_mobile.plan import CompilePlan, DatasetRef, Plan
from mlperf_mobile.resources.cache import FETCH
from mlperf_mobile.terms import ONLY_INPUT

_WIDEST = 40
"""Longer values do not move the column of sources."""
_OTHERS = (
    "strict_placement", "telemetry_interval_s", "cache", "encoded_cache_mb", "silence_timeout_s", "compile_timeout_s",
    "device_timeout_s", "keep_on_device", "recompile", "airplane_mode",
)  # fmt: skip
"""Values of a plan that have the names of their settings."""


def duration_range(plan: Plan) -> dict[str, float | None]:
    """Minimum and maximum seconds of the timed run by the run rules; None without a maximum."""
    if not plan.has_performance:
        return {"at_least": 0.0, "at_most": None}
    return {"at_least": plan.load.min_duration_s, "at_most": plan.load.max_duration_s or None}


def total_text(campaign: Campaign) -> str:
    """The estimated time of several runs; empty for one."""
    plans = [step.plan for step in campaign.steps]
    if len(plans) < 2:
        return ""
    rest = f", {campaign.cooldown_s:g} s of cool-down between performance runs" if campaign.cooldown_s else ""
    return f"{len(plans)} runs, at least {left(campaign, {})} in all{rest}"


def dry_run_text(resolved: PlannedRuns, campaign: Campaign) -> str:
    """Everything that ``run --dry-run`` shows."""
    parts = [*map(plan_text, resolved.plans), total_text(campaign), missing_text(resolved)]
    return "\n\n".join(filter(None, parts))


def missing_text(resolved: PlannedRuns) -> str:
    """What must be fetched or provided by hand before the plans can run; empty if nothing is missing."""
    lines = []
    for resource in resolved.missing:
        by_hand = resource.is_local
        what = f"{resource.about or 'to be provided by hand'}" if by_hand else resource.url
        lines.append(f"  {resolved.cache.location(resource)}\n    {'by hand: ' if by_hand else 'fetch: '}{what}")
    return "\n".join([_missing_names(resolved), *lines]) if lines else ""


def _missing_names(resolved: PlannedRuns) -> str:
    """One line with the names of all missing files, and how to get them."""
    by_hand = {each.url.rpartition("/")[2]: each.is_local for each in resolved.missing}
    names = ", ".join(f"{name} (by hand)" if local else name for name, local in by_hand.items())
    how = "" if all(by_hand.values()) else f"; run '{FETCH}' with the same arguments"
    return f"missing: {names}{how}"


def accelerators_text(plan: CompilePlan) -> str:
    """The accelerators as in a run file: ``cpu:2,npu``."""
    return ",".join(f"{name}:{count}" if count else name for name, count in plan.accelerators.items())


def plan_text(plan: Plan) -> str:
    """The plan with one line per setting, and its source."""
    where = f"{plan.backend}/{plan.accelerator}" + (f" on {plan.device}" if plan.device else "")
    timed = f", timed on {plan.performance_dataset.name}" if plan.performance_dataset else ""
    lines = [
        f"{plan.benchmark}: {plan.model.name} on {plan.dataset.name}{timed}, {where}, {plan.scenario}, {plan.mode}",
    ]
    if plan.has_performance:
        lines.append(f"  timed run: {_extent(plan)}")
    if plan.has_accuracy:
        target = f", target {plan.quality.metric} {plan.quality.target:.4f}" if plan.quality else ", no quality target"
        lines.append(f"  accuracy run: every sample of {plan.dataset.name}{target}")
        lines += [f"  unverified {key}: {why}" for key, why in plan.unverified.items()]
    lines += [f"  note: {note}" for note in plan.notes]
    rows = [(key, str(value), _source(plan, key)) for key, value in _values(plan)]
    widths = [max(len(row[0]) for row in rows), max(len(row[1]) for row in rows if len(row[1]) <= _WIDEST)]
    lines += [f"  {key.ljust(widths[0])}  {value.ljust(widths[1])}  {source}" for key, value, source in rows]
    return "\n".join(lines)


def _extent(plan: Plan) -> str:
    """What the timed run must reach by the run rules, and where it is stopped: ``at least 60 s and 1024 queries``."""
    span = duration_range(plan)
    least = [f"{span['at_least']:g} s"] if span["at_least"] else []
    count = plan.load.min_query_count
    if count:
        least.append(f"{count} queries or samples")
    most = [f"at most {span['at_most']:g} s"] if span["at_most"] else []
    return ", ".join([f"at least {' and '.join(least)}"] * bool(least) + most) or "no minimum"


def _input_shapes(plan: CompilePlan) -> list[tuple[str, object]]:
    """The input shapes by the settings' keys: one for the only input, or one per input."""
    return [("input_shapes" if name == ONLY_INPUT else f"input_shapes.{name}", list(shape))
            for name, shape in plan.input_shapes.items()]  # fmt: skip


def _data(key: str, data: DatasetRef | None) -> list[tuple[str, object]]:
    """A data set, and its path if it has one."""
    if data is None:
        return []
    return [(key, data.name), *([(f"{key}.path", data.path)] if data.path else [])]


def _source(plan: Plan, key: str) -> str:
    """What set a value; a mapping or a list may have been set as a whole, or in parts."""
    parts = key.split(".")
    paths = [".".join(parts[:count]) for count in range(len(parts), 0, -1)] if not key.endswith(".path") else [key]
    return next((plan.sources[path] for path in paths if path in plan.sources), "defaults")


def _values(plan: Plan) -> list[tuple[str, object]]:
    data = plan.to_json()
    shown: list[tuple[str, object]] = [
        ("model", plan.model.name), ("model.path", plan.model.path),
        *((f"model.files.{name}.path", file.path) for name, file in plan.model.files.items()),
        ("model_format", plan.model.format),
        *_data("dataset", plan.dataset), *_data("performance_dataset", plan.performance_dataset),
        *(("device", plan.device) for _ in [0] if plan.device), ("runner", plan.runner),
        ("backend", plan.backend), ("accelerator", accelerators_text(plan)),
        *((key, data[key]) for key in ("tuning", "soc") if data[key]),
        *((key, data[key]) for key in ("scenario", "mode", "rules", "batch", "warmup_s")),
        *_input_shapes(plan),
    ]  # fmt: skip
    for key, value in data["load"].items():
        if isinstance(value, dict):
            shown += [(f"{key}.{name}", part) for name, part in value.items()]
        else:
            shown.append((key, "automatic" if value is None else value))
    shown += [(key, data[key]) for key in _OTHERS]
    shown += [(f"quality.{key}", value) for key, value in (data["quality"] or {}).items() if value is not None]
    for name, options in data["observers"].items():
        shown += [(f"observer_options.{name}.{key}", value) for key, value in options.items()]
    for kind in ("backend", "task", "dataset", "scenario"):
        options = data["dataset"]["options"] if kind == "dataset" else data[f"{kind}_options"]
        shown += [(f"{kind}_options.{key}", value) for key, value in options.items()]
    return shown
