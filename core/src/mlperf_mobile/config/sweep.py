"""Sweeps: several values of a setting, ``--sweep threads=1,2,4`` or ``sweep:`` in a run file, make one run for each."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from mlperf_mobile.config import layers
from mlperf_mobile.config.document import Layer, Setting, read_value
from mlperf_mobile.config.selection import Request
from mlperf_mobile.errors import UsageError
from mlperf_mobile.terms import Mode

SWEEP = "sweep"
MOST_RUNS = 1000
"""In one campaign, repetitions included."""

_SHOWN = 60
"""Characters of a flag in messages."""

_WHOLE = {
    "tasks": "name several tasks instead", "suite": "run one suite after the other",
    "device": "give several --device instead", "runner": "run one after the other",
    "mode": "use --mode both, or run one after the other", "output": "all results of a campaign are in one folder",
    "cache": "all runs of a campaign share it", "sweep": "write its settings side by side",
    "sweep_seed": "it orders the whole campaign", "cooldown": "all runs of a campaign share it",
    "cooldown_s": "all runs of a campaign share it",
}  # fmt: skip
"""Settings of a campaign as a whole, and what to do instead of sweeping them."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One swept setting."""

    key: str
    values: tuple[Any, ...]
    source: str


def from_assignments(assignments: Iterable[str]) -> Layer:
    """The settings of ``--sweep key=value,value`` flags.

    Raises:
        UsageError: One is not of this form, or a key is swept twice.
    """
    layer: Layer = {}
    for text in assignments:
        key, equals, values = text.partition("=")
        source = f"--sweep {text}" if len(text) <= _SHOWN else f"--sweep {text[:_SHOWN]}…"
        if not equals or not key.strip():
            raise UsageError("set-syntax", f"{source!r} is not key=value,value", "for example --sweep threads=1,2,4")
        found = {f"{SWEEP}.{name}": each for name, each in read_value(key.strip(), f"[{values}]", source).items()}
        if twice := layer.keys() & found.keys():
            raise UsageError(
                "duplicate-key", f"{source}: {min(twice)} is given twice", "give all values in one --sweep"
            )
        layer |= found
    return layer


def axes_of(request: Request) -> list[Axis]:
    """The swept settings of a request; empty without a sweep.

    Raises:
        UsageError: A value is no list, empty, or has a value twice; or the setting cannot be swept, or is also set.
    """
    stack = (request.file, request.environment, request.flags)
    merged = layers.merge(stack)
    if merged.get(SWEEP):
        raise UsageError("bad-value", f"{merged[SWEEP].source}: sweep: expected settings", "sweep: {threads: [1, 2]}")
    found: dict[str, Axis] = {}
    for key, setting in layers.under(merged, f"{SWEEP}.").items():
        _check(key, setting)
        if (plain := _plain(key)) in found:
            summary = f"{setting.source}: {key} is swept twice, also as {found[plain].key}"
            raise UsageError("duplicate-key", summary, "sweep it once")
        found[plain] = Axis(key, tuple(setting.value), setting.source)
        rank = max(place for place, layer in enumerate(stack) if f"{SWEEP}.{key}" in layer)
        for layer in stack[rank:]:
            for other, also in layer.items():
                if _plain(other) == plain or other.startswith(f"{key}."):
                    raise UsageError("no-effect", f"{also.source}: {other} is swept: {setting.source}", "leave one out")
    return list(found.values())


def points(request: Request, axes: Sequence[Axis], repeat: int = 1) -> list[Request]:
    """One request for each combination of values; the request itself without a sweep.

    Raises:
        UsageError: ``too-many-runs``; or the mode is ``submission``.
    """
    count = math.prod(len(axis.values) for axis in axes)
    check_count(count * repeat, axes[0].source if axes else "--repeat")
    mode = request.merged().get("mode")
    if axes and mode and mode.value == Mode.SUBMISSION:
        hint = "leave the sweep out, or choose --mode performance"
        raise UsageError("no-effect", f"{axes[0].source}: a submission cannot be a sweep", hint)
    found = []
    for values in product(*(axis.values for axis in axes)):
        chosen = {axis.key: Setting(value, axis.source) for axis, value in zip(axes, values, strict=True)}
        swept = {axis.key: value for axis, value in zip(axes, values, strict=True)}
        found.append(replace(request, flags=request.flags | chosen, swept=swept))
    return found


def check_count(runs: int, source: str) -> None:
    """Refuse too many runs.

    Raises:
        UsageError: ``too-many-runs``.
    """
    if runs > MOST_RUNS:
        hint = f"a campaign has at most {MOST_RUNS}; sweep fewer values, or run several campaigns"
        raise UsageError("too-many-runs", f"{source}: that makes {runs} runs", hint)


def _check(key: str, setting: Setting) -> None:
    head = key.partition(".")[0]
    if head in _WHOLE:
        raise UsageError("sweep", f"{setting.source}: {head} cannot be swept", _WHOLE[head])
    values = setting.value
    if not isinstance(values, list) or not values:
        raise UsageError("bad-value", f"{setting.source}: {key}: expected a list of values", f"{key}: [1, 2]")
    texts = [repr(value) for value in values]
    if len(set(texts)) < len(texts):
        hint = "name each value once; --repeat N measures each N times"
        raise UsageError("bad-value", f"{setting.source}: {key} has a value twice", hint)


def _plain(key: str) -> str:
    """The key without the kind of the option."""
    head, _, rest = key.partition(".")
    return rest if head.removesuffix("_options") in layers.OPTION_KINDS and rest else key
