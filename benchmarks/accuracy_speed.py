"""The quickstart's accuracy run beside bare threads that infer as many images: alternating rounds, ratio by pair.

LoadGen takes the same time to close its logs whatever it logged (it polls every 10 ms), which is a tenth of the
smallest run. So the ratio is also given against bare threads whose answers are then handed to LoadGen.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from importlib.resources import files
from pathlib import Path
from typing import Any

import harness

from mlperf_mobile import loadgen
from mlperf_mobile.terms import Seeds
from mlperf_mobile.worker.system import cores

QUICKSTART = files("mlperf_mobile_task_image_classification") / "quickstart"
IMAGES = 10_000
TARGET = 0.95
RESPONSE = bytes(4)


def main() -> None:
    """Print seconds of both, and the ratios, for each quickstart model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    print(f"{IMAGES} images, {cores()} cores, target: at least {TARGET} of bare threads")
    for name in ("fashion_mobilenet_int8", "fashion_mobilenet_float32"):
        model = Path(str(QUICKSTART / f"{name}.tflite"))
        rounds = [(bare(model), logging(), framework(name)) for _ in range(args.rounds)]
        threads, log, ours = (harness.median([each[n] for each in rounds]) for n in range(3))
        ratio = harness.median([bare_s / our_s for bare_s, _, our_s in rounds])
        logged = harness.median([(bare_s + log_s) / our_s for bare_s, log_s, our_s in rounds])
        print(f"{name:28} bare threads {threads:.3f} s, LoadGen alone {log:.3f} s, accuracy run {ours:.3f} s")
        print(f"{'':28} ratio {ratio:.3f}, with LoadGen's own time {logged:.3f} (target {TARGET})", flush=True)


def bare(model: Path) -> float:
    """Seconds of one bare loop a core over images that are in memory and encoded."""
    return IMAGES / harness.bare_threads(model, IMAGES, cores())


def logging() -> float:
    """Seconds that LoadGen takes for an accuracy run whose answers are ready."""

    def issue(ids: list[int], indices: list[int]) -> None:
        loadgen.Responder().complete_all(ids, [RESPONSE] * len(ids))

    samples = loadgen.SampleLibrary(IMAGES, IMAGES, lambda _: None, lambda _: None)
    with tempfile.TemporaryDirectory() as logs:
        started = time.perf_counter()
        loadgen.run(loadgen.accuracy_settings(Seeds(qsl=1, sample_index=2, schedule=3)), samples, issue, Path(logs))
        return time.perf_counter() - started


def framework(name: str) -> float:
    """Seconds of the accuracy run of ``mlperf-mobile run``: decoding, encoding, logging and scoring included."""
    with tempfile.TemporaryDirectory() as output:
        command = [
            str(Path(sys.executable).with_name("mlperf-mobile")), "run", "image_classification", "--model", name,
            "--mode", "accuracy", "--json", "--quiet", "--output", output,
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, check=True)
    accuracy: dict[str, Any] = json.loads(done.stdout)["results"][0]["accuracy"]
    assert accuracy["samples"] == IMAGES
    return float(accuracy["duration_s"])


if __name__ == "__main__":
    main()
