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

from mlperf_mobile.contracts import Load, Scenario, Seeds
from mlperf_mobile.errors import BackendError
from mlperf_mobile.plugin import Ref


class StandInSystem:
    """Answers with the sample's index after a set time, and writes down what it is asked."""

    def __init__(self, sessions: int, batch: int, latency_s: float, fail_after: int) -> None:
        self.sample_count, self.sessions, self.batch = 50, sessions, batch
        self._latency_s, self._fail_after = latency_s, fail_after
        self._lock = threading.Lock()
        self._held: set[int] = set()
        self.issued: list[int] = []
        self.loaded: set[int] = set()
        self.most_loaded = self.unloaded_used = 0
        self.tell: Callable[[dict[str, Any]], None] = lambda happened: None

    def load_samples(self, indices: Sequence[int]) -> None:
        self._held |= set(indices)
        self.loaded |= self._held
        self.most_loaded = max(self.most_loaded, len(self._held))

    def abandon(self, error: BaseException) -> None:
        """Tell what happened, and end the process."""
        if isinstance(error, BackendError):
            self.tell({"raised": type(error).__name__})
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
                raise BackendError("stand-in", "the stand-in was told to fail")
        end = time.perf_counter() + self._latency_s * math.ceil(len(indices) / self.batch)
        while time.perf_counter() < end:
            pass
        return [index.to_bytes(4, "little") for index in indices]


def main() -> None:
    """Read settings as JSON on standard input; the last line of standard output is what happened."""
    asked: dict[str, Any] = json.loads(sys.stdin.readline())
    sessions, batch = asked.get("sessions", 2), asked.get("batch", 1)
    latency_s, seed = asked.get("latency_s", 0.0), asked.get("seed", 1)
    system = StandInSystem(sessions, batch, latency_s, asked.get("fail_after", 0))
    load = Load(
        min_query_count=asked["min_query_count"],
        min_duration_s=asked.get("min_duration_s", 0.0),
        max_duration_s=asked.get("max_duration_s", 0.0),
        percentile=asked.get("percentile", 0.9),
        performance_sample_count=asked.get("performance_sample_count", 50),
        seeds=Seeds(qsl=seed, sample_index=seed + 1, schedule=seed + 2),
        expected_latency_ns=max(1000, int(latency_s * 1e9)),
    )
    offered: Ref[type[Scenario]] = Ref(asked["scenario"])
    scenario = offered.load()(Ref(asked["options"]).load()() if asked.get("options") else None)
    latencies: array[int] = array("q")

    def tell(told: dict[str, Any]) -> None:
        told |= {
            "answered": len(system.issued),
            "latencies": len(latencies),
            "issued": system.issued[:1000],
            "loaded": sorted(system.loaded),
            "most_loaded": system.most_loaded,
            "unloaded_used": system.unloaded_used,
        }
        print(json.dumps(told), flush=True)

    system.tell = tell
    try:
        measured = scenario.run(system, load, latencies, Path(asked["logs"]))
        answered = [[each.session, each.indices, [r.hex() for r in each.responses]] for each in measured.answered]
        told = asdict(replace(measured, answered=()))
        tell(told | {"told": answered, "rules": {rule.name: asdict(rule) for rule in measured.rules}})
    except BackendError as error:  # of a scenario with a load generator of its own
        tell({"raised": type(error).__name__})


if __name__ == "__main__":
    main()
    os._exit(0)  # a load generator that was stopped half-way must not run destructors
