"""Which threads may write a detail log: LoadGen's own order, as a run on a busy machine shows it."""

from __future__ import annotations

import pytest

from mlperf_mobile_rounds.official.log_frame import Frame


def seen(*records):
    """What is odd about records of ``(key, thread id)``."""
    frame = Frame()
    for line, (key, tid) in enumerate(records, 1):
        about = {"is_error": False, "is_warning": False, "file": "logging.cc", "line_no": 1, "pid": 7, "tid": tid}
        data = {
            "key": key, "value": 0, "time_ms": float(line), "namespace": "mlperf::logging",
            "event_type": "POINT_IN_TIME", "metadata": about,
        }  # fmt: skip
        frame.see(key, data, about)
        frame.end(line)
    return [line for text, line in frame.odd if "thread id" in text]


def test_messages_come_from_any_thread():
    """The end of an offline run's log, as LoadGen wrote it on a busy machine."""
    last = ("logger_swap_request_slots_retry_count", "logger_tls_total_log_cas_fail_count")
    messages = (("warning_generic_message", 6381), ("generic_message", 6347), ("warning_generic_message", 6347))
    assert seen(("loadgen_version", 6347), *messages, *((key, 6347) for key in last)) == []


@pytest.mark.parametrize("tids", [(1, 2, 1), (1, 1, 2, 2, 1)])
def test_no_other_record_is_written_by_a_thread_that_was_done(tids):
    assert seen(*(("result_query_count", tid) for tid in tids)) == [len(tids)]
