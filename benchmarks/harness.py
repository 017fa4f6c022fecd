"""Shared by the benchmarks: any TensorFlow Lite model as a system under test, and bare loops to compare with."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from mlperf_mobile.contracts import Artifact, Load, Seeds, Session, Tensors, TensorSpec
from mlperf_mobile.scenarios.offline import Offline
from mlperf_mobile.scenarios.single_stream import SingleStream
from mlperf_mobile.worker.channel import Channel
from mlperf_mobile.worker.system import System
from mlperf_mobile.worker.watch import Watch
from mlperf_mobile_backend_tflite.backend import TFLiteBackend
from mlperf_mobile_backend_tflite.options import TFLiteOptions

SAMPLES = 16
COMMAND = str(Path(sys.executable).with_name("mlperf-mobile"))


class RandomInputs:
    """A data set of random tensors for any model."""

    def __init__(self, specs: Sequence[TensorSpec]) -> None:
        rng = np.random.default_rng(0)
        self._samples = [tuple(random_tensor(rng, spec) for spec in specs) for _ in range(SAMPLES)]

    def __len__(self) -> int:
        return SAMPLES

    def sample(self, index: int) -> Tensors:
        return self._samples[index]

    def truth(self, index: int) -> object:
        raise NotImplementedError("random inputs have no truth")


def random_tensor(rng: np.random.Generator, spec: TensorSpec) -> Any:
    """A random tensor that fits ``spec``; wide integers are 0 or 1, valid indices in any table."""
    if np.issubdtype(spec.dtype, np.floating):
        return rng.standard_normal(spec.shape).astype(spec.dtype)
    high = 256 if spec.dtype == np.uint8 else 2
    return rng.integers(0, high, spec.shape).astype(spec.dtype)


class FirstNumber:
    """A codec that passes samples on, and responds with the first number of the first output."""

    def encode(self, sample: object) -> Tensors:
        assert isinstance(sample, tuple)
        return sample

    def decode(self, outputs: Tensors) -> bytes:
        first: bytes = outputs[0].reshape(-1)[:1].tobytes()
        return first


def sessions(model: Path, count: int) -> list[Session]:
    """``count`` sessions of the model on the CPU, one thread each, with the backend's defaults."""
    backend = TFLiteBackend(TFLiteOptions.model_validate({"threads": 1}))
    return [backend.load(Artifact(model, "cpu")) for _ in range(count)]


def load(seconds: float, count: int, expected_ns: int) -> Load:
    """A load of ``seconds`` or ``count`` samples."""
    return Load(
        min_query_count=count,
        min_duration_s=seconds,
        max_duration_s=0.0,
        percentile=0.9,
        performance_sample_count=SAMPLES,
        seeds=Seeds(qsl=1, sample_index=2, schedule=3),
        expected_latency_ns=expected_ns,
    )


@contextmanager
def quiet_watch() -> Iterator[Watch]:
    """The watch of a run as in a worker, with its events discarded."""
    control, _ = os.pipe()
    with tempfile.TemporaryDirectory() as folder:
        watch = Watch(Channel(os.open(os.devnull, os.O_WRONLY)), control, Path(folder))
        watch.start()
        yield watch
        watch.stop()


def framework_single_stream(model: Path, seconds: float, expected_ns: int) -> dict[str, float]:
    """One round of the scenario single-stream: latency percentiles in nanoseconds, from LoadGen's log."""
    with quiet_watch() as watch, tempfile.TemporaryDirectory() as logs:
        (session,) = sessions(model, 1)
        system = System([session], 1, FirstNumber(), RandomInputs(session.inputs), watch)
        latencies: array[int] = array("q")
        watch.save(latencies)
        with watch.phase("performance", 1, lambda: len(latencies), seconds):
            result = SingleStream(None).run(system, load(seconds, 64, expected_ns), latencies, Path(logs))
        return dict(result.latency_ns)


def framework_offline(model: Path, count: int, shards: int, expected_ns: int) -> float:
    """One round of the scenario offline: samples per second."""
    with quiet_watch() as watch, tempfile.TemporaryDirectory() as logs:
        several = sessions(model, shards)
        system = System(several, 1, FirstNumber(), RandomInputs(several[0].inputs), watch)
        latencies: array[int] = array("q")
        watch.save(latencies)
        with watch.phase("performance", count, lambda: len(latencies)):
            return Offline(None).run(system, load(0.0, count, expected_ns), latencies, Path(logs)).throughput


class BareLoop:
    """``set_tensor``, ``invoke``, ``tensor()``: the minimum in Python for the same runtime and model."""

    def __init__(self, model: Path) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self._interpreter: Any = Interpreter(model_path=str(model), num_threads=1)
        self._interpreter.allocate_tensors()
        details = self._interpreter.get_input_details()
        specs = [TensorSpec(d["name"], tuple(d["shape"]), np.dtype(d["dtype"])) for d in details]
        rng = np.random.default_rng(0)
        self._inputs = [
            [(d["index"], random_tensor(rng, s)) for d, s in zip(details, specs, strict=True)] for _ in range(SAMPLES)
        ]
        self._outputs = [self._interpreter.tensor(d["index"]) for d in self._interpreter.get_output_details()]

    def once(self, number: int) -> None:
        """One inference."""
        for index, value in self._inputs[number % SAMPLES]:
            self._interpreter.set_tensor(index, value)
        self._interpreter.invoke()
        for output in self._outputs:
            output()

    def timed(self, seconds: float) -> dict[str, float]:
        """Latency percentiles in nanoseconds, of as many inferences as fit into ``seconds``."""
        latencies: array[int] = array("q")
        now, end, number = time.perf_counter_ns, time.perf_counter_ns() + seconds * 1e9, 0
        while now() < end:
            start = now()
            self.once(number)
            latencies.append(now() - start)
            number += 1
        ordered = sorted(latencies)
        return {"p50": ordered[len(ordered) // 2], "p90": ordered[int(len(ordered) * 0.9)], "min": ordered[0]}


def bare_threads(model: Path, count: int, threads: int) -> float:
    """Samples per second of ``threads`` bare loops in parallel, each with ``count / threads`` inferences."""
    loops = [BareLoop(model) for _ in range(threads)]

    def work(loop: BareLoop) -> None:
        for number in range(count // threads):
            loop.once(number)

    running = [threading.Thread(target=work, args=(loop,)) for loop in loops]
    started = time.perf_counter()
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return count // threads * threads / (time.perf_counter() - started)


class Peer:
    """A process that does one kind of round on demand, so that two kinds can alternate."""

    def __init__(self, script: str, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, script, "--peer", *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def round(self) -> Any:
        """Start one round, and wait for its result."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


def serve(work: Any) -> None:
    """The other side of :class:`Peer`: call ``work`` for every line on standard input, answer in JSON."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # output of LoadGen or of a runtime must not mix with answers
    for _ in sys.stdin:
        out.write(json.dumps(work()) + "\n")
        out.flush()
    os._exit(0)


def median(values: Sequence[float]) -> float:
    """The median."""
    return float(statistics.median(values))


def milliseconds(work: Callable[[], object], rounds: int) -> float:
    """The median time of one call; its result is dropped after timing, as in LoadGen's loop."""
    times = []
    for _ in range(rounds + 1):
        started = time.perf_counter()
        result = work()
        times.append(1e3 * (time.perf_counter() - started))
        del result
    return median(times[1:])
