"""A run in the worker, step by step: load, warm up, measure, score."""

from __future__ import annotations

import gc
import math
import os
import time
from array import array
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mlperf_mobile import events, loadgen
from mlperf_mobile.contracts import (
    COUNTED,
    LIVE,
    AnsweredCall,
    Codec,
    Dataset,
    Measurement,
    MeteredSession,
    Metric,
    Scenario,
    TensorSpec,
)
from mlperf_mobile.errors import BackendError, UsageError
from mlperf_mobile.options import validated
from mlperf_mobile.picking import pick
from mlperf_mobile.plan import Plan
from mlperf_mobile.registry import Registry
from mlperf_mobile.scoring import open_dataset, warnings_of
from mlperf_mobile.threads import in_threads
from mlperf_mobile.worker import accuracy, environment, shapes
from mlperf_mobile.worker.blame import blame, blamed
from mlperf_mobile.worker.channel import Channel
from mlperf_mobile.worker.encoded import EncodedStore
from mlperf_mobile.worker.observing import Observers
from mlperf_mobile.worker.outputs import Checks, checking
from mlperf_mobile.worker.prepare import check_placement, open_backend
from mlperf_mobile.worker.session_pool import SessionPool
from mlperf_mobile.worker.system import Decode, System
from mlperf_mobile.worker.used_files import UsedFiles
from mlperf_mobile.worker.watch import Watch

MEMORY_FOR_SAMPLES = 500_000_000
"""Bytes of encoded samples that performance runs hold by default (mobile_app_open, flutter/cpp/dataset.h)."""

WARM_UP_SAMPLES = 8
WARM_UP_CALLS = 3
"""Minimum: first calls may compile, and LoadGen prepares too few queries if the expected latency is too long."""


@dataclass(frozen=True, slots=True)
class _LoadedRun:
    """Everything that a run needs, loaded and checked."""

    plan: Plan
    channel: Channel
    watch: Watch
    directory: Path
    files: UsedFiles
    scenario: Scenario
    pool: SessionPool
    batch: int
    codec: Codec
    metric: Metric | None
    """None if no accuracy is measured."""
    dataset: Dataset
    timed: Dataset
    """The data set of the timed run."""
    in_memory: int
    """Samples held in memory during the timed run."""
    store: EncodedStore

    def system(self, dataset: Dataset, decode: Decode | None = None) -> System:
        """The system under test: the loaded sessions with the samples of ``dataset``."""
        sessions = self.pool.sessions
        return System(
            sessions, self.batch, self.codec, dataset, self.watch, self.store, decode=decode, abandon=self._abandon
        )

    def _abandon(self, error: BaseException) -> None:
        os._exit(self.channel.failed(_in_a_callback(self.plan, error)))


def run(plan: Plan, channel: Channel, watch: Watch, directory: Path) -> None:
    """Run the plan; send every part of the result through ``channel`` as soon as it is known."""
    registry, latencies = Registry(), array("q")
    counters: dict[str, MeteredSession] = {}
    with Observers(registry, plan, channel, directory, latencies, counters) as observers:
        watch.follow(observers.begin, observers.end)
        with ExitStack() as stack, watch.phase("load"):
            loaded = _load(plan, registry, channel, watch, directory, stack)
            counters |= loaded.pool.counters()
            if plan.has_performance:
                _performance(loaded, latencies)
            if loaded.metric:
                _accuracy(loaded, loaded.metric)


def _load(
    plan: Plan, registry: Registry, channel: Channel, watch: Watch, directory: Path, stack: ExitStack
) -> _LoadedRun:
    """Open the plugins, the data and the model; its sessions close with the stack."""
    scenario_offer = pick("scenario", plan.scenario, registry.scenarios, registry)
    task_offer = pick("task", plan.task, registry.tasks, registry)
    channel.measured("environment", environment.facts() | registry.environment(plan.backend))
    channel.measured("versions", environment.versions())
    with blame("scenario", plan.scenario):
        scenario = scenario_offer.info.scenario.load()(validated("scenario", scenario_offer, plan.scenario_options))
    if len(plan.accelerators) > 1 and not scenario.parallel:
        summary = f"scenario {plan.scenario} uses one accelerator, not {plan.accelerator}"
        raise UsageError("several-accelerators", summary, "choose one, or --scenario offline")
    files = UsedFiles(plan, directory.parent)
    channel.measured("files", files.facts)
    opened = open_backend(plan, registry, channel, files)
    dataset = open_dataset(registry, plan.dataset)
    timed = open_dataset(registry, plan.performance_dataset) if plan.performance_dataset else dataset
    with blame("task", plan.task):
        task = task_offer.info.task.load()(validated("task", task_offer, plan.task_options))
    batch = plan.batch if scenario.parallel else 1
    ask = shapes.asking(task, plan.task, timed)
    ready, pool = shapes.load(opened, batch, channel, watch, directory, stack, ask, all_of_them=scenario.parallel)
    _place(plan, pool, channel)
    inputs, outputs = pool.sessions[0].inputs, pool.sessions[0].outputs
    with blame("task", plan.task):
        codec = task.bind(inputs, outputs)
        metric = task.metric(dataset) if plan.has_accuracy else None  # before the clock: labels may be missing
    if metric:
        with blame("dataset", plan.dataset.name):
            channel.measured("warnings", warnings_of(dataset))
    in_memory = min(plan.load.performance_sample_count or _fit_in_memory(inputs), len(timed))
    channel.measured("system", {
        "inputs": [*map(str, inputs)], "outputs": [*map(str, outputs)],
        "sessions": len(pool.sessions), "accelerators": pool.counts(), "batch": batch,
        "samples_in_data_set": len(timed), "performance_sample_count": in_memory, "load_s": ready.seconds,
    })  # fmt: skip
    store = EncodedStore(plan.cache / "encoded", plan.encoded_cache_mb * 10**6)
    return _LoadedRun(
        plan, channel, watch, directory, files, scenario, pool, batch, codec, metric, dataset, timed, in_memory, store
    )


def _performance(loaded: _LoadedRun, latencies: array[int]) -> None:
    """Warm up, run the scenario, which fills ``latencies``, and repeat its first and last calls."""
    plan, channel, watch, pool = loaded.plan, loaded.channel, loaded.watch, loaded.pool
    system = loaded.system(loaded.timed)
    checks = Checks(system, plan.backend, pool.accelerators)
    with watch.phase("warm-up"), blame("backend", plan.backend):
        best_ns = _warm_up(system, plan.warmup_s, checks)
    expected = min(plan.load.expected_latency_ns or best_ns, best_ns)
    filled = {"performance_sample_count": loaded.in_memory, "expected_latency_ns": expected}
    load = plan.load.model_copy(update=filled)
    watch.save(latencies)
    phase = watch.phase("performance", load.min_query_count, lambda: len(latencies), load.min_duration_s)
    seen: dict[str, Any] = {}
    attesting = watch.attesting(lambda: len(latencies), seen.update)
    with phase, attesting, _quiet(), blame("scenario", plan.scenario):
        measured = loaded.scenario.run(system, load, latencies, loaded.directory / "performance")
    data = _as_json(plan.scenario, measured)
    if measured.latency_source == COUNTED and not watch.replace():
        data["latency_source"] = LIVE
    data["accelerators"] = pool.summed(data.pop("shares"), measured.duration_s)
    channel.measured("performance", data | {"expected_latency_ns": expected})
    channel.measured("interruptions", seen)
    pool.report(channel)
    loaded.files.check()  # before a backend is blamed for changed answers
    _answer_again(system, checks, measured.answered)
    channel.measured("repeated", {"responses": checks.compared, "variation": checks.variation})


def _accuracy(loaded: _LoadedRun, metric: Metric) -> None:
    """Answer every sample on all sessions, and score the answers."""
    plan, pool = loaded.plan, loaded.pool
    pool.load(all_of_them=True)
    system = loaded.system(loaded.dataset, checking(loaded.codec, pool.sessions[0].outputs, plan.backend))
    set_size = min(loaded.in_memory, len(loaded.dataset))
    started = time.perf_counter()
    with blame("task", plan.task):
        score = accuracy.measure(system, metric, plan.load.seeds, set_size, loaded.watch, loaded.directory / "accuracy")
    seconds = time.perf_counter() - started
    loaded.channel.measured("accuracy", asdict(score) | {"duration_s": seconds, "sessions": system.sessions})
    loaded.files.check()
    if not plan.has_performance:
        pool.report(loaded.channel)


def _as_json(scenario: str, measured: Measurement) -> dict[str, Any]:
    """A scenario's measurement as JSON data.

    Raises:
        BackendError: ``scenario-failed``: it is not a valid measurement.
    """
    with blame("scenario", scenario):
        if not isinstance(measured, Measurement):
            raise TypeError(f"run returned {type(measured).__name__}, not a Measurement")
        data = asdict(replace(measured, answered=()))
        del data["answered"]
        for name in ("queries", "samples", "duration_s"):
            if data[name] <= 0:
                raise ValueError(f"Measurement.{name} is {data[name]}, not a positive number")
        events.encode(events.Measured(part="performance", value=data))
    return data


def _place(plan: Plan, pool: SessionPool, channel: Channel) -> None:
    """Report where the operations run, and refuse fallbacks under strict placement."""
    with blame("backend", plan.backend):
        placements = pool.placements()
    facts = {name: asdict(placement) for name, placement in placements.items()}
    channel.measured("placement", next(iter(facts.values())) if len(facts) == 1 else {"accelerators": facts})
    if plan.strict_placement:
        for accelerator, placement in placements.items():
            check_placement(accelerator, placement)


def _fit_in_memory(inputs: Sequence[TensorSpec]) -> int:
    size = sum(math.prod(spec.shape) * np.dtype(spec.dtype).itemsize for spec in inputs)
    return max(1, MEMORY_FOR_SAMPLES // max(1, size))


def _warm_up(system: System, seconds: float, checks: Checks) -> int:
    """Run every session for a while; returns the best latency of one call, in nanoseconds.

    The outputs are checked before and after, outside of the measured calls.
    """
    samples = list(range(min(max(WARM_UP_SAMPLES, system.batch), system.sample_count)))
    system.load_samples(samples)
    batch = (samples * math.ceil(system.batch / len(samples)))[: system.batch]
    best = [2**62] * system.sessions

    def work(session: int, failures: list[BaseException]) -> None:
        checks.first(session, samples)
        end, calls = time.perf_counter() + seconds, 0
        while not failures:
            started = time.perf_counter_ns()
            if system.sessions == 1 and system.batch == 1:
                system.answer(samples[0])
            else:
                system.answer_batch(batch, session)
            best[session] = min(best[session], time.perf_counter_ns() - started)
            calls += 1
            if calls >= WARM_UP_CALLS and time.perf_counter() >= end:
                checks.repeat(session, samples, "at the end of the warm-up")
                return

    in_threads(work, system.sessions)
    system.unload_samples(samples)
    return max(1, min(best))


def _answer_again(system: System, checks: Checks, answered: Sequence[AnsweredCall]) -> None:
    """Repeat the first and last calls of each session in the timed run, and compare the responses."""
    reported = {each.session for each in answered}
    silent = [session for session in range(system.sessions) if session not in reported]
    samples = sorted({index for each in answered for index in each.indices} | set(range(2 if silent else 0)))
    samples = [index for index in samples if index < system.sample_count]
    system.load_samples(samples)
    checks.again(answered)
    for session in silent:
        checks.repeat(session, samples, "after the timed run")
    system.unload_samples(samples)


def _in_a_callback(plan: Plan, error: BaseException) -> BaseException:
    """The error raised in LoadGen's callbacks, attributed to its plugin."""
    if isinstance(error, loadgen.WrongCount):
        return BackendError("wrong-outputs", f"backend {plan.backend}: {error}", "report it to the backend's vendor")
    return blamed("scenario", plan.scenario, error)


@contextmanager
def _quiet() -> Iterator[None]:
    """No garbage collection in the timed region: nothing there makes cycles, and a collection takes milliseconds."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()
