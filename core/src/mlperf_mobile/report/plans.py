"""A plan as text: what would run, how long it takes, and where each value came from."""

from __future__ import annotations

from mlperf_mobile.plan import Plan


def duration_range(plan: Plan) -> dict[str, float | None]:
    """Seconds of the timed run that the rules allow: at least, and at most; None where only the device decides."""
    if not plan.has_performance:
        return {"at_least": 0.0, "at_most": None}
    return {"at_least": plan.load.min_duration_s, "at_most": plan.load.max_duration_s or None}


def plan_text(plan: Plan) -> str:
    """One line a setting, with its source."""
    span = duration_range(plan)
    most = f", at most {span['at_most']:g} s" if span["at_most"] else ""
    where = f"{plan.backend}/{plan.accelerator}"
    lines = [
        f"{plan.task}: {plan.model.name} on {plan.dataset.name}, {where}, {plan.scenario}, {plan.mode}",
        f"  timed run: at least {span['at_least']:g} s{most}, {plan.load.min_query_count} queries or samples at least",
    ]
    if plan.has_accuracy:
        target = f", target {plan.quality.metric} {plan.quality.target:.4f}" if plan.quality else ", no quality target"
        lines.append(f"  accuracy run: every sample of {plan.dataset.name}{target}")
    lines.append(f"  model: {plan.model.path}")
    if plan.dataset.path:
        lines.append(f"  data: {plan.dataset.path}")
    rows = [(key, str(value), plan.sources.get(key, "defaults")) for key, value in _values(plan)]
    widths = [max(len(row[n]) for row in rows) for n in (0, 1)]
    lines += [f"  {key.ljust(widths[0])}  {value.ljust(widths[1])}  {source}" for key, value, source in rows]
    return "\n".join(lines)


def _values(plan: Plan) -> list[tuple[str, object]]:
    data = plan.to_json()
    shown: list[tuple[str, object]] = [
        (key, data[key]) for key in ("backend", "accelerator", "scenario", "mode", "rules", "batch", "warmup_s")
    ]
    for key, value in data["load"].items():
        if isinstance(value, dict):
            shown += [(f"{key}.{name}", part) for name, part in value.items()]
        else:
            shown.append((key, "automatic" if value is None else value))
    for kind in ("backend", "task", "dataset", "scenario"):
        shown += [(f"{kind}_options.{key}", value) for key, value in data[f"{kind}_options"].items()]
    return shown
