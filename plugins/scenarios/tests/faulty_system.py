"""Drives a scenario on a system under test with one fault, and prints how the run ended, as JSON."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from array import array
from dataclasses import asdict, replace
from pathlib import Path

from mlperf_mobile.contracts import Load, Seeds
from mlperf_mobile.errors import BackendError, MobileError
from mlperf_mobile.plugin import Ref


class Faulty:
    """Answers with the sample's index; after 20 calls in the way that the fault has."""

    sample_count = 16

    def __init__(self, fault, sessions, batch, report):
        self.sessions, self.batch, self._fault, self._report = sessions, batch, fault, report
        self._calls, self._lock, self._ending = 0, threading.Lock(), threading.Lock()
        self.sizes = []

    def load_samples(self, indices):
        pass

    def unload_samples(self, indices):
        pass

    def abandon(self, error):
        """As in a worker, the process ends here, from whatever thread this is called."""
        self._ending.acquire()  # the first one
        code = error.code if isinstance(error, MobileError) else type(error).__name__
        self._report({"raised": code, "text": str(error), "thread": threading.current_thread().name})
        os._exit(0)

    def answer_batch(self, indices, session):
        with self._lock:
            self._calls += 1
            self.sizes.append(len(indices))
            faulty = self._calls > 20
        if faulty and self._fault == "late":
            time.sleep(0.05)
        if faulty and self._fault == "never":
            threading.Event().wait()
        if faulty and self._fault == "raises":
            raise BackendError("of-the-backend", "the driver is gone")
        answers = [bytes([index]) for index in indices]
        if faulty and self._fault == "twice":
            return answers * 2
        return [] if faulty and self._fault == "nothing" else answers


def main():
    request = json.loads(sys.stdin.readline())
    scenario = Ref(f"mlperf_mobile_scenarios.{request['scenario']}").load()
    options = Ref(request["options"]).load().model_validate(request["given"])

    def report(facts):
        print(json.dumps(facts, default=str), flush=True)

    system = Faulty(request["fault"], request["sessions"], request["batch"], report)
    load = Load(
        min_query_count=request.get("count", 200), min_duration_s=0, max_duration_s=0, percentile=0.99,
        performance_sample_count=16, expected_latency_ns=request.get("expected_ns", 1_000_000),
        seeds=Seeds(qsl=1, sample_index=2, schedule=3),
    )  # fmt: skip
    latencies = array("q")
    try:
        one = scenario(options)
        measured = one.run(system, load, latencies, Path(request["logs"]))
    except MobileError as error:
        report({"raised": error.code, "text": error.summary})
    else:
        facts = asdict(replace(measured, answered=(), arrivals_ns=None))
        facts["rules"] = {rule.name: asdict(rule) for rule in measured.rules}
        counts = {"latencies": len(latencies), "arrivals": len(measured.arrivals_ns), "sizes": system.sizes}
        report(facts | counts | {"answered": getattr(one, "answered", len(latencies))})
    os._exit(0)


if __name__ == "__main__":
    main()
