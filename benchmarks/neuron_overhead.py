"""What Python adds to a query of the backend ``neuron``: sessions against a loop in C on the same stand-in, in turn.

All add float32[1,4] with one execution for all queries: the loop in C and the first session through the Neuron adapter,
the second session through the Neuron runtime. Each round is a process of its own; medians of all rounds are told.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import harness
import numpy as np

from mlperf_mobile.contracts import Artifact, CompileRequest
from mlperf_mobile_backend_neuron.backend import NeuronBackend
from mlperf_mobile_neural_networks_stand_in import build, build_timed_loop

DOUBLE = Path(__file__).parents[1] / "plugins" / "backend_neuron" / "tests" / "double.tflite"

WAYS = ("adapter", "runtime")


def main() -> None:
    """Print the loop in C and both sessions, a line a session."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=50_000, help="of one round")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--session", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.session:
        way, adapter, runtime = args.session
        print(json.dumps(session(way, adapter, runtime, args.queries)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        loop = build_timed_loop(folder)
        adapter, runtime = build(folder, "neuron_adapter"), build(folder, "neuron_runtime")
        head = ("C mean ns", "ours mean ns", "added us", "ours p50", "ours p90")
        print(f"{'through the':12}" + "".join(f" {title:>12}" for title in head))
        for way in WAYS:
            theirs, ours = [], []
            for _ in range(args.rounds):
                theirs.append(float(output(loop, adapter, "neuron", args.queries)))
                asked = (sys.executable, __file__, "--queries", args.queries, "--session", way, adapter, runtime)
                ours.append(json.loads(output(*asked)))
            mean, p50, p90 = (harness.median([each[key] for each in ours]) for key in ("mean", "p50", "p90"))
            added = harness.median([each["mean"] - one for each, one in zip(ours, theirs, strict=True)])
            cells = (harness.median(theirs), mean, added / 1e3, p50, p90)
            formats = ("12.0f", "12.0f", "12.2f", "12.0f", "12.0f")
            line = "".join(f" {cell:{form}}" for cell, form in zip(cells, formats, strict=True))
            print(f"{way:12}{line}", flush=True)


def output(*command: object) -> str:
    """What a process prints."""
    return subprocess.run([*map(str, command)], check=True, capture_output=True, text=True).stdout


def session(way: str, adapter: str, runtime: str, queries: int) -> dict[str, float]:
    """Nanoseconds of a query: the mean of all in a row, and percentiles of as many that are timed one by one."""
    backend = NeuronBackend({"adapter": adapter, "runtime": runtime, "tensors_from": str(DOUBLE)})
    with tempfile.TemporaryDirectory() as name:
        artifact = backend.compile(CompileRequest(DOUBLE, "npu", 1, Path(name)))
        if way == "runtime":
            network = Path(name) / "double.dla"
            shutil.copy(artifact.path.parent / "network.bin", network)
            artifact = Artifact(network, "npu")
        loaded = backend.load(artifact)
    samples = [(np.full((1, 4), number, np.float32),) for number in range(harness.SAMPLES)]
    with loaded:
        run, now = loaded.run, time.perf_counter_ns
        in_a_row = [samples[number % harness.SAMPLES] for number in range(queries)]
        for sample in in_a_row[:1000]:
            run(sample)
        start = now()
        for sample in in_a_row:
            run(sample)
        mean = (now() - start) / queries
        latencies = []
        for sample in in_a_row:
            start = now()
            run(sample)
            latencies.append(now() - start)
        if float(run(samples[3])[0][0, 0]) != 6.0:
            raise SystemExit("the sum is wrong")
    latencies.sort()
    return {"mean": mean, "p50": latencies[queries // 2], "p90": latencies[queries * 9 // 10]}


if __name__ == "__main__":
    main()
