"""Which samples LoadGen loads for a timed run: found by a test on this machine with the same seeds and counts."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from mlperf_mobile import loadgen
from mlperf_mobile.contracts import LoadGenValue

_ALSO = ("scenario", "mode", "qsl_rng_seed", "sample_index_rng_seed", "schedule_rng_seed")


def loaded(settings: Mapping[str, LoadGenValue], total: int, count: int) -> list[int]:
    """The indices of the samples, in the order in which they are loaded.

    Args:
        settings: LoadGen's settings of the timed run; its seed of the query sample library decides.
        total: Samples in the data set.
        count: The performance sample count.
    """
    if count >= total:
        return list(range(total))
    found: list[int] = []
    lg = loadgen.module()

    def issue(ids: list[int], indices: list[int]) -> None:
        lg.QuerySamplesComplete([lg.QuerySampleResponse(each, 0, 0) for each in ids])

    def load(indices: Sequence[int]) -> None:
        found[:] = indices

    made = loadgen.made({name: settings[name] for name in _ALSO})
    made.min_query_count, made.min_duration_ms = 1, 0
    made.single_stream_expected_latency_ns, made.offline_expected_qps = 1_000_000_000, 1
    with tempfile.TemporaryDirectory(prefix="mlperf-mobile-") as folder:
        library = loadgen.SampleLibrary(total, count, load, lambda indices: None)
        loadgen.run(made, library, issue, Path(folder, "logs"))
    return found
