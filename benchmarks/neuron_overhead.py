"""What Python adds to a query of backend ``neuron``: sessions against a loop in C on the same stand-in, alternating.

All add float32[1,4] with one execution for all queries: the loop in C and the first session through the Neuron adapter,
the second session through the Neuron runtime. Each round is a separate process; it prints the medians of all rounds.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

import overhead

from mlperf_mobile.contracts import Artifact, CompileRequest
from mlperf_mobile_backend_neuron.backend import NeuronBackend
from mlperf_mobile_backend_neuron.options import NeuronOptions
from mlperf_mobile_neural_networks_stand_in import build, build_timed_loop

DOUBLE = Path(__file__).parents[1] / "plugins" / "backend_neuron" / "tests" / "double.tflite"

WAYS = ("adapter", "runtime")


def main() -> None:
    """Print the loop in C and both sessions, one line per session."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=50_000, help="per round")
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
        print(f"{'through the':12}{overhead.HEAD}")
        for way in WAYS:
            ours = (sys.executable, __file__, "--queries", args.queries, "--session", way, adapter, runtime)
            line = overhead.row((loop, adapter, "neuron", args.queries), ours, args.rounds)
            print(f"{way:12}{line}", flush=True)


def session(way: str, adapter: str, runtime: str, queries: int) -> dict[str, float]:
    """Nanoseconds per query: the mean of one uninterrupted loop, and percentiles of as many timed one by one."""
    backend = NeuronBackend(
        NeuronOptions.model_validate({"adapter": adapter, "runtime": runtime, "tensors_from": str(DOUBLE)})
    )
    with tempfile.TemporaryDirectory() as name:
        artifact = backend.compile(CompileRequest(DOUBLE, "npu", 1, Path(name)))
        if way == "runtime":
            network = Path(name) / "double.dla"
            shutil.copy(artifact.path.parent / "network.bin", network)
            artifact = Artifact(network, "npu")
        loaded = backend.load(artifact)
    return overhead.timed(loaded, queries)


if __name__ == "__main__":
    main()
