"""Compares scenario server with a bare LoadGen loop on the same model: the highest rate of each, alternating.

The bare loop is the least that Python needs for LoadGen's Server: a queue, a thread with an interpreter, and responses
of four bytes; it checks nothing, keeps nothing and has no trace. A rate holds if its 99th percentile is within the
bound. CPU time is that of the process, per query: a busy machine changes it less than the rates.
"""

from __future__ import annotations

import argparse
import ctypes
import tempfile
import threading
import time
from array import array
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import harness

from mlperf_mobile import loadgen
from mlperf_mobile.worker.system import System
from mlperf_mobile_scenarios.options import ServerOptions
from mlperf_mobile_scenarios.server import Server

PRECISION = 0.01


def main() -> None:
    """Print the rate at which both are saturated, their highest rates within the bound, and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", type=Path, help=".tflite files")
    parser.add_argument("--seconds", type=float, default=4.0, help="seconds per run")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each, alternating")
    parser.add_argument("--bound-ms", type=float, default=10.0, help="latency bound in milliseconds")
    parser.add_argument("--share", type=float, default=0.97, help="of the bare loop's highest rate, for server")
    parser.add_argument("--search", action="store_true", help="also find the highest rate of each within the bound")
    parser.add_argument("--peer", choices=("bare", "framework"), help=argparse.SUPPRESS)
    parser.add_argument("--rate", type=float, default=0.0, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.peer:
        (model,) = args.models
        run = bare_server if args.peer == "bare" else framework_server
        harness.serve(lambda: run(model, args.rate, args.seconds, args.bound_ms))
    for model in args.models:
        saturated(model, args)
        if args.search:
            highest(model, args)


class Runner:
    """Runs of one kind at any rate, each in a process of its own: memory placement alone makes a difference."""

    def __init__(self, kind: str, model: Path, args: argparse.Namespace) -> None:
        self._kind = kind
        self._common = ["--seconds", str(args.seconds), "--bound-ms", str(args.bound_ms), str(model)]

    def at(self, rate: float) -> dict[str, float]:
        """Completed queries per second, and the 99th percentile in milliseconds."""
        peer = harness.Peer(__file__, self._kind, "--rate", str(rate), *self._common)
        found: dict[str, float] = peer.round()
        peer.close()
        return found


def saturated(model: Path, args: argparse.Namespace) -> None:
    """Queries arrive at one and a half times the rate that one interpreter reaches: what is completed per second."""
    (interpreter_ns,) = [harness.BareLoop(model).timed(1.0)["p50"]]
    rate = 1.5e9 / interpreter_ns
    bare, ours = Runner("bare", model, args), Runner("framework", model, args)
    rounds = [(bare.at(rate), ours.at(rate)) for _ in range(args.rounds)]
    pairs = [(their["completed"], our["completed"]) for their, our in rounds]
    theirs, mine = (harness.median([pair[n] for pair in pairs]) for n in (0, 1))
    ratio = harness.median([mine / theirs for theirs, mine in pairs])
    print(f"{model.name}: {interpreter_ns / 1e3:.0f} us per inference; saturated with {rate:.0f} queries/s:")
    print(f"  bare {theirs:.1f}/s, server {mine:.1f}/s, ratio {ratio:.4f}", flush=True)
    theirs, mine = (harness.median([pair[n]["cpu_us"] for pair in rounds]) for n in (0, 1))
    print(f"  CPU time per query: bare {theirs:.1f} us, server {mine:.1f} us", flush=True)


def highest(model: Path, args: argparse.Namespace) -> None:
    """Halve the range for each, and then run server at a share of what the bare loop reached, next to it."""
    bare, ours = Runner("bare", model, args), Runner("framework", model, args)
    ratios = []
    for _ in range(args.rounds):
        found = [_highest(runner, model, args.bound_ms) for runner in (bare, ours)]
        ratios.append(found[1] / found[0])
        p99 = ours.at(args.share * found[0])["p99"]
        word = "holds" if p99 <= args.bound_ms else "MISSES"
        print(f"  highest: bare {found[0]:.1f}/s, server {found[1]:.1f}/s; at {args.share:g} of bare, server {word} "
              f"the bound: p99 {p99:.2f} ms", flush=True)  # fmt: skip
    print(f"  ratio of the highest rates {harness.median(ratios):.4f}", flush=True)


def _highest(runner: Runner, model: Path, bound_ms: float) -> float:
    low, high = 0.0, 1e9 / harness.BareLoop(model).timed(0.5)["min"]
    while high - low > PRECISION * high:
        middle = (low + high) / 2 if low else 0.7 * high
        low, high = (middle, high) if runner.at(middle)["p99"] <= bound_ms else (low, middle)
    return low


def framework_server(model: Path, rate: float, seconds: float, bound_ms: float) -> dict[str, float]:
    """One run of the scenario server on one session."""
    with harness.quiet_watch() as watch, tempfile.TemporaryDirectory() as folder:
        (session,) = harness.sessions(model, 1)
        system = System([session], 1, harness.FirstNumber(), harness.RandomInputs(session.inputs), watch)
        latencies: array[int] = array("q")
        watch.save(latencies)
        load = harness.load(seconds, 64, 1_000_000).model_copy(update={"percentile": 0.99})
        options = ServerOptions(target_qps=rate, target_latency_ms=bound_ms)
        with watch.phase("performance", 64, lambda: len(latencies), seconds):
            began = time.process_time()
            found = Server(options).run(system, load, latencies, Path(folder))
            cpu_s = time.process_time() - began
        p99 = found.latency_ns["p99"] / 1e6
        return {"completed": found.throughput, "p99": p99, "cpu_us": cpu_s / found.queries * 1e6}


def bare_server(model: Path, rate: float, seconds: float, bound_ms: float) -> dict[str, float]:
    """One run of the bare loop."""
    lg = loadgen.module()
    loop = harness.BareLoop(model)
    queue: SimpleQueue[tuple[int, int] | None] = SimpleQueue()
    response = ctypes.create_string_buffer(4)
    place, complete, record = ctypes.addressof(response), lg.QuerySamplesComplete, lg.QuerySampleResponse

    def answer() -> None:
        while (query := queue.get()) is not None:
            loop.once(query[1])
            complete([record(query[0], place, 4)])

    def issue(ids: list[int], indices: list[int]) -> None:
        for query in zip(ids, indices, strict=True):
            queue.put(query)

    settings = loadgen.performance_settings("Server", harness.load(seconds, 64, 1_000_000))
    settings.server_target_qps, settings.server_target_latency_ns = rate, round(bound_ms * 1e6)
    settings.server_target_latency_percentile = 0.99
    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    with tempfile.TemporaryDirectory() as folder:
        output, logs = lg.LogOutputSettings(), lg.LogSettings()
        output.outdir = folder
        logs.log_output, logs.enable_trace = output, False
        sut = lg.ConstructFastSUT(issue, lambda: None)
        qsl = lg.ConstructQSL(harness.SAMPLES, harness.SAMPLES, lambda _: None, lambda _: None)
        began = time.process_time()
        lg.StartTestWithLogSettings(sut, qsl, settings, logs, "")
        cpu_s = time.process_time() - began
        queue.put(None)
        thread.join()
        details: Any = loadgen.read_details(Path(folder) / loadgen.DETAIL_LOG)
    completed = float(details["result_completed_samples_per_sec"])
    p99, queries = loadgen.latencies(details)["p99"] / 1e6, int(details["result_query_count"])
    return {"completed": completed, "p99": p99, "cpu_us": cpu_s / queries * 1e6}


if __name__ == "__main__":
    main()
