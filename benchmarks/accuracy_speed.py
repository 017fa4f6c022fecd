"""The quickstart's accuracy run beside bare threads that infer as many images: alternating rounds, ratio by pair."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Any

import harness

from mlperf_mobile.worker.system import cores

QUICKSTART = files("mlperf_mobile_task_image_classification") / "quickstart"


def main() -> None:
    """Print images per second of both, for each quickstart model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    for name in ("fashion_mobilenet_int8", "fashion_mobilenet_float32"):
        model = Path(str(QUICKSTART / f"{name}.tflite"))
        pairs = [(bare(model), framework(name)) for _ in range(args.rounds)]
        theirs, mine = (harness.median([pair[n] for pair in pairs]) for n in (0, 1))
        ratio = harness.median([o / b for b, o in pairs])
        print(f"{name:28} {cores()} cores: {theirs:.0f} images/s bare threads, {mine:.0f} ours, ratio {ratio:.3f}")


def bare(model: Path) -> float:
    """Images per second of one bare loop a core over 10,000 images that are in memory and encoded."""
    return harness.bare_threads(model, 10_000, cores())


def framework(name: str) -> float:
    """Images per second of ``mlperf-mobile run --mode accuracy``, decoding, encoding and logging included."""
    with tempfile.TemporaryDirectory() as output:
        command = [
            str(Path(sys.executable).with_name("mlperf-mobile")), "run", "image_classification", "--model", name,
            "--mode", "accuracy", "--json", "--quiet", "--output", output,
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, check=True)
    accuracy: dict[str, Any] = json.loads(done.stdout)["results"][0]["accuracy"]
    return float(accuracy["samples"] / accuracy["duration_s"])


if __name__ == "__main__":
    main()
