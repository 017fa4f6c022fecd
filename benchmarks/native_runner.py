"""The native runner on a device against the same runner on this machine: accuracy runs and their bounds, and p50.

The device is the stand-in for a phone, with the real adb client, or this machine over ssh. Its storage is here, too.
``accuracy`` streams a data set that is larger than what is kept on a device; ``latency`` alternates timed runs.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import harness
import numpy as np
import psutil
from PIL import Image

from mlperf_mobile.contracts import NativePlace
from mlperf_mobile_native_runner import binary

TARGET_SPEED, TARGET_HOST, TARGET_DEVICE, TARGET_P50 = 0.7, 1e9, 2e9, 0.01
DRIVER = "mlperf_mobile_native_runner.driver"


def main() -> None:
    """Print the figures beside their targets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("accuracy", "latency"))
    parser.add_argument("--model", type=Path, required=True, help="a .tflite classifier of images of 224x224, uint8")
    parser.add_argument("--samples", type=int, default=50_000, help="of the accuracy run")
    parser.add_argument("--rounds", type=int, default=5, help="of timed runs")
    parser.add_argument("--ssh", metavar="TARGET", help="this machine over ssh instead of the stand-in for a phone")
    parser.add_argument("--folder", type=Path, help="where files of the benchmark go")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as name, device(args.ssh, Path(name)) as (address, env, root):
        folder = Path(name)
        if args.what == "accuracy":
            accuracy(args, folder, address, env, root)
        else:
            latency(args, folder, address, env)


@contextmanager
def device(ssh: str | None, folder: Path) -> Iterator[tuple[list[str], dict[str, str], Path | None]]:
    """The flags of a device, the variables that reach it, and its storage on this machine, if it is known."""
    spec = find_spec("ai_edge_litert")
    assert spec is not None
    litert = Path((spec.submodule_search_locations or [""])[0], "libLiteRt.so")
    if ssh:
        yield ["--device", f"ssh:{ssh}", "--runner", "native"], {}, None
        return
    from mlperf_mobile_device_adb.testing import StandIns

    machine = os.uname().machine
    program = folder / "data" / "mlperf-mobile" / "runners" / f"android-{machine}" / "mlperf-mobile-runner"
    program.parent.mkdir(parents=True)
    shutil.copy2(binary.path(NativePlace(system="linux", machine=machine, same=True)), program)
    with StandIns(1) as phones:
        env = {**phones.env, "XDG_DATA_HOME": str(folder / "data"), "XDG_STATE_HOME": str(folder / "state")}
        flags = ["--device", f"adb:{phones.serials[0]}", "--set", f"library={litert}"]
        yield flags, env, Path(str(phones.state()["tmp"]))


def accuracy(
    args: argparse.Namespace, folder: Path, address: list[str], env: dict[str, str], root: Path | None
) -> None:
    """One accuracy run here and one on the device, with the memory of the driver and the storage of the device."""
    data = pictures(folder / "images", args.samples)
    command = ["image_classification", "--model", str(args.model), "--mode", "accuracy", "--dataset", "imagenet",
               "--data-path", str(data), "--set", "encoded_cache_mb=0", "--set", f"labels={data}/val.txt",
               "--set", "silence_timeout_s=3600"]  # fmt: skip
    here = run([*command, "--runner", "native"], folder, env)
    with watched(root) as seen:
        there = run([*command, *address], folder, env)
    mine, its = (each["accuracy"] for each in (here, there))
    assert (mine["value"], mine["samples"]) == (its["value"], its["samples"]), "the accuracies differ"
    speeds = [each["accuracy"]["samples"] / each["wall_s"] for each in (here, there)]
    print(f"{its['samples']} samples of 150 kB; {its['metric']} {its['value']:.4f} on both")
    print(f"here {speeds[0]:.1f} samples/s, device {speeds[1]:.1f} samples/s, with encoding, transfers and scoring")
    print(f"ratio {speeds[1] / speeds[0]:.2f} (target {TARGET_SPEED})")
    print(f"memory of the driver at most {seen['memory'] / 1e6:.0f} MB (target {TARGET_HOST / 1e6:.0f})")
    if root:
        print(f"storage of the device at most {seen['storage'] / 1e6:.0f} MB (target {TARGET_DEVICE / 1e6:.0f})")


def latency(args: argparse.Namespace, folder: Path, address: list[str], env: dict[str, str]) -> None:
    """Timed runs here and on the device, alternated."""
    command = ["image_classification", "--model", str(args.model), "--mode", "performance", "--dataset", "image_folder",
               "--data-path", str(pictures(folder / "images", 64)), "--rules", "rapid"]  # fmt: skip
    rounds = []
    for number in range(args.rounds):
        order = [["--runner", "native"], address]
        found = [run([*command, *flags], folder, env)["performance"]["latency_ns"]["p50"] / 1e6
                 for flags in (order if number % 2 == 0 else order[::-1])]  # fmt: skip
        here, there = found if number % 2 == 0 else found[::-1]
        rounds.append((here, there))
        print(f"p50 here {here:.3f} ms, device {there:.3f} ms: {there / here:.4f}", flush=True)
    ratio = harness.median([there / here for here, there in rounds])
    print(f"median ratio {ratio:.4f} (target {1 - TARGET_P50} to {1 + TARGET_P50})")


def pictures(folder: Path, count: int) -> Path:
    """A folder of images with labels; a few images have many names."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(count):
        path = folder / f"ILSVRC2012_val_{number + 1:08}.JPEG"
        if number < 64:
            Image.fromarray(rng.integers(0, 256, (256, 256, 3), dtype=np.uint8)).save(path, quality=60)
        else:
            os.link(folder / f"ILSVRC2012_val_{number % 64 + 1:08}.JPEG", path)
    (folder / "val.txt").write_text("".join(f"{number % 1000}\n" for number in range(count)))
    return folder


def run(arguments: list[str], folder: Path, env: dict[str, str]) -> dict[str, Any]:
    """The result of a run, with its seconds."""
    began = time.monotonic()
    done = subprocess.run(
        [harness.COMMAND, "run", *arguments, "--json", "--quiet"], cwd=folder, env=os.environ | env,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    document = json.loads(done.stdout)
    if "results" not in document or document["results"][0]["error"]:
        raise SystemExit(done.stderr)
    result: dict[str, Any] = document["results"][0]
    return result | {"wall_s": time.monotonic() - began}


@contextmanager
def watched(root: Path | None) -> Iterator[dict[str, float]]:
    """The largest memory of the driver's process, and the largest storage below a folder, while the block runs."""
    seen, over = {"memory": 0.0, "storage": 0.0}, threading.Event()

    def look() -> None:
        while not over.wait(0.5):
            for process in psutil.process_iter(["cmdline", "memory_info"]):
                if DRIVER in (process.info["cmdline"] or ()) and process.info["memory_info"]:
                    memory = process.info["memory_info"]
                    seen["memory"] = max(seen["memory"], memory.rss - getattr(memory, "shared", 0))
            if root:
                seen["storage"] = max(seen["storage"], storage(root))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def storage(root: Path) -> float:
    """Bytes of all files below a folder."""
    total = 0
    for place, _, names in os.walk(root):
        for name in names:
            try:
                total += os.lstat(os.path.join(place, name)).st_size  # noqa: PTH118  files vanish meanwhile
            except OSError:
                continue
    return total


if __name__ == "__main__":
    main()
