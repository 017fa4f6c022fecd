"""The structure of LoadGen's records in a detail log, and values that occur more than once."""

from __future__ import annotations

import hashlib
import json
import math
import re
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MAX_KEYS = 2000
MAX_TEXTS = 100
MAX_SAMPLES = 1 << 18
_RECORD = {"key", "value", "time_ms", "namespace", "event_type", "metadata"}
_ABOUT = {"is_error", "is_warning", "file", "line_no", "pid", "tid"}
_FLAG = re.compile(
    r".*(_met|_unique|_same|print_timestamps|enforce_max_duration|use_token_latencies|_permutation"
    r"|_coalesce_queries)"
)
_NUMBER = re.compile(
    r".*(_ns|_ms|_count|_seed|_qps|_percentile|_duration|_index|_per_query|_per_second|_override|_async_queries"
    r"|_log_probability|_sampling_target|_overhead|early_stopping_latency_[sm]s|_per_sec|num_errors"
    r"|_throughput|_output_token_(min|max|mean)|_(ttft|tpot)_latency)"
)
_WHOLE = re.compile(
    r"(qsl_reported|requested|effective|generated|result|logger)_\w*(_count|_seed|_ms|_index|_per_query)"
    r"|result_(\d\d\.\d\d_percentile|min|max)_latency_ns|generated_query_duration|\w+_sampling_target"
)
"""Integers of LoadGen's, which it never writes with a point or an exponent."""
_MAY_BE_NEGATIVE = {f"result_time_to_output_token_{name}" for name in ("min", "max", "mean")} | {
    f"result_time_per_output_token_{percent}_percentile_ns"
    for percent in ("50.00", "90.00", "95.00", "97.00", "99.00", "99.90")
}
"""LoadGen divides by -1 for answers of fewer than two tokens."""
_WRAPPED_MS = 1e9
"""The first record of some published logs has a time below zero, written as an unsigned number."""


@dataclass(frozen=True, slots=True)
class LoadedSamples:
    """The samples that LoadGen loaded during the test."""

    count: int
    distinct: int
    highest: int
    whole: bool
    """Whether the list holds sample indices and nothing else."""
    order: str
    """A digest of the indices in their order."""
    line: int
    """Of the first list."""


class Frame:
    """Sees every record of one log.

    LoadGen (loadgen/logging.cc) writes the same six keys in each, with one process id, in the order of time; what is
    written otherwise was not written by it.
    """

    def __init__(self) -> None:
        self.odd: list[tuple[str, int]] = []
        self.sites: dict[str, tuple[str, int]] = {}
        self.times_ms: dict[str, float] = {}
        self.generated: list[int] = []
        self.messages: list[str] = []
        self.power: list[tuple[str, str, float, int]] = []
        self._power: tuple[str, str, float] | None = None
        self._pid: Any = None
        self._tids: list[int] = []
        self._last_ms = -math.inf
        self._now: list[str] = []
        self._decoder = json.JSONDecoder(object_pairs_hook=self._pairs)
        self._samples: set[int] = set()
        self._count, self._whole, self._first = 0, True, 0
        self._order = hashlib.sha256()
        self._loading = False

    def decode(self, text: str) -> Any:
        """The JSON of a line; duplicate keys are recorded."""
        self._now = []
        return self._decoder.decode(text)

    def see(self, key: str, data: dict[str, Any], about: dict[str, Any]) -> None:
        """Record what is unusual about a record; ``end`` gives its line."""
        if len(data) != len(_RECORD) or set(data) != _RECORD or set(about) != _ABOUT:
            self._now.append(f"{key}: the record does not have the keys that LoadGen writes")
        elif data["namespace"] != "mlperf::logging" or data["event_type"] != "POINT_IN_TIME":
            self._now.append(f"{key}: namespace or event type is not LoadGen's")
        else:
            self._metadata(key, about)
        self._time(key, data.get("time_ms"))
        self._value(key, data["value"])

    def end(self, line: int) -> None:
        """A record was accepted."""
        if self._loading:
            self._first, self._loading = self._first or line, False
        if self._power and len(self.power) < MAX_KEYS:
            self.power.append((*self._power, line))
        self._power = None
        if self._now and len(self.odd) < MAX_TEXTS:
            self.odd += [(text, line) for text in self._now]
        self._now = []

    def drop(self) -> None:
        """A line was not a record."""
        self._now, self._loading, self._power = [], False, None

    def loaded(self) -> LoadedSamples | None:
        """The samples of all lists; None without a list."""
        if not self._first:
            return None
        whole = self._whole and self._count <= MAX_SAMPLES
        highest = max(self._samples, default=-1)
        return LoadedSamples(self._count, len(self._samples), highest, whole, self._order.hexdigest(), self._first)

    def _pairs(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            self._now.append("a record has a duplicate key")
        return found

    def _metadata(self, key: str, about: Mapping[str, Any]) -> None:
        error, warning = about["is_error"], about["is_warning"]
        fits = warning is key.startswith("warning") and (error is False or (error is True and key.startswith("error")))
        if not fits:
            self._now.append(f"{key}: is_error or is_warning does not fit the key")
        pid, line, file = about["pid"], about["line_no"], about["file"]
        if any(type(each) is not int for each in (pid, line, about["tid"])) or not isinstance(file, str):
            self._now.append(f"{key}: file, line, pid or tid is of another type than LoadGen writes")
            return
        if self._pid is None:
            self._pid = pid
        elif pid != self._pid:
            self._now.append(f"{key}: process id {str(pid)[:30]}, but {str(self._pid)[:30]} before")
        self._thread(key, about["tid"])
        if key != "generic_message" and (key in self.sites or len(self.sites) < MAX_KEYS):
            self.sites[key] = (re.split(r"[/\\]", file[-200:])[-1], line)

    def _thread(self, key: str, tid: int) -> None:
        """One thread writes the log; when LoadGen starts a new one, the old one does not come back.

        Messages are an exception: threads that complete samples write them.
        """
        if "generic_message" in key or (self._tids and tid == self._tids[-1]):
            return
        if tid in self._tids:
            self._now.append(f"{key}: thread id {str(self._tids[-1])[:30]} before, and now {str(tid)[:30]} again")
        elif len(self._tids) < MAX_TEXTS:
            self._tids.append(tid)

    def _time(self, key: str, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e18:
            self._now.append(f"{key}: time_ms is not a time")
            return
        if value < self._last_ms:
            self._now.append(f"{key}: written at {value:.10g} ms, after a record of {self._last_ms:.10g} ms")
        elif value < _WRAPPED_MS:
            self._last_ms = value
            if key in self.times_ms or len(self.times_ms) < MAX_KEYS:
                self.times_ms[key] = float(value)

    def _value(self, key: str, value: Any) -> None:
        if isinstance(value, bool) or value is None:
            if value is None or not _FLAG.fullmatch(key):
                self._now.append(f"{key} is {value}, which LoadGen does not write there")
        elif isinstance(value, int | float):
            if not (value > -1 or key in _MAY_BE_NEGATIVE) or not abs(value) < 1 << 64:
                self._now.append(f"{key} is {str(value)[:30]}: negative, infinite or larger than 64 bits")
            elif _FLAG.fullmatch(key):
                self._now.append(f"{key} is {value}, but LoadGen writes true or false there")
            elif isinstance(value, float) and _WHOLE.fullmatch(key):
                self._now.append(f"{key} is {value}, but LoadGen writes a whole number there")
            elif key == "generated_query_count" and isinstance(value, int) and len(self.generated) < MAX_KEYS:
                self.generated.append(value)
        elif isinstance(value, str):
            if _NUMBER.fullmatch(key) or _FLAG.fullmatch(key):
                self._now.append(f"{key} is the string {value[:30]!r}")
            elif key in ("power_begin", "power_end"):
                since = "generated_query_count" if key == "power_begin" else key
                self._power = (key, value[:100], self.times_ms.get(since, 0.0))
            elif key == "generic_message" and len(self.messages) < MAX_TEXTS:
                self.messages.append(value[:200])
        elif key == "loaded_qsl_set":
            self._load(value)
        elif key != "loadgen_file_sha1":
            self._now.append(f"{key} holds a list or an object")

    def _load(self, value: Any) -> None:
        self._loading = True
        whole = isinstance(value, list) and {*map(type, value)} <= {int}
        if not whole or (value and not 0 <= min(value) <= max(value) < 1 << 40):
            self._whole = False
            return
        self._count += len(value)
        if self._count <= MAX_SAMPLES:
            self._samples.update(value)
            self._order.update(array("Q", value).tobytes())
