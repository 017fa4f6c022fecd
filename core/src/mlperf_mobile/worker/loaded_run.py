"""A run with everything loaded and checked, from which the systems under test are made."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from mlperf_mobile import loadgen
from mlperf_mobile.contracts import Codec, Dataset, Metric, Scenario, Task
from mlperf_mobile.errors import BackendError
from mlperf_mobile.plan import Plan
from mlperf_mobile.terms import Mode
from mlperf_mobile.worker.blame import blamed
from mlperf_mobile.worker.channel import Channel
from mlperf_mobile.worker.encoded import EncodedStore
from mlperf_mobile.worker.generating import Generations, generating_sessions, token_system
from mlperf_mobile.worker.session_pool import SessionPool
from mlperf_mobile.worker.system import Decode, System
from mlperf_mobile.worker.token_system import TokenSystem
from mlperf_mobile.worker.used_files import UsedFiles
from mlperf_mobile.worker.watch import Watch


@dataclass(frozen=True, slots=True)
class LoadedRun:
    """Everything that a run needs, loaded and checked."""

    plan: Plan
    channel: Channel
    watch: Watch
    directory: Path
    files: UsedFiles
    scenario: Scenario
    pool: SessionPool
    batch: int
    task: Task
    codec: Codec
    metric: Metric | None
    """None if no accuracy is measured."""
    dataset: Dataset
    timed: Dataset
    """The data set of the timed run."""
    in_memory: int
    """Samples held in memory during the timed run."""
    store: EncodedStore
    warnings: list[str]
    """Those reported so far."""
    generations: Generations | None
    """None unless the task is one for language models."""
    loaded_bytes: int | None
    """The largest resident memory until the model was loaded."""

    def system(self, dataset: Dataset, decode: Decode | None = None) -> System:
        """The system under test: the loaded sessions with the samples of ``dataset``."""
        sessions = self.pool.sessions
        return System(
            sessions, self.batch, self.codec, dataset, self.watch, self.store,
            decode=decode, abandon=self._abandon, **self._names(dataset),
        )  # fmt: skip

    def token_system(self, mode: Mode, generations: Generations) -> TokenSystem:
        """The system under test of a language model."""
        accurate = mode is Mode.ACCURACY
        dataset = self.dataset if accurate else self.timed
        return token_system(
            self.task, self.plan.task, generating_sessions(self.pool.sessions, self.plan.backend),
            generations.accuracy if accurate else generations.performance,
            self.codec, dataset, self.watch, self.store,
            strict=accurate, abandon=self._abandon, model=self.plan.model.name, **self._names(dataset),
        )  # fmt: skip

    def _names(self, dataset: Dataset) -> dict[str, str]:
        """What is named in errors of a system with a data set."""
        reference = self.plan.dataset if dataset is self.dataset else self.plan.timed_dataset
        return {"backend": self.plan.backend, "task": self.plan.task, "data": reference.name}

    def _abandon(self, error: BaseException) -> None:
        os._exit(self.channel.failed(in_a_callback(self.plan, error)))


def in_a_callback(plan: Plan, error: BaseException) -> BaseException:
    """The error raised in LoadGen's callbacks, attributed to its plugin."""
    if isinstance(error, loadgen.WrongCount):
        return BackendError("wrong-outputs", f"backend {plan.backend}: {error}", "report it to the backend's vendor")
    return blamed("scenario", plan.scenario, error)
