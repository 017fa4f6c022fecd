"""A run, prepared on the host: its plugins, its data, the engine for its model, and the samples that are needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from mlperf_mobile.backend_checks import Shapes
from mlperf_mobile.contracts import (
    Codec,
    Dataset,
    GeneratingTask,
    Load,
    LoadGenValue,
    LoggedScenario,
    Metric,
    NativeEngine,
    NativePlace,
    NativeRequest,
    Purpose,
    TensorSpec,
)
from mlperf_mobile.errors import UsageError
from mlperf_mobile.opening import open_dataset, open_task
from mlperf_mobile.options import broken
from mlperf_mobile.plan import CompilePlan, Plan
from mlperf_mobile.registry import installed_plugins
from mlperf_mobile.scoring import warnings_of
from mlperf_mobile.worker import returned, shapes
from mlperf_mobile.worker.blame import blame
from mlperf_mobile.worker.channel import Channel
from mlperf_mobile.worker.encoded import EncodedStore
from mlperf_mobile.worker.generating import Generations, planned
from mlperf_mobile.worker.memory import fit_in_memory
from mlperf_mobile.worker.model_files import check_model, paths_of
from mlperf_mobile.worker.samples import EncodedSamples
from mlperf_mobile.worker.used_files import UsedFiles
from mlperf_mobile_native_runner.chosen import backend_of, scenario_of
from mlperf_mobile_native_runner.chunks import Chunk, chunks
from mlperf_mobile_native_runner.loaded_set import loaded
from mlperf_mobile_native_runner.prompts import Prompts, Samples, records

WARM_UP_SAMPLES = 8
MADE = "work/engine"
"""The folder in the run's folder for files that a backend makes for its engine."""
CHOSEN_THERE = ("mode", "single_stream_expected_latency_ns", "offline_expected_qps")
"""LoadGen's settings that the runner sets: by its task, and by the latency that it measures in the warm-up."""


@dataclass(frozen=True, slots=True)
class PreparedRun:
    """What the host knows of a run before it starts."""

    plan: Plan
    scenario: LoggedScenario
    engine: NativeEngine
    sessions: int
    batch: int
    codec: Codec
    metric: Metric | None
    """None if no accuracy is measured."""
    dataset: Dataset
    timed: Dataset
    """The data set of the timed run."""
    in_memory: int
    """Samples held in memory during the timed run."""
    files: UsedFiles
    store: EncodedStore
    generations: Generations | None = None
    """None unless the task is one for language models."""

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """The tensors of an encoded sample."""
        return records(self.generations)[0] if self.generations else self.engine.inputs

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """The tensors that the runner returns for a sample."""
        return records(self.generations)[1] if self.generations else self.engine.outputs

    @property
    def load(self) -> Load:
        """The load, but for the expected latency."""
        return self.plan.load.model_copy(update={"performance_sample_count": self.in_memory})

    def settings(self, expected_ns: int) -> Mapping[str, LoadGenValue]:
        """LoadGen's settings of the timed run."""
        load = self.load.model_copy(update={"expected_latency_ns": expected_ns})
        return self.scenario.settings(load, self.sessions if self.scenario.parallel else 1, self.batch)

    def samples(self, dataset: Dataset) -> Samples:
        """The encoded samples of a data set."""
        reference = self.plan.dataset if dataset is self.dataset else self.plan.timed_dataset
        found = EncodedSamples(
            dataset,
            self.codec,
            self.store,
            inputs=None if self.generations else self.inputs,
            data=reference.name,
            task=self.plan.task,
        )
        return Prompts(found, self.generations.context, self.plan.model.name) if self.generations else found

    def timed_indices(self) -> tuple[list[int], list[int]]:
        """The samples of the timed run, and those of the warm-up."""
        samples = self.samples(self.timed)
        warm = list(range(min(max(WARM_UP_SAMPLES, self.batch), len(self.timed))))
        if isinstance(samples, Prompts):
            warm = samples.warm_up(len(self.timed))
        found = loaded(self.settings(1), len(self.timed), self.in_memory)
        return list(dict.fromkeys([*found, *warm])), warm

    def chunks(self) -> list[Chunk]:
        """The data set of the accuracy run in chunks."""
        return chunks(len(self.dataset), self.inputs, self.outputs, self.sessions * self.batch)


def prepare(plan: CompilePlan, place: NativePlace, channel: Channel, directory: Path) -> PreparedRun:
    """Open the plugins and the data, and ask the backend for its engine; nothing is encoded or sent yet.

    Raises:
        BackendError: The backend refuses an option, or the model.
        UsageError: ``runner-compile``.
        MobileError: See :mod:`mlperf_mobile_native_runner.chosen`; or model or data are wrong.
    """
    if not isinstance(plan, Plan):
        hint = "leave --runner out"
        raise UsageError("runner-compile", "the native runner compiles at load time, and caches nothing", hint)
    registry = installed_plugins()
    with blame("scenario", plan.scenario):
        scenario = scenario_of(plan, registry)
    with blame("task", plan.task):
        task = open_task(registry, plan.task, plan.task_options)
    generates = isinstance(task, GeneratingTask)
    with blame("backend", plan.backend):
        backend = backend_of(plan, registry, generates=generates)
    ((accelerator, sessions),) = plan.accelerators.items()
    files = UsedFiles(plan, directory.parent)
    channel.measured("files", files.facts)
    channel.measured("model", check_model(plan, files))
    dataset = open_dataset(registry, plan.dataset)
    timed = open_dataset(registry, plan.performance_dataset) if plan.performance_dataset else dataset
    batch = plan.batch if scenario.parallel else 1
    purpose = Purpose(plan.scenario, scenario.parallel, (sessions or 0) if scenario.parallel else 1, place.cores)
    request = NativeRequest(
        model=plan.model.path, accelerator=accelerator, place=place, format=plan.model.format, batch=batch,
        files=paths_of(plan), tokens=generates, directory=directory / MADE,
        purpose=purpose,
    )  # fmt: skip

    request.directory.mkdir(parents=True, exist_ok=True)

    def attempt(requested: Shapes) -> NativeEngine:
        with blame("backend", plan.backend):
            found = backend.native(replace(request, input_shapes=requested))
        return returned.returned("backend", plan.backend, "native", found, NativeEngine)

    engine = shapes.settled(plan, shapes.asking(task, plan.task, timed), attempt)
    files.check_model()
    if generates and engine.context < 2:
        raise broken("backend", plan.backend, f"NativeEngine.context is {engine.context}, not a number of 2 or more")
    with blame("task", plan.task):
        codec = returned.codec(plan.task, task.bind(engine.inputs, engine.outputs))
        metric = returned.metric(plan.task, task.metric(dataset)) if plan.has_accuracy else None
    generations = planned(task, plan.task, engine.context) if isinstance(task, GeneratingTask) else None
    if metric:
        with blame("dataset", plan.dataset.name):
            channel.measured("warnings", list(warnings_of(dataset)))
    in_memory = min(plan.load.performance_sample_count or fit_in_memory(engine.inputs), len(timed))
    share = (sessions or engine.sessions) if scenario.parallel or not plan.has_performance else 1
    store = EncodedStore(plan.cache / "encoded", plan.encoded_cache_mb * 10**6)
    return PreparedRun(
        plan, scenario, engine, share, batch, codec, metric, dataset, timed, in_memory, files, store,
        generations,
    )  # fmt: skip
