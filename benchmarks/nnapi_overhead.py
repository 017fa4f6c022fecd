"""What Python adds to a query of NNAPI: a session of the backend against a loop in C on the same stand-in, in turn.

Both add float32[1,4] in memory that is shared with the library, with one execution for all queries or one for each. The
loop in C does not ask how long a query took; the session is measured with and without that. Each round is a process of
its own, C and Python by turns, and the medians of all rounds are told.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import overhead

from mlperf_mobile.contracts import CompileRequest
from mlperf_mobile_backend_nnapi.backend import NNAPIBackend
from mlperf_mobile_backend_nnapi.options import NNAPIOptions
from mlperf_mobile_neural_networks_stand_in import build, build_timed_loop

DOUBLE = Path(__file__).parents[1] / "plugins" / "backend_nnapi" / "tests" / "double.tflite"

CASES: list[tuple[str, str, int | None, dict[str, Any]]] = [
    ("burst, durations", "nnapi-burst", None, {}),
    ("burst", "nnapi-burst", None, {"timing": False}),
    ("no burst", "nnapi-compute", None, {"timing": False, "burst": False}),
    ("an execution a query", "nnapi-single", 4, {"timing": False, "burst": False}),
    ("the same, durations", "nnapi-single", 4, {"burst": False}),
]
"""What is told, how the loop in C runs, the library's feature level, and the backend's options."""


def main() -> None:
    """Print both and their difference, a line a case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=50_000, help="of one round")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--session", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.session:
        library, options = args.session
        print(json.dumps(session(library, json.loads(options), args.queries)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        loop = build_timed_loop(folder)
        print(f"{'':22}{overhead.HEAD}")
        for told, how, level, options in CASES:
            library = build(folder, "neuralnetworks", feature_level=level)
            asked = (sys.executable, __file__, "--queries", args.queries, "--session", library, json.dumps(options))
            line = overhead.row((loop, library, how, args.queries), asked, args.rounds)
            print(f"{told:22}{line}", flush=True)


def session(library: str, options: dict[str, Any], queries: int) -> dict[str, float]:
    """Nanoseconds of a query: the mean of all in a row, and percentiles of as many that are timed one by one."""
    backend = NNAPIBackend(NNAPIOptions.model_validate({"library": library, **options}))
    with tempfile.TemporaryDirectory() as folder:
        loaded = backend.load(backend.compile(CompileRequest(DOUBLE, "npu", 1, Path(folder))))
    return overhead.timed(loaded, queries)


if __name__ == "__main__":
    main()
