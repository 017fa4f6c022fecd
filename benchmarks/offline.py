"""Compares scenario offline with as many bare threads as shards: alternating rounds, ratios pair by pair."""

from __future__ import annotations

import argparse
from pathlib import Path

import harness

from mlperf_mobile.worker.system import cores


def main() -> None:
    """Print samples per second of both and their ratio, one line per model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", type=Path, help=".tflite files")
    parser.add_argument("--seconds", type=float, default=4.0, help="approximate seconds per round")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--shards", type=int, default=cores())
    parser.add_argument("--peer", choices=("bare", "framework"), help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--expected-ns", type=int, default=0, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.peer:
        (model,) = args.models
        harness.serve(
            lambda: (
                harness.bare_threads(model, args.count, args.shards)
                if args.peer == "bare"
                else harness.framework_offline(model, args.count, args.shards, args.expected_ns)
            )
        )
    print(f"{'model':36} {'shards':>6} {'bare/s':>10} {'ours/s':>10} {'ratio':>7}")
    for model in args.models:
        rate = harness.bare_threads(model, 64 * args.shards, args.shards)
        count = max(8 * args.shards, int(rate * args.seconds)) // args.shards * args.shards
        expected = str(int(args.shards / rate * 1e9))
        common = ["--count", str(count), "--shards", str(args.shards), "--expected-ns", expected, str(model)]
        bare, ours = (harness.Peer(__file__, kind, *common) for kind in ("bare", "framework"))
        pairs = [(bare.round(), ours.round()) for _ in range(args.rounds)]
        bare.close()
        ours.close()
        theirs, mine = (harness.median([pair[n] for pair in pairs]) for n in (0, 1))
        ratio = harness.median([o / b for b, o in pairs])
        print(f"{model.name:36} {args.shards:>6} {theirs:>10.1f} {mine:>10.1f} {ratio:>7.4f}", flush=True)


if __name__ == "__main__":
    main()
