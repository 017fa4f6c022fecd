"""The official LoadGen (``mlcommons-loadgen``): starts a test, and reads its logs."""

from mlperf_mobile.loadgen.logs import (
    ACCURACY_LOG,
    DETAIL_LOG,
    SUMMARY_LOG,
    issued_s,
    latencies,
    latency_source,
    read_details,
    read_responses,
    target_latency,
    verdict,
)
from mlperf_mobile.loadgen.start import (
    Responder,
    SampleLibrary,
    WrongCount,
    accuracy_settings,
    module,
    performance_settings,
    run,
)

__all__ = [
    "ACCURACY_LOG",
    "DETAIL_LOG",
    "SUMMARY_LOG",
    "Responder",
    "SampleLibrary",
    "WrongCount",
    "accuracy_settings",
    "issued_s",
    "latencies",
    "latency_source",
    "module",
    "performance_settings",
    "read_details",
    "read_responses",
    "run",
    "target_latency",
    "verdict",
]
