"""The profile of a model's operators, made on request after the timed run."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlperf_mobile_backend_tflite import profiler_events
from mlperf_mobile_backend_tflite.profiler_events import DELEGATED, OPERATOR, PHASE, Event, Unavailable
from mlperf_mobile_backend_tflite.runtime import Array, Runtime, installed_library
from mlperf_mobile_backend_tflite.session import LoadedModel, TFLiteBatchSession, TFLiteSession

LEAST = (2, 3)
"""The first LiteRT whose C interface has the functions as they are called here."""
_CONTAINERS = frozenset(("CALL", "IF", "WHILE", "STABLEHLO_CASE", "STABLEHLO_COMPOSITE", "STABLEHLO_WHILE"))
"""Operators that run other operators, whose times would count twice."""
MOST_NODES = 50
"""How many of the slowest operators the profile lists."""
WARM_UP, RUNS, SECONDS = 2, 10, 5.0
"""Runs before, and at most this many runs and seconds in the mean, at least one run."""


@dataclass(frozen=True, slots=True)
class Profiler:
    """Profiles one model."""

    runtime: Runtime
    model: Path
    threads: int

    def profile(self, inputs: Sequence[Array]) -> dict[str, Any]:
        """The profile of the model on these inputs, or ``{"problem": why}`` if it cannot be profiled.

        It is that of LiteRT's compiled model with the same kernels, and not of the interpreter that is timed.
        """
        try:
            library = self._library()
            with profiler_events.opened(library, self.model, self.threads, inputs) as model:
                for _ in range(WARM_UP):
                    model.run()
                ends, runs = time.monotonic() + SECONDS, [model.profiled()]
                while len(runs) < RUNS and time.monotonic() < ends:
                    runs.append(model.profiled())
            return summarise(runs)
        except Unavailable as error:
            return {"problem": f"there is no profile: {error}"}

    def _library(self) -> Path:
        if self.runtime.name != "litert":
            raise Unavailable(f"{self.runtime} has no profiler that Python can read; LiteRT has one")
        if _release(self.runtime.version) < LEAST:
            raise Unavailable(f"{self.runtime} is older than {'.'.join(map(str, LEAST))}")
        if (library := installed_library()) is None:
            raise Unavailable("the installed ai-edge-litert has no libLiteRt.so, whose profiler is used")
        return library


def summarise(runs: Sequence[Sequence[Event]]) -> dict[str, Any]:
    """Phases and operators of profiled runs, in the form of other backends' profiles.

    Returns:
        ``phases``: for each step of LiteRT ``{"count", "total", "mean", "unit"}``; ``nodes``: the slowest operators,
        largest first, with their place in the order of execution, mean, and share of all operators; ``node_count``;
        ``total``: the sum of all operators' means; ``unit``: ``us``, microseconds; ``runs``.

    Raises:
        Unavailable: No operator was timed, operators contain others, or the runs differ in their operators.
    """
    operators = [[each for each in run if each.kind in (OPERATOR, DELEGATED)] for run in runs]
    names = [each.tag for each in operators[0]]
    if not names:
        raise Unavailable("LiteRT's profiler timed no operator")
    if containers := sorted(_CONTAINERS.intersection(names)):
        raise Unavailable(f"the model has {', '.join(containers)}, whose time is that of other operators")
    if any([each.tag for each in run] != names for run in operators):
        raise Unavailable("the operators differ between runs")
    phases: dict[str, list[int]] = {}
    for each in (event for run in runs for event in run if event.kind == PHASE):
        phases.setdefault(each.tag, []).append(each.microseconds)
    means = [
        sum(times) / len(runs)
        for times in zip(*([each.microseconds for each in run] for run in operators), strict=True)
    ]
    total = sum(means)
    slowest = sorted(range(len(means)), key=lambda index: -means[index])[:MOST_NODES]
    return {
        "source": "LiteRT's profiler, after the timed run",
        "runs": len(runs),
        "phases": {
            name: {"count": len(times), "total": sum(times), "mean": round(sum(times) / len(times), 1), "unit": "us"}
            for name, times in list(phases.items())[:MOST_NODES]
        },
        "node_count": len(names),
        "total": round(total, 1),
        "unit": "us",
        "nodes": [
            {
                "node": names[index], "index": index, "mean": round(means[index], 1), "unit": "us",
                "share": round(means[index] / total, 4) if total else 0.0,
            }
            for index in slowest
        ],
    }  # fmt: skip


class ProfiledSession(TFLiteSession):
    """A session for one sample per call that reports a profile after its runs."""

    def __init__(self, loaded: LoadedModel, profiler: Profiler) -> None:
        super().__init__(loaded)
        self._profiler = profiler

    def report(self) -> Mapping[str, Any]:
        """The profile on the last sample."""
        return {"profile": self._profiler.profile(self.last_inputs())}


class ProfiledBatchSession(TFLiteBatchSession):
    """A session for batches that reports a profile after its runs."""

    def __init__(self, loaded: LoadedModel, batch: int, profiler: Profiler) -> None:
        super().__init__(loaded, batch)
        self._profiler, self._batch = profiler, batch

    def report(self) -> Mapping[str, Any]:
        """The profile on the last batch; its times are those of a whole batch."""
        return {"profile": self._profiler.profile(self.last_inputs()) | {"batch": self._batch}}


def _release(version: str) -> tuple[int, ...]:
    parts = version.split(".")[:2]
    return tuple(int(part) for part in parts) if all(part.isdecimal() for part in parts) else ()
