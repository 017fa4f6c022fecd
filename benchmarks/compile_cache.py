"""Compares compiling a model with finding it in the cache, both through ``mlperf-mobile compile``."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import harness


def main() -> None:
    """Print the first compilation's seconds, the later ones' median, and the artifact's size, one line per model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", help="model files")
    parser.add_argument("--backend", default="snpe")
    parser.add_argument("--accelerator", default="htp-simulator")
    parser.add_argument("--set", action="append", default=[], help="settings, as for the command")
    parser.add_argument("--again", type=int, default=5)
    args = parser.parse_args()
    print(f"{'model':36} {'compiled s':>11} {'found ms':>9} {'most ms':>8} {'MB':>6}")
    for model in args.models:
        with tempfile.TemporaryDirectory() as cache:
            settings = [f"--set={setting}" for setting in (*args.set, f"cache={cache}")]
            command = ["--model", model, "--backend", args.backend, "--accelerator", args.accelerator, *settings]
            first = compiled(command)
            later = [compiled(command) for _ in range(args.again)]
            if first["cached"] or not all(each["cached"] for each in later):
                raise SystemExit(f"{model}: it is not in the cache")
            size = sum(path.stat().st_size for path in Path(cache).rglob("*") if path.is_file())
            found = [each["seconds"] * 1e3 for each in later]
            name = Path(model).name[:36]
            times = f"{first['seconds']:11.3f} {harness.median(found):9.1f} {max(found):8.1f}"
            print(f"{name:36} {times} {size / 1e6:6.1f}", flush=True)


def compiled(command: list[str]) -> dict[str, float]:
    """The command's report on its only artifact."""
    program = Path(sys.executable).with_name("mlperf-mobile")
    done = subprocess.run(
        [program, "compile", *command, "--json", "--quiet"], capture_output=True, text=True, check=True
    )
    report: dict[str, float] = json.loads(done.stdout)["models"][0]["compiled"][0]
    return report


if __name__ == "__main__":
    main()
