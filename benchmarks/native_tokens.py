"""The native runner against the Python worker on a language model: alternating timed runs of the installed command."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import tempfile

import harness

RUNNERS = ("python", "native")
SHOWN = {"TTFT p50 ms": ("ttft_ns", "p50", 1e-6), "TTFT p90 ms": ("ttft_ns", "p90", 1e-6),
         "TPOT mean ms": ("tpot_ns", "mean", 1e-6), "TPOT p90 ms": ("tpot_ns", "p90", 1e-6),
         "peak MB": ("memory_bytes", "end", 1e-6)}  # fmt: skip


def main() -> None:
    """Print the median of the rounds of each number, and the ratio of both runners."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", default="multiple_choice")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each timed run")
    parser.add_argument("more", nargs="*", help="further arguments of `mlperf-mobile run`: --model FILE")
    args = parser.parse_args()
    found: dict[str, dict[str, list[float]]] = {runner: {name: [] for name in SHOWN} for runner in RUNNERS}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(args.rounds):
            for runner in RUNNERS if number % 2 else RUNNERS[::-1]:
                command = [harness.COMMAND, "run", args.task, "--mode", "performance", "--runner", runner]
                command += ["--json", "--quiet", "--set", f"min_duration_s={args.seconds}", "--output", folder]
                done = subprocess.run([*command, *args.more], capture_output=True, text=True, check=False)
                (result,) = json.loads(done.stdout)["results"]
                tokens = result["performance"]["tokens"]
                for name, (part, key, scale) in SHOWN.items():
                    found[runner][name].append(tokens[part][key] * scale)
    print(
        f"{args.task}, {args.rounds} rounds of {args.seconds:g} s\n{'':14} {'python':>10} {'native':>10} {'ratio':>7}"
    )
    for name in SHOWN:
        python, native = (statistics.median(found[runner][name]) for runner in RUNNERS)
        print(f"{name:14} {python:10.3f} {native:10.3f} {native / python:7.3f}")


if __name__ == "__main__":
    main()
