"""User settings that have no effect on a run: refused, or reported in the plan and the result."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mlperf_mobile.config.document import Setting
from mlperf_mobile.config.settings import Settings
from mlperf_mobile.errors import UsageError
from mlperf_mobile.terms import Mode

_TIMED = (
    "rules", "min_query_count", "min_duration_s", "max_duration_s", "percentile", "early_stopping",
    "expected_latency_ns", "warmup_s", "telemetry_interval_s", "performance_dataset", "performance_data_path",
)  # fmt: skip
"""Settings of the timed run alone."""

SESSIONS = "sessions"
"""In ``ScenarioInfo.ignores``, the number of sessions on an accelerator: the 2 of ``cpu:2``."""


@dataclass(frozen=True, slots=True)
class IdleSetting:
    """A setting that has no effect on one run."""

    key: str
    source: str
    why: str
    """``"in scenario single-stream: it answers one sample at a time"``."""
    refused: bool
    """True where the setting would mislead about the result; others are merely left over from other runs."""

    @property
    def text(self) -> str:
        return f"{self.source}: {self.key} has no effect {self.why}"


def idle(
    own: Mapping[str, Setting],
    settings: Settings,
    accelerators: Mapping[str, int | None],
    scenario: str,
    ignores: Mapping[str, str],
    *,
    times_other_data: bool,
    performance_runs: int,
) -> Iterator[IdleSetting]:
    """The settings that have no effect on a run.

    Args:
        own: What the user set, by full name.
        settings: The run's settings.
        accelerators: The requested session counts, by accelerator.
        scenario: The scenario's name.
        ignores: What the scenario ignores, and why.
        times_other_data: Whether the timed run has its own data set.
        performance_runs: The number of performance runs in the campaign.
    """
    performance, accuracy = settings.mode is not Mode.ACCURACY, settings.mode is not Mode.PERFORMANCE
    one = {"batch": settings.batch > 1, SESSIONS: any(accelerators.values()) and not accuracy}
    for key, why in ignores.items():
        name = "accelerator" if key == SESSIONS else key
        if name in own and one.get(key, performance):
            yield IdleSetting(name, own[name].source, f"in scenario {scenario}: {why}", refused=True)
    if not accuracy and SESSIONS in ignores and "backend_options.shards" in own:
        why = f"in scenario {scenario}: {ignores[SESSIONS]}"
        yield IdleSetting("backend_options.shards", own["backend_options.shards"].source, why, refused=False)
    for key in _TIMED if not performance else ():
        if key in own and own[key].value is not None:
            yield IdleSetting(key, own[key].source, "in mode accuracy: nothing is timed", refused=False)
    for key in own if not accuracy else ():
        if key.partition(".")[0] == "quality" and own[key].value is not None:
            yield IdleSetting(key, own[key].source, "in mode performance: no accuracy is measured", refused=False)
    if performance and accuracy and "performance_data_path" in own and not times_other_data:
        why = "without performance_dataset: the timed run uses the samples of dataset"
        yield IdleSetting("performance_data_path", own["performance_data_path"].source, why, refused=True)
    for key in ("cooldown", "cooldown_s") if performance_runs < 2 else ():
        if key in own and own[key].value not in (None, 0):
            yield IdleSetting(key, own[key].source, "in a campaign of one performance run", refused=False)


def notes(found: Sequence[Sequence[IdleSetting]], swept: Sequence[Mapping[str, object]] = ()) -> list[tuple[str, ...]]:
    """What each run reports: settings without effect on any run, and refused ones that other runs use.

    Args:
        found: The idle settings of each run of a campaign.
        swept: The swept values of each run, by key.

    Raises:
        UsageError: ``no-effect``: a refused setting, or a value of a sweep, affects none of the runs.
    """
    for of_run, values in zip(found, swept, strict=bool(swept)):
        for each in of_run:
            if each.refused and each.key in values:
                same = [place for place, other in enumerate(swept) if other.get(each.key) == values[each.key]]
                if all(any(idle.key == each.key for idle in found[place]) for place in same):
                    raise UsageError("no-effect", each.text, f"leave {values[each.key]!r} out of the sweep")
    by_run = [{(each.key, each.source) for each in of_run} for of_run in found]
    everywhere = set.intersection(*by_run) if by_run else set()
    for each in found[0] if found else ():
        if each.refused and (each.key, each.source) in everywhere:
            raise UsageError("no-effect", each.text, "leave it out, or change the settings that make it ineffective")
    return [
        tuple(each.text for each in of_run if each.refused or (each.key, each.source) in everywhere) for of_run in found
    ]
