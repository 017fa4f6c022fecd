"""The worker's parts by themselves: threads, progress, the channel, and what the launcher hears of it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
import time
import weakref
from array import array
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlperf_mobile import events
from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile.errors import BackendError, DataError, ModelError
from mlperf_mobile.launch.incoming import Incoming
from mlperf_mobile.launch.interrupts import Interrupts
from mlperf_mobile.plan import DatasetRef, Plan
from mlperf_mobile.results.latencies import FILE as LATENCIES
from mlperf_mobile.results.latencies import read as latencies_of
from mlperf_mobile.results.tokens import TOKENS
from mlperf_mobile.threads import begin, in_threads
from mlperf_mobile.worker import accuracy, encoded, observing
from mlperf_mobile.worker import system as worker_system
from mlperf_mobile.worker import watch as worker_watch
from mlperf_mobile.worker.channel import Channel
from mlperf_mobile.worker.loaded_run import LoadedRun
from mlperf_mobile.worker.system import System
from mlperf_mobile.worker.watch import Meter


class TestThreads:
    def test_each_has_a_number(self):
        seen = []
        in_threads(lambda session, failures: seen.append(session), 4)
        assert sorted(seen) == [0, 1, 2, 3]

    @pytest.mark.parametrize("bad", [0, 2])
    def test_a_failure_of_one_stops_all_and_is_raised(self, bad):
        """Without the stop this would never end."""

        def work(session, failures):
            if session == bad:
                raise ZeroDivisionError(session)
            while not failures:
                pass

        with pytest.raises(ZeroDivisionError):
            in_threads(work, 3)

    def test_work_that_raises_ends_like_any_thread_and_the_next_begins(self, monkeypatch):
        told = []
        monkeypatch.setattr(threading, "excepthook", told.append)
        for _ in range(3):
            assert begin(lambda: 1 / 0).wait(60)
        assert [each.exc_type for each in told] == [ZeroDivisionError] * 3

    def test_they_stay_for_the_next_work_and_keep_nothing(self):
        """LoadGen may crash when a thread that completed queries ends."""
        seen, meeting = [], threading.Barrier(3)

        class Held:
            pass

        def work(held, session, failures):
            seen.append(threading.current_thread())
            meeting.wait(60)

        held = Held()
        gone = weakref.ref(held)
        in_threads(partial(work, held), 3)
        first = set(seen)
        assert len(first) == 3
        assert all(thread.is_alive() for thread in first)
        del held
        in_threads(partial(work, None), 3)
        assert gone() is None
        for _ in range(20):
            in_threads(partial(work, None), 3)
        assert set(seen) == first


def test_an_observer_that_hangs_is_told_by_the_method_that_does():
    """A sample that hangs keeps the next phase waiting; the observer's ``begin`` was never called."""
    hanging, over = threading.Event(), threading.Event()

    class Meter:
        interval_s = 0.01

        def start(self, run):
            pass

        def sample(self):
            hanging.set()
            over.wait(60)

    keeper = observing.Keeper("meter", Meter)
    keeper.start()
    assert keeper.post("start", None).wait(60)
    assert hanging.wait(60)
    assert not keeper.post("begin", "performance").is_set()
    assert keeper.step == "sample"
    over.set()


class TestProgress:
    def test_only_when_something_was_done(self):
        done = [0]
        meter = Meter("encode", 10, lambda: done[0])
        assert meter.progress() is None
        done[0] = 4
        told = meter.progress()
        assert (told.phase, told.done, told.total, told.fraction) == ("encode", 4, 10, 0.4)
        assert told.left_s == pytest.approx(told.elapsed_s * 1.5)
        assert meter.progress() is None
        done[0] = 20
        assert meter.progress().fraction == 1.0

    def test_queries_and_time_must_both_be_done(self):
        """A run lasts until the slower of its two conditions is met."""
        meter = Meter("performance", 10, lambda: 10, min_s=1000.0)
        assert meter.progress().fraction < 0.1

    def test_its_time_has_the_first_answer_and_ends_with_the_last(self, monkeypatch):
        """After 30 s of preparation two answers of 4 s each; tokens of the third are no end of a sample."""
        now, done, tokens = [100.0], [0], [0]
        monkeypatch.setattr(worker_watch.time, "monotonic", lambda: now[0])
        meter = Meter("performance", 10, lambda: done[0], started=100.0)
        told = []
        for now[0], done[0], tokens[0] in ((132.0, 0, 5), (134.0, 1, 8), (138.0, 2, 16), (141.0, 2, 22)):
            told.append(meter.progress(tokens[0], 4_000_000_000 if done[0] else 0))
        assert [each.elapsed_s for each in told] == [32.0, 4.25, 8.25, 8.25]
        assert told[2].left_s == pytest.approx(4 * 8.25)
        assert told[3].left_s == pytest.approx(4 * 11.25)

    def test_no_phase_begins_before_it_was_announced(self, monkeypatch):
        monkeypatch.setattr(worker_watch.time, "monotonic", lambda: 100.1)
        assert Meter("performance", 10, lambda: 1, started=100.0).progress(0, 10**9).elapsed_s == pytest.approx(0.1)

    def test_without_a_total(self):
        assert Meter("load", 0, lambda: 1).progress().fraction == 1.0


class TestWatch:
    def test_answers_that_were_forgotten_leave_the_file(self, tmp_path):
        """Those of a search's trials, when the last run is over."""
        control, _ = os.pipe()
        watch = worker_watch.Watch(Channel(os.open(os.devnull, os.O_WRONLY)), control, tmp_path)
        tokens = array("q", range(12))
        watch.save_tokens(tokens)
        watch._tick()
        assert latencies_of(tmp_path / TOKENS) == tokens
        del tokens[:8]
        watch._tick()
        assert latencies_of(tmp_path / TOKENS) == tokens == array("q", range(8, 12))

    def test_the_end_of_a_run_does_not_wait_for_the_next_interval(self, monkeypatch, tmp_path):
        """With an interval of an hour this would not end; what was measured last is saved all the same."""
        monkeypatch.setattr(worker_watch, "INTERVAL_S", 3600.0)
        control, launcher = os.pipe()
        watch = worker_watch.Watch(Channel(os.open(os.devnull, os.O_WRONLY)), control, tmp_path)
        latencies = array("q")
        watch.save(latencies)
        watch.start()
        latencies.append(7)
        stopping = threading.Thread(target=watch.stop, daemon=True)
        stopping.start()
        stopping.join(60)
        for descriptor in (control, launcher):
            os.close(descriptor)
        assert not stopping.is_alive()
        assert (tmp_path / LATENCIES).read_bytes().endswith(latencies.tobytes())


class Doubling:
    """A codec and a data set whose samples count how many of them were asked for at a time."""

    def __init__(self, count, bad=None):
        self.count, self.bad, self.seen = count, bad, []
        self.lock = threading.Lock()

    def __len__(self):
        return self.count

    def sample(self, index):
        with self.lock:
            self.seen.append(index)
        if index == self.bad:
            raise OSError(f"sample {index}")
        return index

    def encode(self, sample):
        return (np.array([sample]),)

    def decode(self, outputs):
        return bytes([int(outputs[0][0]) % 256])


class Session:
    inputs = outputs = (TensorSpec("n", (1,), np.dtype(np.int64)),)

    def run(self, inputs):
        return (inputs[0] * 2,)

    def run_batch(self, samples):
        return [self.run(inputs) for inputs in samples]

    def placement(self):
        raise NotImplementedError

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        pass


NAMES = {"backend": "toy", "task": "doubling", "data": "numbers"}


class TestSystem:
    def system(self, data, sessions=1, batch=1, store=None):
        class Silent:
            def phase(self, *args):
                return io.BytesIO()

        return System([Session() for _ in range(sessions)], batch, data, data, Silent(), store, **NAMES)

    def test_samples_are_held_until_they_are_unloaded(self):
        system = self.system(Doubling(10), sessions=2)
        system.load_samples([3, 4])
        assert system.answer(3) == b"\x06"
        assert system.answer_batch([4, 3, 4], 1) == [b"\x08", b"\x06", b"\x08"]
        system.unload_samples([3])
        with pytest.raises(BackendError, match="the scenario asked for sample 3, which is not loaded"):
            system.answer(3)
        assert system.answer(4) == b"\x08"

    def test_a_system_knows_the_names_of_its_plugins(self):
        timed = DatasetRef(name="timed", offer="timed")
        plan = Plan.model_construct(
            backend="toy", task="doubling", dataset=DatasetRef(name="numbers", offer="x"), performance_dataset=timed
        )
        data, other = Doubling(10), Doubling(10)
        run = SimpleNamespace(plan=plan, dataset=data)
        assert LoadedRun._names(run, data) == NAMES
        assert LoadedRun._names(run, other) == NAMES | {"data": "timed"}
        run.plan = plan.model_copy(update={"performance_dataset": None})
        assert LoadedRun._names(run, other) == NAMES

    @pytest.mark.parametrize("kept", [False, True])
    def test_capabilities_are_looked_up_once_and_not_for_each_sample(self, kept, monkeypatch, tmp_path):
        """``isinstance`` of a runtime protocol takes longer than encoding a small image."""
        protocols = []

        def counted(value, kind):
            protocols.extend([kind] * getattr(kind, "_is_runtime_protocol", False))
            return isinstance(value, kind)

        for module in (encoded, worker_system):
            monkeypatch.setattr(module, "isinstance", counted, raising=False)
        data = Doubling(10)
        if kept:
            data.fingerprint, data.recipe = lambda index: bytes([index]) * 16, "doubling 1"
        system = self.system(data, store=encoded.EncodedStore(tmp_path, 10**6))
        seen = len(protocols)
        assert seen <= 2
        for _ in range(2):
            system.load_samples(range(10))
            assert [system.answer(index) for index in range(10)] == [bytes([2 * index]) for index in range(10)]
            system.unload_samples(range(10))
        assert len(protocols) == seen
        assert len(data.seen) == (10 if kept else 20)  # kept samples are not read again

    def test_a_sample_that_cannot_be_read_is_reported(self):
        with pytest.raises(DataError, match="data set numbers: sample 5 cannot be read: OSError: sample 5") as caught:
            self.system(Doubling(10, bad=5)).load_samples(range(10))
        assert caught.value.code == "dataset-failed"

    @pytest.mark.parametrize("cores", [1, 3])
    def test_samples_are_encoded_on_every_core(self, cores, monkeypatch):
        """In as many threads as there are cores, side by side: each waits until all of them are there."""
        monkeypatch.setattr(worker_system, "cores", lambda: cores)
        data, meeting, threads = Doubling(cores), threading.Barrier(cores, timeout=60), set()

        def encode(sample):
            meeting.wait()
            threads.add(threading.get_ident())
            return (np.array([sample]),)

        data.encode = encode
        self.system(data).load_samples(range(cores))
        assert len(threads) == cores

    def test_the_first_bad_sample_is_reported_whichever_fails_first(self, monkeypatch):
        monkeypatch.setattr(worker_system, "cores", lambda: 2)
        data, second_failed = Doubling(10), threading.Event()

        def sample(index):
            if index == 4:
                assert second_failed.wait(60)
            if index == 5:
                second_failed.set()
            raise OSError(f"number {index}")

        data.sample = sample
        with pytest.raises(DataError, match="sample 4 cannot be read: OSError: number 4"):
            self.system(data).load_samples([4, 5, 6, 7])

    @pytest.mark.parametrize(
        ("name", "blamed", "code"),
        [
            ("encode", ModelError, "task-failed"),
            ("decode", ModelError, "task-failed"),
            ("run", BackendError, "backend-failed"),
        ],
    )
    @pytest.mark.parametrize("batch", [1, 2])
    def test_whose_fault_it_is(self, monkeypatch, name, blamed, code, batch):
        """The plugin in whose code an exception came up is told; a MobileError is told as it is."""
        for error, expected in ((ZeroDivisionError("x"), blamed), (DataError("mine", "x"), DataError)):

            def fail(self, argument, error=error):
                raise error

            monkeypatch.setattr(Session if name == "run" else Doubling, name, fail)
            system = self.system(Doubling(10), batch=batch)
            for call in (lambda system: system.answer(0), lambda system: system.answer_batch([0, 1], 0)):
                with pytest.raises(expected) as caught:
                    system.load_samples([0, 1])
                    call(system)
                assert caught.value.code == (code if expected is blamed else "mine")
                if expected is blamed:
                    assert caught.value.summary.startswith("backend toy: " if name == "run" else "task doubling: ")

    @pytest.fixture(params=[1, 8], ids=["no core to spare", "cores to spare"])
    def answered(self, request, monkeypatch):
        """Answers of an accuracy run, and the most samples that were held in memory at a time."""
        monkeypatch.setattr(accuracy, "cores", lambda: request.param)

        def answer(data, sessions=2):
            system, told, most = self.system(data, sessions), {}, [0]

            class Responder:
                def complete_all(self, ids, responses):
                    most[0] = max(most[0], len(system._samples))
                    told.update(zip(ids, responses, strict=True))

            monkeypatch.setattr(accuracy.loadgen, "Responder", Responder)
            indices = list(reversed(range(len(data))))
            accuracy._answer_all(system, [1000 + i for i in indices], indices, counts := [0] * sessions)
            assert sum(counts) == len(data)
            assert system._samples == {}
            return told, most[0]

        return answer

    def test_accuracy_answers_every_sample_once_in_bounded_memory(self, answered):
        data = Doubling(5003)
        told, most = answered(data)
        assert told == {1000 + i: bytes([2 * i % 256]) for i in range(5003)}
        assert sorted(data.seen) == list(range(5003))
        assert most < 1000

    @pytest.mark.parametrize("answered", [1], indirect=True, ids=["no core to spare"])
    def test_sessions_that_encode_hold_the_interpreter_briefly(self, answered):
        """Two sessions have four samples each in memory at most: while one encodes, the other one cannot run."""
        assert answered(Doubling(1000))[1] <= 2 * 4

    def test_accuracy_names_the_bad_sample(self, answered):
        with pytest.raises(DataError, match="sample 55 cannot be read: OSError: sample 55"):
            answered(Doubling(1000, bad=55))


class TestEvents:
    def test_events_come_back(self):
        for event in (
            events.Phase(name="load"),
            events.Progress(phase="a", done=1, total=2, fraction=0.5, elapsed_s=1.0),
            events.Measured(part="x", value={"a": [1, None, "ü\n"]}),
            events.Failed(code="c", summary="s", exit_code=3),
            events.Ended(),
        ):
            line = events.encode(event)
            assert line.endswith(b"\n")
            assert line.count(b"\n") == 1
            assert events.decode(line) == event

    @pytest.mark.parametrize(
        "line", [b"", b"noise", b"{}", b"[]", b'{"event": "ended"', b'{"event": "other"}', b"\xff"]
    )
    def test_what_is_no_event(self, line):
        with pytest.raises(ValueError, match=r".+"):
            events.decode(line)

    @given(st.binary(max_size=200))
    def test_any_bytes(self, line):
        with suppress(ValueError):
            assert events.decode(line)

    def test_nobody_listens(self):
        """The process ends, whichever thread notices."""
        code = (
            "import os; from mlperf_mobile.worker.channel import Channel; r, w = os.pipe(); os.close(r);"
            "Channel(w).phase('x'); print('still there')"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=200, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

    def test_lines_of_many_threads_stay_whole(self):
        read_fd, write_fd = os.pipe()
        channel = Channel(write_fd)

        def write():
            with ThreadPoolExecutor(4) as pool:
                for number in range(40):
                    pool.submit(channel.measured, str(number), "x" * 20_000)
            os.close(write_fd)

        writer = threading.Thread(target=write)
        writer.start()
        with os.fdopen(read_fd, "rb") as pipe:
            told = [json.loads(line) for line in pipe]
        writer.join()
        assert sorted(int(event["part"]) for event in told) == list(range(40))
        assert {event["value"] for event in told} == {"x" * 20_000}


class TestHearing:
    def hear(self, *written, silence_s=200.0, close=True):
        read_fd, write_fd = os.pipe()

        def write():
            for data in written:
                os.write(write_fd, data)
            if close:
                os.close(write_fd)

        writer = threading.Thread(target=write)
        writer.start()
        try:
            with Incoming(read_fd) as incoming:
                if not close:
                    writer.join()  # what is written is in the pipe before the clock runs
                deadline, heard = time.monotonic() + silence_s, []
                for line in incoming.lines(lambda: deadline - time.monotonic(), lambda: False, Interrupts()):
                    heard.append(line)
                    if line is None and time.monotonic() >= deadline:  # the reader ends it, as the launcher does
                        break
                return heard
        finally:
            writer.join()
            if not close:
                os.close(write_fd)

    def test_whole_lines(self):
        assert self.hear(b"one\ntw", b"o\n\nthr") == [b"one", b"two", b""]

    def test_silence(self):
        assert self.hear(b"one\n", silence_s=0.0, close=False) == [b"one", None]

    def test_the_end_of_the_worker(self):
        """What it had said is heard, and then nothing is waited for, whoever else has the pipe open."""
        read_fd, write_fd = os.pipe()
        os.write(write_fd, b"one\ntwo\n")
        with Incoming(read_fd) as incoming:
            assert list(incoming.lines(lambda: 3600, lambda: True, Interrupts())) == [b"one", b"two"]
        os.close(write_fd)

    def test_an_endless_line_is_forgotten(self, monkeypatch):
        """Memory is bounded, and what follows is heard again."""
        monkeypatch.setattr(events, "MAX_LINE", 1000)
        heard = self.hear(*[b"x" * 60_000] * 10, b"\n", b"after\n")
        assert heard[-1] == b"after"
        assert all(len(line) <= 65536 for line in heard)
