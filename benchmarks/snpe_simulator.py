"""Compares the quickstart models' accuracy on Qualcomm's HTP simulator with the CPU's; its speed means nothing."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

MODELS = {
    "image_classification": "fashion_mobilenet",
    "object_detection": "fashion_ssd",
    "question_answering": "facts_transformer",
    "semantic_segmentation": "fashion_segmenter",
    "super_resolution": "photo_edsr",
}
SIMULATOR = ("--backend", "snpe", "--accelerator", "htp-simulator")


def main() -> None:
    """Print one line per model; exits with 1 if the simulator is more than a point below the CPU."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--soc", default="SM8650")
    parser.add_argument("--types", nargs="+", default=["int8", "float32"], choices=["int8", "float32"])
    parser.add_argument("--tasks", nargs="+", default=list(MODELS), choices=list(MODELS))
    args = parser.parse_args()
    print(
        f"{'model':28} {'metric':>8} {'samples':>8} {'CPU':>9} {args.soc:>9} {'points':>7} {'seconds':>8}", flush=True
    )
    worst = 0.0
    for kind in args.types:
        for task in args.tasks:
            name = f"{MODELS[task]}_{kind}"
            cpu = accuracy(task, name, "--backend", "tflite", "--accelerator", "cpu")
            started = time.perf_counter()
            htp = accuracy(task, name, *SIMULATOR, "--set", f"soc_model={args.soc}")
            seconds = time.perf_counter() - started
            points = (htp["value"] - cpu["value"]) * (100 if cpu["value"] <= 1 else 1)
            worst = min(worst, points)
            print(
                f"{name:28} {cpu['metric']:>8} {cpu['samples']:8} {cpu['value']:9.4f} {htp['value']:9.4f} "
                f"{points:+7.2f} {seconds:8.0f}",
                flush=True,
            )
    sys.exit(worst < -1)


def accuracy(task: str, model: str, *options: str) -> dict[str, Any]:
    """The score of one accuracy run."""
    with tempfile.TemporaryDirectory() as output:
        command = [
            str(Path(sys.executable).with_name("mlperf-mobile")), "run", task, "--model", model, "--mode", "accuracy",
            "--json", "--quiet", "--output", output, *options,
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = json.loads(done.stdout)["results"][0]
    if found.get("error"):
        sys.exit(f"{task} {model}: {found['error']}")
    score: dict[str, Any] = found["accuracy"]
    return score


if __name__ == "__main__":
    main()
