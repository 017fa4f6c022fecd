"""What the native runner adds to a query, and how it compares with the Python worker: rounds that alternate.

First the runner's dummy engine against the least that LoadGen needs, a loop in C++ whose query spins the same number of
times: about 1 µs. Then the runner's LiteRT against the Python worker's, on the same models, with one thread each.
``make runner`` first.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import harness
import numpy as np

import mlperf_mobile_runner
from mlperf_mobile.contracts import TensorSpec

BUILD = Path(__file__).parents[1] / "libraries" / "runner" / "build" / platform.machine()
PERCENTILE = re.compile(r"^(50|90)\.00 percentile latency \(ns\)\s*: (\d+)$", re.MULTILINE)


def main() -> None:
    """Print p50 and p90 of both sides, and what the runner adds or saves, one line per case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", type=Path, help=".tflite files")
    parser.add_argument("--seconds", type=float, default=2.0, help="per round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--spins", type=int, default=2500, help="of the dummy; about 1 us")
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    parser.add_argument("--expected-ns", type=int, default=0, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.peer:
        harness.serve(lambda: harness.framework_single_stream(args.models[0], args.seconds, args.expected_ns))
    program = mlperf_mobile_runner.binary(platform.machine())
    subprocess.run(["ninja", "-C", str(BUILD), "runner-bare-loop"], check=True, stdout=subprocess.DEVNULL)
    print(f"{'p50 and p90 in us':36} {'other':>16} {'runner':>16} {'added':>16} {'ratio':>14}")
    report("1 us: bare loop", [(bare(args), dummy(program, args)) for _ in range(args.rounds)])
    for model in args.models:
        report(f"{model.stem}: worker", against_worker(program, model, args))


def report(name: str, pairs: list[tuple[dict[str, float], dict[str, float]]]) -> None:
    """One line: the medians of all rounds, of the differences and of the ratios within each pair."""
    kinds = (
        [harness.median([other[p] for other, _ in pairs]) / 1e3 for p in ("p50", "p90")],
        [harness.median([mine[p] for _, mine in pairs]) / 1e3 for p in ("p50", "p90")],
        [harness.median([mine[p] - other[p] for other, mine in pairs]) / 1e3 for p in ("p50", "p90")],
    )
    cells = [f"{p50:8.2f}{p90:8.2f}" for p50, p90 in kinds]
    ratios = [harness.median([mine[p] / other[p] for other, mine in pairs]) for p in ("p50", "p90")]
    print(f"{name:36} {' '.join(cells)} {ratios[0]:7.3f}{ratios[1]:7.3f}", flush=True)


def bare(args: argparse.Namespace) -> dict[str, float]:
    """One round of the loop in C++."""
    with tempfile.TemporaryDirectory() as folder:
        numbers = [args.spins, round(args.seconds * 1000), affordable(500, args)]
        subprocess.run([str(BUILD / "runner-bare-loop"), *map(str, numbers), folder], check=True)
        return logged(Path(folder))


def dummy(program: Path, args: argparse.Namespace) -> dict[str, float]:
    """One round of the dummy engine, which does not look at its inputs."""
    row = [{"name": "x", "dtype": "uint8", "shape": [1, 16], "bytes": 16}]
    options = {"spins": args.spins, "checksum": False}
    return round_of(
        program,
        {"engine": "dummy", "options": options, "inputs": row, "outputs": row},
        bytes(16 * harness.SAMPLES),
        args,
        500,
    )


def against_worker(
    program: Path, model: Path, args: argparse.Namespace
) -> list[tuple[dict[str, float], dict[str, float]]]:
    """Rounds of the worker and of the runner on a model."""
    import ai_edge_litert

    (session,) = harness.sessions(model, 1)
    fields = {
        "engine": "litert", "library": str(Path(next(iter(ai_edge_litert.__path__)), "libLiteRt.so")),
        "model": str(model.resolve()), "options": {"threads": 1},
        "inputs": [*map(tensor, session.inputs)], "outputs": [*map(tensor, session.outputs)],
    }  # fmt: skip
    samples = harness.RandomInputs(session.inputs)
    data = b"".join(
        np.ascontiguousarray(one).tobytes() for index in range(len(samples)) for one in samples.sample(index)
    )
    expected = affordable(int(harness.BareLoop(model).timed(0.5)["min"]) // 2, args)
    worker = harness.Peer(
        __file__, "worker", "--seconds", str(args.seconds), "--expected-ns", str(expected), str(model)
    )
    worker.round()
    pairs = [(worker.round(), round_of(program, fields, data, args, expected)) for _ in range(args.rounds)]
    worker.close()
    return pairs


def affordable(expected_ns: int, args: argparse.Namespace) -> int:
    """An expected latency for which LoadGen prepares at most two million queries, of about 400 bytes each."""
    return max(expected_ns, round(float(args.seconds) * 1e9 / 1e6))


def tensor(spec: TensorSpec) -> dict[str, Any]:
    """A tensor of a runner-plan."""
    size = int(np.prod(spec.shape)) * spec.dtype.itemsize
    return {"name": spec.name, "dtype": spec.dtype.name, "shape": [*map(int, spec.shape)], "bytes": size}


def round_of(
    program: Path, fields: dict[str, Any], data: bytes, args: argparse.Namespace, expected_ns: int
) -> dict[str, float]:
    """One run of the runner on 16 samples."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "samples.bin").write_bytes(data)
        indices = list(range(harness.SAMPLES))
        plan = fields | {
            "plan": 1, "warmup_s": 0.5, "accuracy": None,
            "performance": {
                "settings": {
                    "scenario": "SingleStream", "min_query_count": 64, "max_duration_ms": 0,
                    "min_duration_ms": round(args.seconds * 1000), "single_stream_expected_latency_ns": expected_ns,
                },
                "total": len(indices), "count": len(indices), "warmup": indices[:8], "logs": "performance",
                "samples": [{"file": "samples.bin", "indices": indices}],
            },
        }  # fmt: skip
        (folder / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
        command = [str(program), "--plan", str(folder / "plan.json"), "--directory", str(folder)]
        run = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        if run.returncode:
            sys.exit((folder / "events.jsonl").read_text(encoding="utf-8"))
        return logged(folder / "performance")


def logged(folder: Path) -> dict[str, float]:
    """p50 and p90 in nanoseconds, from LoadGen's summary."""
    text = (folder / "mlperf_log_summary.txt").read_text(encoding="utf-8")
    return {f"p{percent}": float(value) for percent, value in PERCENTILE.findall(text)}


if __name__ == "__main__":
    main()
