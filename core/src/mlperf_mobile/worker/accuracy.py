"""The accuracy run: every sample once, with encoding, inference and logging in parallel, scored from LoadGen's log."""

from __future__ import annotations

import threading
import traceback
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from mlperf_mobile import loadgen
from mlperf_mobile.contracts import IllustratingMetric, Metric, Score, Seeds
from mlperf_mobile.errors import BackendError
from mlperf_mobile.results.pictures import PICTURES
from mlperf_mobile.scoring import score_log
from mlperf_mobile.threads import in_threads
from mlperf_mobile.worker.system import System, cores
from mlperf_mobile.worker.watch import Watch

CHUNK = 4
"""Minimum number of samples that a session takes at a time.

More would reduce the queue's cost further, but encoding them would hold the interpreter's lock longer than an inference
of a small model takes, and the other sessions would wait.
"""


def measure(system: System, metric: Metric, seeds: Seeds, set_size: int, watch: Watch, logs: Path) -> Score:
    """Answer every sample and score the accuracy log.

    Args:
        system: The system under test.
        metric: Scores the log.
        seeds: The run's seeds, which determine the order.
        set_size: Samples per query that LoadGen issues (the performance sample count).
        watch: Reports the progress.
        logs: Folder for LoadGen's logs.

    Raises:
        DataError: A sample cannot be read, or the log does not have every sample exactly once.
    """
    answered = [0] * system.sessions

    def issue(ids: list[int], indices: list[int]) -> None:
        _answer_all(system, ids, indices, answered)

    samples = loadgen.SampleLibrary(system.sample_count, set_size, lambda _: None, lambda _: None, system.abandon)
    with watch.phase("accuracy", system.sample_count, lambda: sum(answered)):
        loadgen.run(loadgen.accuracy_settings(seeds), samples, issue, logs)
        counted = _CountedMetric(metric)
        watch.alive(lambda: counted.scored)  # a metric may run a model of its own
        score = score_log(logs / loadgen.ACCURACY_LOG, counted, system.sample_count)
    if isinstance(metric, IllustratingMetric):
        try:
            (logs / PICTURES.name).mkdir()
            metric.illustrate(logs / PICTURES.name)
        except OSError:  # the score is worth more than pictures of it
            traceback.print_exc()
    return score


class _CountedMetric:
    """A metric that counts the responses it has scored."""

    def __init__(self, metric: Metric) -> None:
        self._metric, self.scored = metric, 0

    def update(self, index: int, response: bytes) -> None:
        self._metric.update(index, response)
        self.scored += 1

    def score(self) -> Score:
        return self._metric.score()


def _answer_all(system: System, ids: Sequence[int], indices: Sequence[int], answered: list[int]) -> None:
    size = system.batch * max(1, CHUNK // system.batch)
    chunks = [slice(start, start + size) for start in range(0, len(indices), size)]
    spare = cores() - system.sessions
    with ThreadPoolExecutor(max(1, spare), "encode") as pool:
        encoder = _AheadEncoder(system, indices, chunks, pool) if spare > 0 else _InlineEncoder(system, chunks)

        def work(session: int, failures: list[BaseException]) -> None:
            complete = loadgen.Responder().complete_all
            while not failures and (chunk := encoder.take()):
                mine = indices[chunk]
                encoder.ready(mine)
                try:
                    responses = system.answer_batch(mine, session)
                except BackendError:
                    for index in mine:
                        system.check_sample(index)
                    raise
                complete(ids[chunk], responses)
                system.unload_samples(mine)
                answered[session] += len(mine)

        try:
            in_threads(work, system.sessions)
        finally:
            pool.shutdown(cancel_futures=True)


class _InlineEncoder:
    """Encodes in each session's own thread, for when the sessions keep all cores busy."""

    def __init__(self, system: System, chunks: Sequence[slice]) -> None:
        self._system, self._chunks = system, iter(chunks)

    def take(self) -> slice | None:
        """The next chunk; None at the end."""
        return next(self._chunks, None)

    def ready(self, indices: Sequence[int]) -> None:
        for index in indices:
            self._system.hold(index)


class _AheadEncoder:
    """Encodes a few chunks ahead of the sessions on spare cores; memory stays bounded."""

    def __init__(
        self, system: System, indices: Sequence[int], chunks: Sequence[slice], pool: ThreadPoolExecutor
    ) -> None:
        self._encode = _InlineEncoder(system, chunks)
        self._indices, self._pool = indices, pool
        self._lock = threading.Lock()
        self._waiting: deque[tuple[slice, Future[None]]] = deque()
        for _ in range(2 * (cores() + system.sessions)):
            self._submit()

    def take(self) -> slice | None:
        """The next chunk, with its samples encoded; None at the end."""
        with self._lock:
            if not self._waiting:
                return None
            chunk, encoded = self._waiting.popleft()
            self._submit()
        encoded.result()
        return chunk

    def ready(self, indices: Sequence[int]) -> None:
        """Do nothing: :meth:`take` waited for the encoding."""

    def _submit(self) -> None:
        if (chunk := self._encode.take()) is not None:
            self._waiting.append((chunk, self._pool.submit(self._encode.ready, self._indices[chunk])))
