"""A run in the worker, step by step: load, warm up, measure, score."""

from __future__ import annotations

import gc
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from mlperf_mobile.contracts import (
    COUNTED,
    INFERENCE_AND_DECODING,
    LIVE,
    AnsweredCall,
    GeneratingTask,
    Measurement,
    MeteredSession,
    Metric,
    Purpose,
    SteppingSession,
    Task,
)
from mlperf_mobile.opening import check_load, open_dataset, open_scenario
from mlperf_mobile.options import constructed
from mlperf_mobile.picking import pick, require_language_model
from mlperf_mobile.plan import Plan
from mlperf_mobile.registry import Registry, installed_plugins
from mlperf_mobile.results.latencies import ARRIVALS
from mlperf_mobile.results.latencies import replace as replace_latencies
from mlperf_mobile.scoring import warnings_of
from mlperf_mobile.terms import Mode
from mlperf_mobile.worker import accuracy, environment, returned, shapes, untimed
from mlperf_mobile.worker.blame import blame, blame_truth
from mlperf_mobile.worker.channel import Channel
from mlperf_mobile.worker.encoded import EncodedStore
from mlperf_mobile.worker.generating import generations
from mlperf_mobile.worker.loaded_run import LoadedRun
from mlperf_mobile.worker.measurements import answered, as_json, planned, samples_per_query
from mlperf_mobile.worker.memory import fit_in_memory, peak_bytes
from mlperf_mobile.worker.observing import Observers
from mlperf_mobile.worker.outputs import Checks, checking
from mlperf_mobile.worker.prepare import check_placement, open_backend
from mlperf_mobile.worker.session_pool import SessionPool
from mlperf_mobile.worker.system import System
from mlperf_mobile.worker.token_checks import TokenChecks
from mlperf_mobile.worker.used_files import UsedFiles
from mlperf_mobile.worker.watch import Watch


def run(plan: Plan, channel: Channel, watch: Watch, directory: Path, after: ExitStack) -> None:
    """Run the plan; send every part of the result through ``channel`` as soon as it is known.

    ``after`` is closed when the end of the run was reported; the observers' parts follow then.
    """
    registry, latencies = installed_plugins(), array("q")
    counters: dict[str, MeteredSession] = {}
    observers = Observers(registry, plan, channel, directory, latencies, counters)
    after.callback(observers.report)
    with observers:
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
) -> LoadedRun:
    """Open the plugins, the data and the model; its sessions close with the stack."""
    scenario_offer = pick("scenario", plan.scenario, registry.scenarios, registry)
    task_offer = pick("task", plan.task, registry.tasks, registry)
    channel.measured("environment", environment.facts() | registry.environment(plan.backend))
    warnings = [problem.line() for problem in registry.failed_extras]
    channel.measured("versions", environment.versions())
    with blame("scenario", plan.scenario):
        scenario = open_scenario(registry, plan)
        check_load(plan, scenario)
    files = UsedFiles(plan, directory.parent)
    channel.measured("files", files.facts)
    with blame("task", plan.task):
        task: Task = constructed("task", task_offer, plan.task_options)
    generates = isinstance(task, GeneratingTask)
    if plan.has_performance:
        backend = pick("backend", plan.backend, registry.backends, registry)
        require_language_model(scenario_offer, plan.task, backend, registry, generates=generates)
    opened = open_backend(plan, registry, channel, files, task)
    dataset = open_dataset(registry, plan.dataset)
    timed = open_dataset(registry, plan.performance_dataset) if plan.performance_dataset else dataset
    batch = plan.batch if scenario.parallel else 1
    ask = shapes.asking(task, plan.task, timed)
    purpose = Purpose(plan.scenario, scenario.parallel, cores=environment.usable_cores())
    ready, pool = shapes.load(opened, batch, channel, watch, directory, stack, ask, purpose)
    _place(plan, pool, channel, opened.offer.info.accelerators)
    inputs, outputs = pool.sessions[0].inputs, pool.sessions[0].outputs
    with blame("task", plan.task):
        codec = returned.codec(plan.task, task.bind(inputs, outputs))
        metric = (
            returned.metric(plan.task, task.metric(dataset)) if plan.has_accuracy else None
        )  # labels may be missing
    generating = generations(task, plan.task, pool.sessions, plan.backend)
    if metric:
        with blame("dataset", plan.dataset.name):
            warnings += warnings_of(dataset)
    channel.measured("warnings", warnings)
    in_memory = min(plan.load.performance_sample_count or fit_in_memory(inputs), len(timed))
    channel.measured("system", {
        "inputs": [*map(str, inputs)], "outputs": [*map(str, outputs)],
        "sessions": len(pool.sessions), "accelerators": pool.counts(), "batch": batch,
        "samples_in_data_set": len(timed), "performance_sample_count": in_memory, "load_s": ready.seconds,
    } | (generating.facts() if generating else {}))  # fmt: skip
    store = EncodedStore(plan.cache / "encoded", plan.encoded_cache_mb * 10**6)
    return LoadedRun(
        plan, channel, watch, directory, files, scenario, pool, batch, task, codec, metric, dataset, timed, in_memory,
        store, warnings, generating, peak_bytes(),
    )  # fmt: skip


def _performance(loaded: LoadedRun, latencies: array[int]) -> None:
    """Warm up, run the scenario, which fills ``latencies``, and repeat its first and last calls."""
    plan, channel, watch, pool = loaded.plan, loaded.channel, loaded.watch, loaded.pool
    system, checks, warm_up, again = _to_time(loaded)
    with watch.phase("warm-up"), blame("backend", plan.backend):
        best_ns = warm_up(plan.warm_up_s)
    expected = min(plan.load.expected_latency_ns or best_ns, best_ns)
    filled = {"performance_sample_count": loaded.in_memory, "expected_latency_ns": expected}
    load = plan.load.model_copy(update=filled)
    watch.save(latencies)
    done = answered(loaded.scenario, latencies)
    phase = watch.phase("performance", planned(loaded.scenario, load.min_query_count), done, load.min_duration_s)
    channel.measured("samples_per_query", samples_per_query(loaded.scenario))
    seen: dict[str, Any] = {}
    logs = loaded.directory / "performance"
    logs.mkdir(exist_ok=True)
    attesting = watch.attesting(done, seen.update)
    with phase, attesting, _quiet(), blame("scenario", plan.scenario):
        measured = loaded.scenario.run(system, load, latencies, logs)
    data = as_json(plan.scenario, measured)
    if isinstance(checks, TokenChecks) and not data["tokens"]:
        data["tokens"], rules = checks.whole_answers(plan.scenario, measured.duration_s, len(latencies))
        data["rules"] = [*data["rules"], *map(asdict, rules)]
    if data["tokens"]:
        memory = {"loaded": loaded.loaded_bytes, "end": peak_bytes()}
        data["tokens"]["memory_bytes"] = {name: each for name, each in memory.items() if each is not None}
    _save_arrivals(loaded, measured)
    if measured.latency_source == COUNTED and not watch.replace():
        data["latency_source"] = LIVE
    data["timed_region"] = INFERENCE_AND_DECODING
    data["accelerators"] = pool.summed(data.pop("shares"), measured.duration_s)
    channel.measured("performance", data | {"expected_latency_ns": expected})
    channel.measured("interruptions", seen)
    pool.report(channel)
    if checks.warnings:
        loaded.warnings.extend(checks.warnings)
        channel.measured("warnings", loaded.warnings)
    loaded.files.check()  # before a backend is blamed for changed answers
    again(measured.answered)
    channel.measured("repeated", {"responses": checks.compared, "variation": checks.variation})


def _to_time(
    loaded: LoadedRun,
) -> tuple[System, Checks | TokenChecks, Callable[[float], int], Callable[[Sequence[AnsweredCall]], None]]:
    """The system of the timed run, its checks, the warm-up, and the repetition of its answers."""
    backend = loaded.plan.backend
    if not loaded.generations:
        system = loaded.system(loaded.timed)
        _watch_steps(loaded)
        checks = Checks(system, backend, loaded.pool.accelerators)
        samples = untimed.load(system)
        system.expect_encoding(loaded.in_memory)
        return (
            system,
            checks,
            lambda seconds: untimed.warm_up(system, samples, seconds, checks),
            lambda answered: untimed.answer_again(system, checks, answered),
        )
    streaming = loaded.token_system(Mode.PERFORMANCE, loaded.generations)
    loaded.watch.alive(lambda: streaming.generated)
    loaded.watch.save_tokens(streaming.tokens)
    token_checks = TokenChecks(streaming, backend)
    warm_up = partial(token_checks.warm_up, whole=not samples_per_query(loaded.scenario))
    return streaming, token_checks, warm_up, token_checks.again


def _watch_steps(loaded: LoadedRun) -> None:
    """Let the steps of sessions with long calls count as signs of life."""
    if stepping := [session for session in loaded.pool.sessions if isinstance(session, SteppingSession)]:
        loaded.watch.alive(lambda: sum(session.steps for session in stepping))


def _save_arrivals(loaded: LoadedRun, measured: Measurement) -> None:
    """Save when the samples arrived, in the order of the latencies; a failure is a warning in the result."""
    if measured.arrivals_ns is None:
        return
    try:
        replace_latencies(loaded.directory / ARRIVALS, measured.arrivals_ns)
    except OSError as error:
        loaded.warnings.append(f"the times of arrival could not be saved: {error.strerror}")
        loaded.channel.measured("warnings", loaded.warnings)


def _accuracy(loaded: LoadedRun, metric: Metric) -> None:
    """Answer every sample on all sessions, and score the answers."""
    plan, pool = loaded.plan, loaded.pool
    pool.load(all_of_them=True)
    if loaded.generations:
        system: System = (answering := loaded.token_system(Mode.ACCURACY, loaded.generations))
        loaded.watch.alive(lambda: answering.generated)
    else:
        system = loaded.system(loaded.dataset, checking(loaded.codec, pool.sessions[0].outputs, plan.backend))
        _watch_steps(loaded)
    set_size = min(loaded.in_memory, len(loaded.dataset))
    started = time.perf_counter()
    with blame("task", plan.task), blame_truth(plan.dataset.name, loaded.dataset):
        score = accuracy.measure(system, metric, plan.load.seeds, set_size, loaded.watch, loaded.directory / "accuracy")
    seconds = time.perf_counter() - started
    if score.samples < system.sample_count:
        text = f"task {plan.task}: {score.metric} counts {score.samples} of {system.sample_count} responses"
        loaded.warnings.append(text)
        loaded.channel.measured("warnings", loaded.warnings)
    loaded.channel.measured("accuracy", asdict(score) | {"duration_s": seconds, "sessions": system.sessions})
    loaded.files.check()
    if not plan.has_performance:
        pool.report(loaded.channel)


def _place(plan: Plan, pool: SessionPool, channel: Channel, offered: Sequence[str]) -> None:
    """Report where the operations run, and refuse fallbacks under strict placement."""
    with blame("backend", plan.backend):
        placements = {
            name: returned.placement(plan.backend, found, offered) for name, found in pool.placements().items()
        }
    facts = {name: asdict(placement) for name, placement in placements.items()}
    channel.measured("placement", next(iter(facts.values())) if len(facts) == 1 else {"accelerators": facts})
    if plan.strict_placement:
        for accelerator, placement in placements.items():
            check_placement(accelerator, placement)


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
