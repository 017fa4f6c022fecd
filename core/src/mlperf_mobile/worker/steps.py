"""What a worker does with its Plan, step by step: load, warm up, measure, score."""

from __future__ import annotations

import gc
import hashlib
import math
import os
import time
from array import array
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path

import numpy as np

from mlperf_mobile import loadgen
from mlperf_mobile.contracts import (
    Artifact,
    Backend,
    CompileRequest,
    Load,
    Placement,
    Seeds,
    Session,
    TensorSpec,
)
from mlperf_mobile.errors import BackendError, DataError, MobileError, ModelError
from mlperf_mobile.plan import Plan
from mlperf_mobile.plugin import Capability
from mlperf_mobile.registry import Registry, pick
from mlperf_mobile.scenarios.offline import in_threads
from mlperf_mobile.scoring import open_dataset
from mlperf_mobile.worker import accuracy, environment
from mlperf_mobile.worker.channel import Channel
from mlperf_mobile.worker.encoded import EncodedStore
from mlperf_mobile.worker.system import System
from mlperf_mobile.worker.watch import Watch

MEMORY_FOR_SAMPLES = 500_000_000
"""Bytes of encoded samples that performance runs hold by default (mobile_app_open, flutter/cpp/dataset.h)."""

WARM_UP_SAMPLES = 8
WARM_UP_CALLS = 3
"""At least: first calls may compile, and LoadGen prepares too few queries for a latency that is far too long."""

WORK = "work"
"""What the backend compiles goes here; the launcher removes it when the run is over."""


def run(plan: Plan, channel: Channel, watch: Watch, directory: Path) -> None:
    """Run the plan; everything found out is told through ``channel`` as soon as it is known."""
    registry = Registry()
    loadgen.abandon = lambda error: os._exit(channel.failed(_blamed("scenario", plan.scenario, error)))
    with ExitStack() as stack, watch.phase("load"):
        backend_offer = pick("backend", plan.backend, registry.backends, registry)
        scenario_offer = pick("scenario", plan.scenario, registry.scenarios, registry)
        task_offer = pick("task", plan.task, registry.tasks, registry)
        facts = environment.facts() | registry.environment(plan.backend)
        channel.measured("environment", facts)
        channel.measured("versions", environment.versions())
        channel.measured("model", _check_model(plan))
        with blame("scenario", plan.scenario):
            scenario = scenario_offer.info.scenario.load()(plan.scenario_options)
        with blame("backend", plan.backend):
            backend = backend_offer.info.backend.load()(plan.backend_options)
            probe = backend.probe()
            if not probe.usable:
                raise BackendError("backend-unusable", f"backend {plan.backend}: {probe.reason}", probe.fix)
            if plan.accelerator not in probe.accelerators:
                found = ", ".join(probe.accelerators) or "none"
                raise BackendError(
                    "no-accelerator", f"backend {plan.backend} finds no {plan.accelerator} here", f"found: {found}"
                )
            versions = {str(name): str(version) for name, version in probe.versions.items()}
        channel.measured("backend", {"runtime": str(probe.runtime or "") or None, "versions": versions})
        dataset = open_dataset(registry, plan.dataset)
        timed = open_dataset(registry, plan.performance_dataset) if plan.performance_dataset else dataset
        with blame("task", plan.task):
            task = task_offer.info.task.load()(plan.task_options)
        batch = plan.batch if scenario.parallel else 1
        if batch > 1 and Capability.BATCH not in backend_offer.info.capabilities:
            raise BackendError("no-batch", f"backend {plan.backend} takes one sample at a time", "leave batch at 1")
        loader = _Loader(plan, backend, batch, directory / WORK, stack)
        sessions = loader.sessions(backend.shards if scenario.parallel else 1)
        with blame("backend", plan.backend):
            placement = sessions[0].placement()
        channel.measured("placement", asdict(placement))
        _check_placement(plan, placement)
        with blame("task", plan.task):
            codec = task.bind(sessions[0].inputs, sessions[0].outputs)
            metric = task.metric(dataset) if plan.has_accuracy else None  # before the clock: labels may be missing
        in_memory = plan.load.performance_sample_count or _fit_in_memory(sessions[0].inputs)
        in_memory = min(in_memory, len(timed))
        tensors = {"inputs": [*map(str, sessions[0].inputs)], "outputs": [*map(str, sessions[0].outputs)]}
        channel.measured("system", tensors | {
            "sessions": len(sessions), "batch": batch, "samples_in_data_set": len(timed),
            "performance_sample_count": in_memory, "load_s": loader.seconds,
        })  # fmt: skip
        store = EncodedStore(plan.cache / "encoded", plan.encoded_cache_mb * 10**6)
        system = System(sessions, batch, codec, timed, watch, store)
        if plan.has_performance:
            with watch.phase("warm-up"), blame("backend", plan.backend):
                best_ns = _warm_up(system, plan.warmup_s)
            expected = min(plan.load.expected_latency_ns or best_ns, best_ns)
            load = _load(plan, in_memory, expected)
            latencies: array[int] = array("q")
            watch.save(latencies)
            phase = watch.phase("performance", load.min_query_count, lambda: len(latencies), load.min_duration_s)
            with phase, _quiet(), blame("scenario", plan.scenario):
                measured = scenario.run(system, load, latencies, directory / "performance")
            channel.measured("performance", asdict(measured) | {"expected_latency_ns": expected})
        if metric:
            more = loader.sessions(backend.shards - len(sessions))
            system = System([*sessions, *more], batch, codec, dataset, watch, store)
            in_memory = min(in_memory, len(dataset))
            started = time.perf_counter()
            with blame("task", plan.task):
                score = accuracy.measure(
                    system, metric, Seeds(**plan.load.seeds.model_dump()), in_memory, watch, directory / "accuracy"
                )
            seconds = time.perf_counter() - started
            channel.measured("accuracy", asdict(score) | {"duration_s": seconds, "sessions": system.sessions})


@contextmanager
def blame(kind: str, name: str) -> Iterator[None]:
    """Name the plugin in whose code an unforeseen exception came up."""
    try:
        yield
    except Exception as error:
        if (told := _blamed(kind, name, error)) is error:
            raise
        raise told from error


def _blamed(kind: str, name: str, error: BaseException) -> BaseException:
    if isinstance(error, (MobileError, MemoryError)):
        return error
    error_type = {"backend": BackendError, "dataset": DataError, "task": ModelError}.get(kind, BackendError)
    summary = f"{kind} {name} failed: {type(error).__name__}: {error}"[:500]
    told = error_type(f"{kind}-failed", summary, "worker.log in the result folder has the details")
    told.__cause__ = error
    return told


def _check_model(plan: Plan) -> dict[str, object]:
    """Size and sha256 of the model file; the sha256 is compared when the plan has one."""
    path = plan.model.path
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = path.stat().st_size
    except OSError as error:
        raise ModelError("model-missing", f"cannot read {path}: {error.strerror}", "check --model") from error
    if plan.model.sha256 not in (None, digest):
        reason = f"{path} is not the file it should be: sha256 {digest}, expected {plan.model.sha256}"
        raise ModelError("model-checksum", reason, "reinstall the package, or fetch the model again")
    return {"sha256": digest, "bytes": size}


class _Loader:
    """Compiles the model once, and loads it as often as asked."""

    def __init__(self, plan: Plan, backend: Backend, batch: int, folder: Path, stack: ExitStack) -> None:
        self._plan, self._backend, self._stack = plan, backend, stack
        folder.mkdir()
        request = CompileRequest(plan.model.path, plan.accelerator, batch, folder)
        self.seconds = {"compile": 0.0, "load": 0.0}
        with self._timed("compile"), blame("backend", plan.backend):
            self._artifact: Artifact = backend.compile(request)

    def sessions(self, count: int) -> list[Session]:
        """Load ``count`` more sessions; they close with the run."""
        with self._timed("load"), blame("backend", self._plan.backend):
            return [self._stack.enter_context(self._backend.load(self._artifact)) for _ in range(count)]

    @contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[what] += round(time.perf_counter() - started, 6)


def _check_placement(plan: Plan, placement: Placement) -> None:
    """In strict placement, every operation runs on the plan's accelerator."""
    fallen = {name: n for name, n in placement.operations.items() if name != plan.accelerator and n}
    if plan.strict_placement and fallen:
        where = ", ".join(f"{n} on {name}" for name, n in fallen.items())
        names = sorted({op for name in fallen for op in placement.names.get(name, ())})
        summary = f"not every operation runs on {plan.accelerator}: {where} ({', '.join(names) or 'names unknown'})"
        raise BackendError("placement-fallback", summary, "--set strict_placement=false accepts that")


def _fit_in_memory(inputs: Sequence[TensorSpec]) -> int:
    size = sum(math.prod(spec.shape) * np.dtype(spec.dtype).itemsize for spec in inputs)
    return max(1, MEMORY_FOR_SAMPLES // max(1, size))


def _load(plan: Plan, in_memory: int, expected_latency_ns: int) -> Load:
    told = plan.load
    return Load(
        min_query_count=told.min_query_count,
        min_duration_s=told.min_duration_s,
        max_duration_s=told.max_duration_s,
        percentile=told.percentile,
        performance_sample_count=in_memory,
        seeds=Seeds(**told.seeds.model_dump()),
        expected_latency_ns=expected_latency_ns,
    )


def _warm_up(system: System, seconds: float) -> int:
    """Run every session for a while; the best latency of one call, in nanoseconds."""
    samples = list(range(min(max(WARM_UP_SAMPLES, system.batch), system.sample_count)))
    system.load_samples(samples)
    batch = (samples * math.ceil(system.batch / len(samples)))[: system.batch]
    best = [2**62] * system.sessions

    def work(session: int, failures: list[BaseException]) -> None:
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
                return

    in_threads(work, system.sessions)
    system.unload_samples(samples)
    return max(1, min(best))


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
