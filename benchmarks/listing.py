"""What ``mlperf-mobile list-backends --json`` costs: modules imported, and time with compiled bytecode."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import harness

HEAVY = ("numpy", "pydantic", "yaml", "rich", "ai_edge_litert", "tflite_runtime", "PIL", "mlperf_loadgen")
COUNT = (
    "import sys, io, contextlib\nfrom mlperf_mobile.cli.main import main\n"
    "with contextlib.redirect_stdout(io.StringIO()): main(['list-backends', '--json'])\n"
    "import json; print(json.dumps(sorted(sys.modules)))"
)


def main() -> None:
    """Print the counts, and the median of some runs beside a bare interpreter's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=21)
    args = parser.parse_args()
    done = subprocess.run([sys.executable, "-c", COUNT], capture_output=True, text=True, check=True)
    modules = json.loads(done.stdout)
    heavy = [name for name in modules if name in HEAVY]
    print(f"modules imported: {len(modules)}, heavy ones among them: {heavy or 'none'}")
    command = [str(Path(sys.executable).with_name("mlperf-mobile")), "list-backends", "--json"]
    bare = [sys.executable, "-c", "pass"]
    seconds(command)
    pairs = [(seconds(bare), seconds(command)) for _ in range(args.runs)]
    for name, place in (("bare interpreter", 0), ("list-backends --json", 1)):
        values = sorted(pair[place] * 1e3 for pair in pairs)
        print(f"{name}: median {harness.median(values):.0f} ms (min {values[0]:.0f}, max {values[-1]:.0f})")


def seconds(command: list[str]) -> float:
    """Wall time of one run."""
    started = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
