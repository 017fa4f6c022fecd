"""Answers queries on all sessions of a system while more arrive: a queue, batches, and completion from any thread."""

from __future__ import annotations

import threading
from array import array
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from time import perf_counter_ns
from typing import Self

from mlperf_mobile import loadgen
from mlperf_mobile.contracts import AnsweredCall, Share, SystemUnderTest
from mlperf_mobile.errors import BackendError
from mlperf_mobile.threads import begin

LOOK_S = 1.0
"""How often calls that do not return are looked for."""
_Query = tuple[int, int, int]
"""Response id, index of the sample, time of arrival in nanoseconds."""


class Dispatcher:
    """Queries of one sample each, answered in batches that form as the queries arrive.

    Each session has a thread. A free session takes the queries that are waiting, at most ``max_batch``; if they are
    fewer, it waits for more until ``max_wait_ns`` after the arrival of the first.

    Use it as a context manager around LoadGen's test.

    Args:
        system: The system under test.
        latencies_ns: Gets a latency for every completed sample, from its arrival.
        arrivals_ns: Gets the time of its arrival, since the first one, in the same order.
        max_batch: At most the system's batch.
        max_wait_ns: How long the first query of a batch waits for more.
        timeout_s: A call of a session that lasts longer ends the run.
    """

    def __init__(
        self,
        system: SystemUnderTest,
        latencies_ns: array[int],
        arrivals_ns: array[int],
        *,
        max_batch: int,
        max_wait_ns: int = 0,
        timeout_s: float = 60.0,
    ) -> None:
        self._system, self._latencies, self._arrivals = system, latencies_ns, arrivals_ns
        self._max_batch, self._max_wait_ns, self._timeout_ns = max_batch, max_wait_ns, int(timeout_s * 1e9)
        self._queue: SimpleQueue[_Query | None] = SimpleQueue()
        self._collecting, self._recording = threading.Lock(), threading.Lock()
        self._began = [0] * system.sessions
        """When each session's call began; 0 between calls."""
        self._hands: list[Sequence[_Query]] = [[] for _ in range(system.sessions)]
        """What each session is answering."""
        self._start: int | None = None
        self._issued = 0
        self._all_answered, self._over = threading.Event(), threading.Event()
        self._flushing = self._ended = False
        self._failures: list[BaseException] = []
        self.shares = [Share(0, 0.0)] * system.sessions
        self._calls: list[list[AnsweredCall]] = [[] for _ in range(system.sessions)]
        self._ends: list[threading.Event] = []
        self._watcher = threading.Thread(target=self._watch, name="watch of sessions", daemon=True)

    def __enter__(self) -> Self:
        self._ends = [begin(partial(self._guarded, session)) for session in range(self._system.sessions)]
        self._watcher.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        """End the threads; after a failure they are left alone, because a call may never return."""
        self._ended = True
        self._over.set()
        self._wake()
        if kind is None:
            for end in self._ends:
                end.wait()

    @property
    def answered(self) -> tuple[AnsweredCall, ...]:
        """The first and the last call of each session."""
        return tuple(call for calls in self._calls for call in calls)

    def issue(self, ids: Sequence[int], indices: Sequence[int]) -> None:
        """LoadGen's callback: queue one query; raises the failure of a session."""
        if self._failures:
            raise self._failures[0]
        now = perf_counter_ns()
        if self._start is None:
            self._start = now
        for response_id, index in zip(ids, indices, strict=True):
            self._queue.put((response_id, index, now))
        self._issued += len(ids)
        if self._failures:  # too late for those that are left to be completed
            raise self._failures[0]

    def flush(self) -> None:
        """LoadGen's callback after the last query: wait until all are answered; raises the failure of a session."""
        self._flushing = True
        self._wake()  # a batch that waits for more
        while len(self._arrivals) < self._issued and not self._failures:
            self._all_answered.wait(LOOK_S)
        if self._failures:
            raise self._failures[0]

    def _wake(self) -> None:
        for _ in self._ends:
            self._queue.put(None)

    def _watch(self) -> None:
        """End the run if a call does not return: LoadGen may be waiting for it, and then calls nothing."""
        while not self._over.wait(min(LOOK_S, self._timeout_ns / 2e9)):
            now = perf_counter_ns()
            for session, began in enumerate(self._began):
                if began and now - began > self._timeout_ns:
                    summary = f"session {session + 1} of {len(self._began)} has not returned from a call for "
                    summary += f"{self._timeout_ns / 1e9:g} s"
                    hint = "if the model takes that long, raise answer_timeout_s"
                    self._fail(BackendError("no-answer", summary, hint), session)
                    return

    def _guarded(self, session: int) -> None:
        try:
            self._work(session)
        except BaseException as error:  # noqa: BLE001  ends the process, or is raised in LoadGen's thread
            self._fail(error, session)

    def _fail(self, error: BaseException, session: int) -> None:
        """End the process, or else complete what nobody answers, so that LoadGen comes back and gets the error."""
        self._began[session] = 0
        self._system.abandon(error)
        self._failures.append(error)
        responder = loadgen.Responder()
        for response_id, _, _ in self._hands[session]:
            responder.complete(response_id, b"")
        with suppress(Empty):
            while True:
                if (query := self._queue.get(block=False)) is not None:
                    responder.complete(query[0], b"")
        self._all_answered.set()

    def _work(self, session: int) -> None:
        responder, answer, began = loadgen.Responder(), self._system.answer_batch, self._began
        take = self._take if self._max_batch > 1 else self._take_one
        samples = busy_ns = 0
        while (batch := take()) and not self._failures:
            indices = [index for _, index, _ in batch]
            self._hands[session] = batch
            began[session] = start = perf_counter_ns()
            responses = answer(indices, session)
            if self._failures:
                break
            if len(batch) == 1 and len(responses) == 1:
                responder.complete(batch[0][0], responses[0])
            else:
                responder.complete_all([response_id for response_id, _, _ in batch], responses)
            end = perf_counter_ns()
            began[session], self._hands[session] = 0, ()
            self._record(batch, end)
            samples += len(batch)
            busy_ns += end - start
            last = indices, responses
            if not self._calls[session]:
                self._calls[session].append(AnsweredCall(session, tuple(indices), tuple(responses)))
        self.shares[session] = Share(samples, busy_ns / 1e9)
        if samples:
            self._calls[session].append(AnsweredCall(session, tuple(last[0]), tuple(last[1])))

    def _record(self, batch: Sequence[_Query], end: int) -> None:
        """One lock for both, so that latencies and arrivals have one order."""
        first = self._start or 0
        with self._recording:
            for _, _, arrived in batch:
                self._latencies.append(end - arrived)
                self._arrivals.append(arrived - first)
        if self._flushing and len(self._arrivals) == self._issued:
            self._all_answered.set()

    def _take_one(self) -> list[_Query]:
        while (query := self._queue.get()) is None:
            if self._ended:
                return []
        return [query]

    def _take(self) -> list[_Query]:
        """The next batch; empty at the end. One thread collects at a time, so that two do not halve a batch."""
        get = self._queue.get
        with self._collecting:
            while (query := get()) is None:
                if self._ended:
                    return []
            batch, until = [query], query[2] + self._max_wait_ns
            while len(batch) < self._max_batch:
                left = 0 if self._flushing else until - perf_counter_ns()
                try:
                    query = get(timeout=left / 1e9) if left > 0 else get(block=False)
                except Empty:
                    break
                if query is not None:
                    batch.append(query)
        return batch
