"""Checks many results: prints seconds, CPU seconds and peak memory of ``check``.

``python benchmarks/check_results.py RESULT_FOLDER [--results 500]``: the results are copies of one folder, each with
its own name. Memory must not grow with their number: ``--results 5`` shows what a few of them need.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from many_results import copies, measured


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("result", type=Path)
    parser.add_argument("--results", type=int, default=500)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.result.resolve().parent) as folder:
        copies(args.result, Path(folder), args.results)
        before = os.times()
        seconds, megabytes, code = measured(["check", folder])
        after = os.times()
        processor = after.children_user + after.children_system - before.children_user - before.children_system
        print(
            f"{args.results} results in {seconds:.1f} s ({processor:.1f} s of CPU time), "
            f"{megabytes:.0f} MB at most, exit {code}"
        )


if __name__ == "__main__":
    main()
