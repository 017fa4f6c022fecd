"""Batches that form as queries arrive, with sessions that a test holds and releases."""

from __future__ import annotations

import threading
import time
from array import array
from typing import ClassVar

import pytest

from mlperf_mobile.errors import BackendError
from mlperf_mobile_scenarios import dispatcher as module
from mlperf_mobile_scenarios.dispatcher import Dispatcher

DEADLINE_S = 60


class Completed:
    """In place of LoadGen's."""

    ids: ClassVar[list[int]] = []

    def complete(self, response_id, response):
        self.ids.append(response_id)

    def complete_all(self, ids, responses):
        assert len(ids) == len(responses)
        self.ids.extend(ids)


class Held:
    """A system whose calls wait until they are released."""

    sample_count = 100

    def __init__(self, sessions=1, batch=8):
        self.sessions, self.batch = sessions, batch
        self.calls, self.abandoned = [], []
        self.released = threading.Semaphore(0)

    def answer_batch(self, indices, session):
        self.calls.append(list(indices))
        assert self.released.acquire(timeout=DEADLINE_S)
        return [b"x"] * len(indices)

    def abandon(self, error):
        self.abandoned.append(error)

    def called(self, count):
        deadline = time.monotonic() + DEADLINE_S
        while len(self.calls) < count:
            assert time.monotonic() < deadline
            time.sleep(0.001)


@pytest.fixture(autouse=True)
def completed(monkeypatch):
    monkeypatch.setattr(module.loadgen, "Responder", Completed)
    monkeypatch.setattr(Completed, "ids", [])
    return Completed.ids


def dispatcher(system, **more):
    arrays = array("q"), array("q")
    return Dispatcher(system, *arrays, **{"max_batch": 8} | more), *arrays


def test_what_waits_is_one_batch(completed):
    system = Held()
    one, latencies, arrivals = dispatcher(system)
    with one:
        one.issue([1], [10])
        system.called(1)
        for number in range(2, 12):
            one.issue([number], [number])
        system.released.release(3)
        one.flush()
    assert [len(call) for call in system.calls] == [1, 8, 2]
    assert completed == [*range(1, 12)]
    assert len(latencies) == len(arrivals) == 11
    assert arrivals[0] == 0
    assert sorted(arrivals) == list(arrivals)
    assert [call.indices for call in one.answered] == [(10,), (10, 11)]
    assert one.shares[0].samples == 11


def test_the_first_query_waits_for_more():
    """Half a minute, if it must, but the batch is full with the second one."""
    system = Held()
    one, *_ = dispatcher(system, max_batch=2, max_wait_ns=30 * 10**9)
    system.released.release(1)
    with one:
        one.issue([1], [1])
        one.issue([2], [2])
        one.flush()
    assert system.calls == [[1, 2]]


def test_the_last_query_does_not_wait_for_more():
    """After FlushQueries, no more queries come."""
    system = Held()
    one, *_ = dispatcher(system, max_batch=2, max_wait_ns=3600 * 10**9)
    system.released.release(1)
    began = time.monotonic()
    with one:
        one.issue([1], [1])
        one.flush()
    assert system.calls == [[1]]
    assert time.monotonic() - began < DEADLINE_S


def test_without_a_wait_a_free_session_starts_at_once():
    system = Held(sessions=2)
    one, *_ = dispatcher(system)
    with one:
        one.issue([1], [1])
        system.called(1)
        one.issue([2], [2])
        system.called(2)
        system.released.release(2)
        one.flush()
    assert system.calls == [[1], [2]]


def test_a_failure_is_raised_where_loadgen_issues(monkeypatch):
    system = Held()
    monkeypatch.setattr(system, "answer_batch", lambda indices, session: 1 / 0)
    one, *_ = dispatcher(system)
    with pytest.raises(ZeroDivisionError), one:
        one.issue([1], [1])
        one.flush()
    (error,) = system.abandoned
    assert isinstance(error, ZeroDivisionError)
    with pytest.raises(ZeroDivisionError):
        one.issue([2], [2])


def test_what_a_failed_session_leaves_is_completed(completed, monkeypatch):
    """Or LoadGen would wait for it for ever, where the process does not end."""
    system = Held()
    answer = system.answer_batch
    monkeypatch.setattr(system, "answer_batch", lambda indices, session: answer(indices, session) and [])
    monkeypatch.setattr(Completed, "complete_all", lambda self, ids, responses: 1 / 0)
    one, *_ = dispatcher(system, max_batch=1)
    with pytest.raises(ZeroDivisionError), one:
        one.issue([1, 2, 3], [1, 2, 3])
        system.released.release()
        one.flush()
    assert completed == [1, 2, 3]


def test_a_call_that_does_not_return(completed):
    system = Held(sessions=2)
    one, *_ = dispatcher(system, max_batch=1, timeout_s=0.05)
    with pytest.raises(BackendError, match=r"session [12] of 2 has not returned from a call for 0\.05 s"), one:
        one.issue([1], [1])
        one.flush()
    assert completed == [1]
    system.released.release()
