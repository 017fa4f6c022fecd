"""``python -m mlperf_mobile.testing.stand_in``: runs one scenario against a system of known speed, a stand-in."""

from __future__ import annotations

import json
import math
import os
import sys
import threading
import time
from array import array
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from mlperf_mobile import loadgen
from mlperf_mobile.contracts import Load, Measurement, Scenario, Seeds
from mlperf_mobile.errors import BackendError
from mlperf_mobile.options import shown
from mlperf_mobile.plugin import Ref


class StandInSystem:
    """Answers with the sample's index after a set time, and records the samples issued."""

    def __init__(self, sessions: int, batch: int, latency_s: float, fail_after: int) -> None:
        self.sample_count, self.sessions, self.batch = 50, sessions, batch
        self._latency_s, self._fail_after = latency_s, fail_after
        self._lock = threading.Lock()
        self._held: set[int] = set()
        self.issued: list[int] = []
        self.loaded: set[int] = set()
        self.most_loaded = self.unloaded_used = 0
        self.report: Callable[[dict[str, Any]], None] = lambda facts: None

    def load_samples(self, indices: Sequence[int]) -> None:
        self._held |= set(indices)
        self.loaded |= self._held
        self.most_loaded = max(self.most_loaded, len(self._held))

    def abandon(self, error: BaseException) -> None:
        """Report the error, and end the process."""
        if isinstance(error, BackendError):
            self.report({"raised": type(error).__name__})
            os._exit(0)

    def unload_samples(self, indices: Sequence[int]) -> None:
        self._held -= set(indices)

    def answer(self, index: int) -> bytes:
        return self.answer_batch([index], 0)[0]

    def answer_batch(self, indices: Sequence[int], session: int) -> Sequence[bytes]:
        if not 0 <= session < self.sessions:
            raise ValueError(f"session {session} of {self.sessions}")
        with self._lock:
            self.issued += indices
            self.unloaded_used += len(set(indices) - self._held)
            if self._fail_after and len(self.issued) > self._fail_after:
                raise BackendError("stand-in", "the stand-in fails as requested")
        end = time.perf_counter() + self._latency_s * math.ceil(len(indices) / self.batch)
        while time.perf_counter() < end:
            pass
        return [index.to_bytes(4, "little") for index in indices]


def main() -> None:
    """Read settings as JSON on standard input; the last line of standard output is the report."""
    request: dict[str, Any] = json.loads(sys.stdin.readline())
    sessions, batch = request.get("sessions", 2), request.get("batch", 1)
    latency_s, seed = request.get("latency_s", 0.0), request.get("seed", 1)
    system = StandInSystem(sessions, batch, latency_s, request.get("fail_after", 0))
    load = Load(
        min_query_count=request["min_query_count"],
        min_duration_s=request.get("min_duration_s", 0.0),
        max_duration_s=request.get("max_duration_s", 0.0),
        percentile=request.get("percentile", 0.9),
        performance_sample_count=request.get("performance_sample_count", 50),
        seeds=Seeds(qsl=seed, sample_index=seed + 1, schedule=seed + 2),
        expected_latency_ns=max(1000, int(latency_s * 1e9)),
    )
    offered: Ref[type[Scenario]] = Ref(request["scenario"])
    model: Ref[Any] | None = Ref(request["options"]) if request.get("options") else None
    scenario = offered.load()(model.load().model_validate(request.get("given", {})) if model else None)
    latencies: array[int] = array("q")
    completing = _threads_that_complete()

    def report(facts: dict[str, Any]) -> None:
        facts |= {
            "answered": len(system.issued),
            "latencies": len(latencies),
            "issued": system.issued[:1000],
            "loaded": sorted(system.loaded),
            "most_loaded": system.most_loaded,
            "unloaded_used": system.unloaded_used,
            "ended_threads": sum(not thread.is_alive() for thread in completing),
        }
        sys.stdout.write(f"{json.dumps(facts)}\n")  # at once: several threads may fail and report
        sys.stdout.flush()

    system.report = report
    try:
        measured = scenario.run(system, load, latencies, Path(request["logs"]))
        if not isinstance(measured, Measurement):
            sys.exit(f"run() returned {shown(measured)}, a Measurement was expected")
        calls = [[each.session, each.indices, [r.hex() for r in each.responses]] for each in measured.answered]
        facts = asdict(replace(measured, answered=(), arrivals_ns=None))
        facts["arrivals_ns"] = list(measured.arrivals_ns or ())
        report(facts | {"answered_calls": calls, "rules": {rule.name: asdict(rule) for rule in measured.rules}})
    except BackendError as error:  # from a scenario that does not use LoadGen
        report({"raised": type(error).__name__})


def _threads_that_complete() -> set[threading.Thread]:
    """The threads that call LoadGen's ``QuerySamplesComplete`` from now on."""
    lg, seen = loadgen.module(), set[threading.Thread]()
    complete = lg.QuerySamplesComplete

    def observed(*arguments: Any) -> None:
        seen.add(threading.current_thread())
        complete(*arguments)

    lg.QuerySamplesComplete = observed  # type: ignore[attr-defined]
    return seen


if __name__ == "__main__":
    main()
    os._exit(0)  # a LoadGen that was stopped midway must not run destructors
