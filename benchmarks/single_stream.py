"""Compares scenario single-stream with a bare loop on the same model: alternating rounds of two processes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import harness


def main() -> None:
    """Print p50 and p90 of both, their ratio, and their difference, one line per model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", type=Path, help=".tflite files")
    parser.add_argument("--seconds", type=float, default=2.0, help="seconds per round")
    parser.add_argument("--rounds", type=int, default=3, help="rounds per pair of processes")
    parser.add_argument("--processes", type=int, default=5, help="pairs of processes")
    parser.add_argument("--peer", choices=("bare", "framework"), help=argparse.SUPPRESS)
    parser.add_argument("--expected-ns", type=int, default=0, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.peer:
        (model,) = args.models
        loop = harness.BareLoop(model) if args.peer == "bare" else None
        expected = args.expected_ns
        harness.serve(
            lambda: loop.timed(args.seconds) if loop else harness.framework_single_stream(model, args.seconds, expected)
        )
    head = "".join(f" {f'bare {p} us':>12} {f'ours {p} us':>12} {'ratio':>7}" for p in ("p50", "p90"))
    print(f"{'model':36}{head}  +p50 us  +p90 us")
    for model in args.models:
        compare(model, args.seconds, args.rounds, args.processes)


def compare(model: Path, seconds: float, rounds: int, processes: int) -> None:
    """One model, in several pairs of processes: memory placement alone makes a difference."""
    pairs = [pair for _ in range(processes) for pair in alternate(model, seconds, rounds)]
    cells = []
    for name in ("p50", "p90"):
        theirs = harness.median([b[name] for b, _ in pairs]) / 1e3
        mine = harness.median([o[name] for _, o in pairs]) / 1e3
        ratios = harness.median([o[name] / b[name] for b, o in pairs])
        cells.append(f"{theirs:>12.2f} {mine:>12.2f} {ratios:>7.4f}")
    added = [harness.median([(o[name] - b[name]) / 1e3 for b, o in pairs]) for name in ("p50", "p90")]
    print(f"{model.name:36} {cells[0]} {cells[1]} {added[0]:>8.2f} {added[1]:>8.2f}", flush=True)


def alternate(model: Path, seconds: float, rounds: int) -> list[tuple[Any, Any]]:
    """Rounds of one pair of processes: bare and ours alternating, after a first round of each that is not counted."""
    common = ["--seconds", str(seconds), str(model)]
    bare = harness.Peer(__file__, "bare", *common)
    ours = harness.Peer(__file__, "framework", "--expected-ns", str(int(bare.round()["min"])), *common)
    ours.round()
    pairs = [(bare.round(), ours.round()) for _ in range(rounds)]
    bare.close()
    ours.close()
    return pairs


if __name__ == "__main__":
    main()
