"""What Python adds to a query of a vendor's library: backend ``capi``'s session against a loop in C, alternating.

Both drive the library of the backend's tests, in one process. The loop in C sets the inputs, issues, gets the outputs
and flushes, as the reference app does; it passes the samples' own memory.
"""

from __future__ import annotations

import argparse
import ctypes
import subprocess
import tempfile
import time
from array import array
from pathlib import Path

import harness
import numpy as np

from mlperf_mobile.contracts import Artifact
from mlperf_mobile_backend_capi.backend import CBackend
from mlperf_mobile_backend_capi.options import COptions
from mlperf_mobile_backend_capi.session import CSession

VENDOR = Path(__file__).parents[1] / "plugins" / "backend_capi" / "tests" / "test_vendor.c"

LOOP = r"""
#include <dlfcn.h>
#include <stdint.h>
#include <time.h>

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* Latencies of count queries, in nanoseconds; returns 0, or the status of the failed call. */
int loop(const char *path, void *backend, void *input, int count, int64_t *latencies) {
  void *library = dlopen(path, RTLD_NOW);
  int (*set)(void *, int32_t, int32_t, void *) = dlsym(library, "mlperf_backend_set_input");
  int (*issue)(void *, void (*)(void *), void *) = dlsym(library, "mlperf_backend_issue_query");
  int (*get)(void *, uint32_t, int32_t, void **) = dlsym(library, "mlperf_backend_get_output");
  int (*flush)(void *) = dlsym(library, "mlperf_backend_flush_queries");
  void *output;
  int status = 0;
  for (int i = 0; i < count && !status; ++i) {
    int64_t start = now();
    status |= set(backend, 0, 0, input);
    status |= issue(backend, 0, 0);
    status |= get(backend, 0, 0, &output);
    status |= flush(backend);
    latencies[i] = now() - start;
  }
  return status;
}
"""

CASES = [("float32", 4, "1x4"), ("uint8", 150_528, "1x224x224x3"), ("float32", 150_528, "1x224x224x3")]


def main() -> None:
    """Print the median latency of both and their difference, one line per case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=2000, help="per round")
    parser.add_argument("--rounds", type=int, default=9)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "loop.c").write_text(LOOP)
        loop = compiled(folder / "loop.c", folder / "libloop.so")
        print(f"{'input':26} {'memory':10} {'C p50 us':>10} {'ours p50 us':>12} {'added us':>9}")
        for definition, memory in (("PLAIN", "own"), ("WITH_BUFFERS", "library's")):
            library = compiled(VENDOR, folder / f"lib{definition.lower()}.so", f"-D{definition}")
            for dtype, size, shape in CASES:
                model = folder / "model.bin"
                model.write_text(f"CAPITEST double {dtype} {size} end")
                theirs, mine = compare(loop, library, model, shape, args.queries, args.rounds)
                cells = f"{theirs / 1e3:>10.2f} {mine / 1e3:>12.2f} {(mine - theirs) / 1e3:>9.2f}"
                print(f"{f'{dtype} {shape}':26} {memory:10} {cells}", flush=True)


def compiled(source: Path, library: Path, *flags: str) -> Path:
    """Compile a C file to a shared library."""
    subprocess.run(["cc", "-O2", "-fPIC", "-shared", "-pthread", *flags, "-o", library, source], check=True)
    return library


def compare(loop: Path, library: Path, model: Path, shape: str, queries: int, rounds: int) -> tuple[float, float]:
    """The medians of the rounds' medians, in nanoseconds: of the loop in C, and of the session."""
    run_loop = ctypes.CDLL(str(loop)).loop
    run_loop.argtypes = (ctypes.c_char_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
    theirs, mine = [], []
    with CBackend(COptions.model_validate({"library": library, "inputs": shape})).load(
        Artifact(model, "npu")
    ) as session:
        assert isinstance(session, CSession)
        sample = (np.ones(session.inputs[0].shape, session.inputs[0].dtype),)
        latencies = array("q", bytes(8 * queries))
        pointer, address = session._instance.pointer, latencies.buffer_info()[0]
        for _ in range(rounds):
            session._finish()  # the session's pending flush
            if status := run_loop(bytes(library), pointer, sample[0].ctypes.data, queries, address):
                raise RuntimeError(f"a call failed with status {status}")
            theirs.append(harness.median(latencies))
            run, now = session.run, time.perf_counter_ns
            for i in range(queries):
                start = now()
                run(sample)
                latencies[i] = now() - start
            mine.append(harness.median(latencies))
    return harness.median(theirs), harness.median(mine)


if __name__ == "__main__":
    main()
