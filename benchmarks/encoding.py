"""Encodes an ImageNet-style set of generated JPEGs: against Pillow, on one core and on all, and in bounded memory.

The bound: the same number of threads only decode the same files with Pillow, and resize them with Pillow's bilinear
filter, which differs from the benchmark's.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import harness
import numpy as np
from PIL import Image

from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile.worker.system import System, cores
from mlperf_mobile_images.resize import aspect_preserving_size
from mlperf_mobile_task_image_classification.imagenet import ImageNet
from mlperf_mobile_task_image_classification.options import ImageNetOptions, TaskOptions
from mlperf_mobile_task_image_classification.preprocess import resize_target
from mlperf_mobile_task_image_classification.task import ImageClassification

HEIGHT, WIDTH = 375, 500
"""Size of the images, as most of ImageNet's."""
SIDES = (224, 384)
"""Sizes of model inputs: MobileNetEdgeTPU's and MobileNetV4's."""
MOST_TIME, LEAST_SCALING = 1.3, 0.95
"""Targets: time as a multiple of the bound's, and throughput on all cores as a fraction of one core's times cores."""
HELD = 200


def main() -> None:
    """Print both ratios and their targets for each size, then memory, one line per number of samples held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--peer", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--held", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--side", type=int, choices=SIDES, help="height and width of the model's input; default: both")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of encoding and its bound, alternating")
    args = parser.parse_args()
    if args.peer:
        print(json.dumps(encode(args.peer, args.held, args.side) if args.held >= 0 else bound(args.peer, args.side)))
        return
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder), args.images)
        print(f"{args.images} JPEGs of {WIDTH}x{HEIGHT}, {cores()} cores")
        for side in [args.side] if args.side else SIDES:
            speed(folder, side, args.rounds)
            memory(folder, side, args.images)


def speed(folder: str, side: int, rounds: int) -> None:
    """Print how encoding compares with the bound, and all cores with one."""
    times, scalings, bounds = [], [], []
    cases = ((HELD, None), (HELD, 1), (-1, None), (-1, 1))
    for _ in range(rounds):
        ours, ours_on_one, theirs, theirs_on_one = (peer(folder, held, side, most)["rate"] for held, most in cases)
        times.append(theirs / ours)
        scalings.append(ours / ours_on_one)
        bounds.append(theirs / theirs_on_one)
        print(f"  {ours:.0f} images/s, Pillow's decode and resize {theirs:.0f}")
    time_ratio, scaling, their_scaling = (harness.median(each) for each in (times, scalings, bounds))
    print(f"{side}: {time_ratio:.2f} times the time of Pillow's decode and resize (at most {MOST_TIME})")
    print(
        f"{side}: {cores()} cores are {scaling:.2f} times one (at least {LEAST_SCALING * cores():.2f};"
        f" Pillow's {their_scaling:.2f})",
        flush=True,
    )


def memory(folder: str, side: int, images: int) -> None:
    """Print speed, processor use and peak memory by the number of samples held at a time."""
    one = 4 * side * side * 3 / 2**20
    print(f"{'held':>6} {'of':>6} {'images/s':>9} {'cores used':>10} {'peak MiB':>9} {'held MiB':>9}")
    for held in (0, 100, 250, 500, images):
        measured = peer(folder, held, side)
        print(
            f"{held:>6} {images:>6} {measured['rate']:>9.1f} {measured['cores']:>10.2f}"
            f" {measured['peak_mib']:>9.0f} {held * one:>9.0f}",
            flush=True,
        )


def peer(folder: str, held: int, side: int, most_cores: int | None = None) -> dict[str, float]:
    """One measurement, in a separate process, on all cores by default."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(allowed)[:most_cores])
    try:
        command = [sys.executable, __file__, "--peer", folder, "--held", str(held), "--side", str(side)]
        found: dict[str, float] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    finally:
        os.sched_setaffinity(0, allowed)
    return found


def bound(folder: Path, side: int) -> dict[str, float]:
    """Decode and resize every image of the folder on all cores, to the size that is cropped."""
    target = resize_target(side)
    height, width = aspect_preserving_size(HEIGHT, WIDTH, target, target)

    def work(file: Path) -> int:
        with Image.open(file) as image:
            pixels = np.asarray(image.convert("RGB").resize((width, height), Image.Resampling.BILINEAR))
        return int(pixels[0, 0, 0])

    files = sorted(folder.iterdir())
    started = time.perf_counter()
    with ThreadPoolExecutor(cores()) as pool:
        list(pool.map(work, files))
    return {"rate": len(files) / (time.perf_counter() - started)}


def generate(folder: Path, count: int) -> None:
    """JPEGs with the detail of photographs: smoothed noise, different in every file."""
    rng = np.random.default_rng(0)
    for number in range(count):
        small = rng.integers(0, 256, (47, 63, 3), dtype=np.uint8)
        image = Image.fromarray(small).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
        image.save(folder / f"{number:05}.jpg", quality=90)


class NoSession:
    """A stand-in for a model: only encoding is measured."""

    outputs = ()

    def __init__(self, *inputs: TensorSpec) -> None:
        self.inputs = inputs

    def run(self, inputs: object) -> object:
        raise NotImplementedError


def encode(folder: Path, held: int, side: int) -> dict[str, float]:
    """Encode every image of the folder, ``held`` at a time in memory (0: only open the data set)."""
    spec = TensorSpec("image", (1, side, side, 3), np.dtype(np.float32))
    codec = ImageClassification(TaskOptions()).bind([spec], [TensorSpec("logits", (1, 1000), np.dtype(np.float32))])
    dataset = ImageNet(folder, ImageNetOptions())
    with harness.quiet_watch() as watch:
        system = System([NoSession(spec)], 1, codec, dataset, watch)  # type: ignore[list-item]
        started, used = time.perf_counter(), os.times()
        done = 0
        for start in range(0, len(dataset) if held else 0, held or 1):
            indices = list(range(start, min(start + held, len(dataset))))
            system.load_samples(indices)
            system.unload_samples(indices)
            done += len(indices)
        seconds, now = time.perf_counter() - started, os.times()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    busy = now.user + now.system - used.user - used.system
    return {"rate": done / seconds, "cores": busy / seconds if held else 0.0, "peak_mib": peak}


if __name__ == "__main__":
    main()
