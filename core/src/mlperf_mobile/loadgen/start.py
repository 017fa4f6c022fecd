"""Starts a LoadGen test: its settings, its samples, and the responses to its queries."""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from mlperf_mobile.contracts import COUNTED, LIVE, Load, LoadGenValue, Seeds, SystemUnderTest
from mlperf_mobile.errors import BackendError, OutputError
from mlperf_mobile.loadgen import limits, trace
from mlperf_mobile.loadgen.logs import DETAIL_LOG, LATENCY_SOURCE, first_token_latencies, latencies, read_details

IssueQuery = Callable[[list[int], list[int]], None]
"""Called with the query's response ids and sample indices."""

Flush = Callable[[], None]
"""Called when the last query was issued, while the last ones may still be under way."""

LoadSamples = Callable[[Sequence[int]], None]
"""Called with the indices of samples."""


@dataclass(frozen=True, slots=True)
class SampleLibrary:
    """A query sample library (QSL): sample counts, and how to load samples into memory."""

    total_count: int
    performance_count: int
    load: LoadSamples
    unload: LoadSamples
    abandon: Callable[[BaseException], None] = lambda error: None
    """Called with an exception while it is still inside LoadGen; a worker ends its process there."""

    @classmethod
    def of(cls, system: SystemUnderTest, load: Load) -> SampleLibrary:
        """The samples of a system for a performance run."""
        count = min(load.performance_sample_count, system.sample_count)
        return cls(system.sample_count, count, system.load_samples, system.unload_samples, system.abandon)


class WrongCount(ValueError):
    """The number of responses is not the number of samples."""


class Responder:
    """Completes queries, and keeps the responses in memory while LoadGen copies them.

    Use one instance per thread.
    """

    def __init__(self, size: int = 4096) -> None:
        self._lg = module()
        self._complete, self._first = self._lg.QuerySamplesComplete, self._lg.FirstTokenComplete
        self._grow(size)
        self._one = [self._lg.QuerySampleResponse(0, self._address, 0)]
        self._first_one = [self._lg.QuerySampleResponse(0, self._address, 0)]

    def complete(self, response_id: int, response: bytes) -> None:
        """Complete one query of one sample; the response object is reused."""
        size = len(response)
        if size > self._size:
            self._grow(size)
        self._view[:size] = response
        record = self._one[0]
        record.id = response_id
        record.data = self._address
        record.size = size
        self._complete(self._one)

    def first_token(self) -> None:
        """Tell LoadGen of the first token of the query that :meth:`expect` announced.

        To be called in the thread that completes the query: LoadGen sorts the reports of several threads in any order,
        and takes a first token behind the completion for an error (loadgen/logging.cc, ``RecordTokenCompletion``).
        """
        self._first(self._first_one)

    def expect(self, response_id: int) -> None:
        """Announce the query whose first token comes next."""
        self._first_one[0].id = response_id

    def complete_tokens(self, response_id: int, response: bytes, tokens: int) -> None:
        """Complete one query with the number of tokens in its answer.

        LoadGen divides by this number minus 1 without a check, and calls the outcome valid (loadgen/logging.cc,
        ``RecordSampleCompletion``): it gets 2 for an answer with fewer, which a result then leaves out of its times per
        token.
        """
        self._one[0].n_tokens = max(2, tokens)
        self.complete(response_id, response)

    def last(self) -> bytes:
        """The last response passed to :meth:`complete`."""
        return bytes(self._view[: self._one[0].size])

    def complete_all(self, response_ids: Sequence[int], responses: Sequence[bytes]) -> None:
        """Complete several samples in one call."""
        data = b"".join(responses)
        if len(data) > self._size:
            self._grow(len(data))
        self._view[: len(data)] = data
        record, place = self._lg.QuerySampleResponse, self._address
        records = []
        try:
            for response_id, response in zip(response_ids, responses, strict=True):
                records.append(record(response_id, place, len(response)))
                place += len(response)
        except ValueError as error:
            raise WrongCount(f"{len(response_ids)} samples have {len(responses)} responses") from error
        self._complete(records)

    def _grow(self, size: int) -> None:
        buffer = (ctypes.c_char * size)()
        self._buffer, self._view, self._size = buffer, memoryview(buffer).cast("B"), size
        self._address = ctypes.addressof(buffer)


def module() -> ModuleType:
    """The LoadGen module.

    Raises:
        BackendError: It is not installed.
    """
    try:
        import mlperf_loadgen
    except ImportError as error:
        raise BackendError(
            "loadgen-missing",
            f"LoadGen cannot be imported: {error}",
            "pip install mlcommons-loadgen (without a wheel it is built from source, which needs a C++ compiler)",
        ) from error
    loaded: ModuleType = mlperf_loadgen
    return loaded


def performance_values(scenario: str, load: Load) -> dict[str, LoadGenValue]:
    """LoadGen's ``TestSettings`` of a performance run, by name; ``scenario`` is LoadGen's name: ``"SingleStream"``."""
    return {
        **_values(scenario, "PerformanceOnly", load.seeds),
        "min_query_count": load.min_query_count,
        "min_duration_ms": round(load.min_duration_s * 1000),
        "max_duration_ms": round(load.max_duration_s * 1000),
        **load.loadgen,
    }


def accuracy_values(seeds: Seeds) -> dict[str, LoadGenValue]:
    """LoadGen's ``TestSettings`` of an accuracy run: every sample once, as fast as the system completes them."""
    return _values("Offline", "AccuracyOnly", seeds)


def _values(scenario: str, mode: str, seeds: Seeds) -> dict[str, LoadGenValue]:
    return {
        "scenario": scenario,
        "mode": mode,
        "qsl_rng_seed": seeds.qsl,
        "sample_index_rng_seed": seeds.sample_index,
        "schedule_rng_seed": seeds.schedule,
    }


def performance_settings(scenario: str, load: Load) -> Any:
    """LoadGen's ``TestSettings`` of a performance run; see :func:`performance_values`."""
    return made(performance_values(scenario, load))


def accuracy_settings(seeds: Seeds) -> Any:
    """LoadGen's ``TestSettings`` of an accuracy run; see :func:`accuracy_values`."""
    return made(accuracy_values(seeds))


def made(values: Mapping[str, LoadGenValue]) -> Any:
    """``TestSettings`` with these values."""
    lg = module()
    settings = lg.TestSettings()
    for name, value in values.items():
        kind = {"scenario": lg.TestScenario, "mode": lg.TestMode}.get(name)
        setattr(settings, name, getattr(kind, str(value)) if kind else value)
    return settings


def run(
    settings: Any,
    samples: SampleLibrary,
    issue: IssueQuery,
    logs: Path,
    latencies_ns: array[int] | None = None,
    *,
    flush: Flush | None = None,
    arrivals_ns: array[int] | None = None,
    tokens: array[int] | None = None,
) -> Mapping[str, Any]:
    """Run one test in this thread, and return its detail log.

    Args:
        settings: LoadGen's ``TestSettings``.
        samples: The samples for LoadGen to load.
        issue: Called with every query, at its scheduled time. It may return before the query is completed; any thread
            may then complete it, with a :class:`Responder` of its own.
        logs: The folder for its logs.
        latencies_ns: The latencies that are appended when samples are completed. After the run they are replaced by
            LoadGen's, if its trace has all of them; :func:`latency_source` reports which they are.
        flush: Called in this thread after the last query was issued; LoadGen waits for it, and then for the queries.
        arrivals_ns: When each sample arrived, appended together with its latency, and replaced together with it by
            its scheduled time, in nanoseconds since the first one.
        tokens: For a test with ``use_token_latencies``: the answers, as in ``tokens.bin``, appended together with their
            latencies. Their times to the first token are replaced together with the latencies.

    An exception of ``issue``, of ``flush`` or of loading samples is passed to ``samples.abandon``, which may end the
    process. If it returns, the exception is raised here; LoadGen is then broken, and may crash the process at any time.
    To end a run from another thread, call ``samples.abandon`` there; if it returns, raise in the next ``issue`` or in
    ``flush``.

    Raises:
        UsageError: ``bad-load``: the settings would hang LoadGen, or take all memory; names the setting.
        OutputError: The logs cannot be written.
    """
    lg = module()
    limits.check(settings)
    output = lg.LogOutputSettings()
    output.outdir = str(logs)
    log_settings = lg.LogSettings()
    log_settings.log_output = output
    tracing = latencies_ns is not None and trace.fits(settings, logs.parent)
    log_settings.enable_trace = tracing
    try:
        logs.mkdir(parents=True, exist_ok=True)
        (logs / DETAIL_LOG).touch()
    except OSError as error:
        raise OutputError(
            "output-unwritable", f"cannot write {logs}: {error.strerror}", "choose another --output"
        ) from error
    sut = lg.ConstructFastSUT(
        _guarded(issue, samples.abandon), _guarded(flush, samples.abandon) if flush else lambda: None
    )
    load, unload = (_guarded(call, samples.abandon) for call in (samples.load, samples.unload))
    qsl = lg.ConstructQSL(samples.total_count, samples.performance_count, load, unload)
    lg.StartTestWithLogSettings(sut, qsl, settings, log_settings, str(logs / "audit.config"))
    lg.DestroyQSL(qsl)
    lg.DestroyFastSUT(sut)
    details = read_details(logs / DETAIL_LOG)
    finished = "result_validity" in details or settings.mode == lg.TestMode.AccuracyOnly
    if "loadgen_version" not in details or not finished:
        raise OutputError(
            "log-incomplete", f"LoadGen could not write {logs / DETAIL_LOG}", "check whether the disk is full"
        )
    if tracing and latencies_ns is not None:
        path, logged = logs / trace.FILE, latencies(details)
        counted = (
            trace.replace(latencies_ns, path, logged, arrivals_ns)
            if tokens is None
            else trace.replace_tokens(latencies_ns, tokens, path, logged, first_token_latencies(details))
        )
        details[LATENCY_SOURCE] = COUNTED if counted else LIVE
    return details


def _guarded(callback: Callable[..., None], abandon: Callable[[BaseException], None]) -> Callable[..., None]:
    def guarded(*arguments: Sequence[int]) -> None:
        try:
            callback(*arguments)
        except BaseException as error:
            abandon(error)
            raise

    return guarded
