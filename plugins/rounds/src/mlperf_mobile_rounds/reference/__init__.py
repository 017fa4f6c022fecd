"""Published results of MLPerf Mobile as data, and where a number stands among them."""

from mlperf_mobile_rounds.reference.standing import Standing, standing, standing_of
from mlperf_mobile_rounds.reference.table import Benchmark, Official, benchmark_of, benchmarks, find, official

__all__ = [
    "Benchmark",
    "Official",
    "Standing",
    "benchmark_of",
    "benchmarks",
    "find",
    "official",
    "standing",
    "standing_of",
]
