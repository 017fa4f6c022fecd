"""Published results of MLPerf Mobile as data, and the rank of a score among them."""

from mlperf_mobile_rounds.reference.standing import Standing, standing, standing_of
from mlperf_mobile_rounds.reference.table import (
    PublishedBenchmark,
    PublishedResult,
    benchmark_of,
    benchmarks,
    find,
    published_results,
)

__all__ = [
    "PublishedBenchmark",
    "PublishedResult",
    "Standing",
    "benchmark_of",
    "benchmarks",
    "find",
    "published_results",
    "standing",
    "standing_of",
]
