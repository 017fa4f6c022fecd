"""Compares and ranks many results: seconds and peak memory of ``compare`` and ``leaderboard``, each in a process.

``python benchmarks/many_results.py RESULT_FOLDER [--results 5000]``: the results are copies of one folder, each under a
own name.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COMMANDS = {
    "compare": ("compare", "{folder}", "--csv"),
    "compare, a table of backends": ("compare", "{folder}", "--table", "backends"),
    "leaderboard": ("leaderboard", "--with", "{folder}"),
}


def copies(source: Path, folder: Path, count: int) -> None:
    """``count`` copies of a result folder, with hard links for all files but the result."""
    record = json.loads((source / "result.json").read_text())
    for number in range(count):
        copy = folder / f"{number:05}"
        shutil.copytree(source, copy, copy_function=os.link)
        (copy / "result.json").unlink()
        (copy / "result.json").write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n")


def measured(arguments: list[str]) -> tuple[float, float, int]:
    """Seconds, peak memory in megabytes, and exit code of a command."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "mlperf_mobile.cli.main", *arguments], stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return time.perf_counter() - started, usage.ru_maxrss / 1024, process.returncode


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("result", type=Path)
    parser.add_argument("--results", type=int, default=5000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.result.resolve().parent) as folder:
        copies(args.result, Path(folder), args.results)
        for name, command in COMMANDS.items():
            seconds, megabytes, code = measured([each.format(folder=folder) for each in command])
            print(f"{name}: {args.results} results in {seconds:.1f} s, {megabytes:.0f} MB at most, exit {code}")


if __name__ == "__main__":
    main()
