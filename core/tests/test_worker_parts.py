"""The worker's parts by themselves: threads, progress, the channel, and what the launcher hears of it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlperf_mobile import events
from mlperf_mobile.launch import local
from mlperf_mobile.scenarios.offline import in_threads
from mlperf_mobile.worker.accuracy import _EncodeAhead
from mlperf_mobile.worker.channel import Channel
from mlperf_mobile.worker.system import System, cores
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

    def test_without_a_total(self):
        assert Meter("load", 0, lambda: 1).progress().fraction == 1.0


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
        return (sample,)

    def decode(self, outputs):
        return bytes([outputs[0] % 256])


class Session:
    def run(self, inputs):
        return (inputs[0] * 2,)


class TestSystem:
    def system(self, data, sessions=1):
        class Silent:
            def phase(self, *args):
                return io.BytesIO()

        return System([Session() for _ in range(sessions)], 1, data, data, Silent())

    def test_samples_are_held_until_they_are_unloaded(self):
        system = self.system(Doubling(10), sessions=2)
        system.load_samples([3, 4])
        assert system.answer(3) == b"\x06"
        assert system.answer_batch([4, 3, 4], 1) == [b"\x08", b"\x06", b"\x08"]
        system.unload_samples([3])
        with pytest.raises(KeyError):
            system.answer(3)
        assert system.answer(4) == b"\x08"

    def test_a_sample_that_cannot_be_read_is_told(self):
        with pytest.raises(OSError, match="sample 5"):
            self.system(Doubling(10, bad=5)).load_samples(range(10))

    def test_encoding_ahead_is_in_order_and_bounded(self):
        data = Doubling(10_000)
        system = self.system(data)
        chunks = [slice(start, start + 10) for start in range(0, 10_000, 10)]
        with ThreadPoolExecutor(2) as pool:
            ahead = _EncodeAhead(system, pool, range(10_000), chunks)
            for number, chunk in enumerate(chunks):
                assert ahead.take() == chunk
                assert system.answer(chunk.start) == bytes([chunk.start * 2 % 256])
                assert len(data.seen) <= 10 * (number + 2 + 2 * (cores() + system.sessions))
                system.unload_samples(range(chunk.start, chunk.stop))
            assert ahead.take() is None
        assert sorted(data.seen) == list(range(10_000))

    def test_encoding_ahead_tells_the_bad_sample(self):
        system = self.system(Doubling(100, bad=55))
        with ThreadPoolExecutor(2) as pool:
            ahead = _EncodeAhead(system, pool, range(100), [slice(start, start + 10) for start in range(0, 100, 10)])
            for _ in range(5):
                ahead.take()
            with pytest.raises(OSError, match="sample 55"):
                ahead.take()


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
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
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
    def hear(self, *written, silence_s=5.0, close=True):
        read_fd, write_fd = os.pipe()

        def write():
            for data in written:
                os.write(write_fd, data)
            if close:
                os.close(write_fd)

        writer = threading.Thread(target=write)
        writer.start()
        try:
            with os.fdopen(read_fd, "rb", buffering=0) as pipe:
                return list(local._lines(pipe, silence_s))
        finally:
            writer.join()
            if not close:
                os.close(write_fd)

    def test_whole_lines(self):
        assert self.hear(b"one\ntw", b"o\n\nthr") == [b"one", b"two", b""]

    def test_silence(self):
        assert self.hear(b"one\n", silence_s=0.05, close=False) == [b"one", None]

    def test_an_endless_line_is_forgotten(self, monkeypatch):
        """Memory is bounded, and what follows is heard again."""
        monkeypatch.setattr(events, "MAX_LINE", 1000)
        heard = self.hear(*[b"x" * 60_000] * 10, b"\n", b"after\n")
        assert heard[-1] == b"after"
        assert all(len(line) <= 65536 for line in heard)


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        (-9, "killed by SIGKILL"),
        (-11, "killed by SIGSEGV"),
        (3, "it exited with 3"),
        (0, "it exited with 0"),
        (-250, "signal 250"),
    ],
)
def test_causes_of_death(code, cause):
    assert cause in local._cause(code)
