"""What Python adds to a query of NNAPI: the backend's session against a loop in C on the same stand-in, alternating.

Both add float32[1,4] in memory shared with the library, with one execution for all queries or one for each. The loop in
C does not query durations; the session is measured with and without. Each round is a separate process, C and Python
alternate, and the medians of all rounds are printed.
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
"""Label, the mode of the loop in C, the library's feature level, and the backend's options."""


def main() -> None:
    """Print both and their difference, one line per case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=50_000, help="per round")
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
        for label, how, level, options in CASES:
            library = build(folder, "neuralnetworks", feature_level=level)
            ours = (sys.executable, __file__, "--queries", args.queries, "--session", library, json.dumps(options))
            line = overhead.row((loop, library, how, args.queries), ours, args.rounds)
            print(f"{label:22}{line}", flush=True)


def session(library: str, options: dict[str, Any], queries: int) -> dict[str, float]:
    """Nanoseconds per query: the mean of one uninterrupted loop, and percentiles of as many timed one by one."""
    backend = NNAPIBackend(NNAPIOptions.model_validate({"library": library, **options}))
    with tempfile.TemporaryDirectory() as folder:
        loaded = backend.load(backend.compile(CompileRequest(DOUBLE, "npu", 1, Path(folder))))
    return overhead.timed(loaded, queries)


if __name__ == "__main__":
    main()
