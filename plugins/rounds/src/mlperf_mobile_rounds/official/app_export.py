"""Writes results as the reference app's result file (mobile_app_open, tools/extended_result_schema.json)."""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mlperf_mobile.errors import OutputError
from mlperf_mobile.results.accuracy import Accuracy
from mlperf_mobile.results.measured import Performance
from mlperf_mobile.results.model import Result
from mlperf_mobile.results.tokens import TokenFacts
from mlperf_mobile_rounds import benchmarks
from mlperf_mobile_rounds.official.app_results import OFFLINE, SINGLE_STREAM
from mlperf_mobile_rounds.official.json_files import clean

_NAMESPACE = uuid.UUID("6f0d1a7e-3c0a-5f0e-9d55-6d6c70657266")
_SCENARIOS = {"single-stream": SINGLE_STREAM, "offline": OFFLINE}
_UNKNOWN = "unknown"


def app_file(results: Sequence[Result]) -> dict[str, Any]:
    """The content of one result file with all ``results``.

    Offline the app's 90th percentile is the time of the whole query, so that samples / latency90 is the throughput.

    Raises:
        OutputError: The list is empty, a result is unfinished, two belong to the same benchmark, or the app lacks a
            scenario.
    """
    _checked(results)
    names = clean(",".join(sorted(result.run_id for result in results)))
    return {
        "meta": {
            "uuid": str(uuid.uuid5(_NAMESPACE, names)),
            "creation_date": max(map(_end, results)),
            "upload_date": None,
        },
        "results": [_result(result) for result in results],
        "environment_info": _environment(results[0]),
        "build_info": {
            "version": version("mlperf-mobile"),
            "build_number": "0",
            "build_date": _date(results[0].created),
            "official_release_flag": False,
            "dev_test_flag": False,
            "backend_list": sorted({result.backend for result in results}),
            "git_branch": _UNKNOWN,
            "git_commit": _UNKNOWN,
            "git_dirty_flag": False,
        },
    }


def _checked(results: Sequence[Result]) -> None:
    if not results:
        raise OutputError("nothing-to-export", "no result was given", "name result folders")
    seen: dict[tuple[str, str], str] = {}
    for result in results:
        hint = "leave it out"
        if result.status != "completed" or (result.performance is None and result.accuracy is None):
            raise OutputError("nothing-to-export", f"{result.run_id} is not a finished run", hint)
        if result.scenario not in _SCENARIOS:
            raise OutputError("unknown-scenario", f"{result.run_id}: the app has no scenario {result.scenario}", hint)
        key = (result.benchmark, result.scenario)
        if key in seen:
            raise OutputError("same-benchmark", f"{seen[key]} and {result.run_id} belong to the same benchmark", hint)
        seen[key] = result.run_id
    if len({_identity(result) for result in results}) > 1:
        raise OutputError("several-devices", "the results come from several devices", "export each device separately")


def _identity(result: Result) -> tuple[object, ...]:
    keys = ("cpu.model", "os.name", "device", "model_code")
    return tuple(result.environment.get(key) for key in keys)


def benchmark_id(result: Result) -> str:
    """The app's id of a benchmark; the name in the suite."""
    return benchmarks.canonical(result.benchmark, _SCENARIOS.get(result.scenario)) or result.benchmark


def _result(result: Result) -> dict[str, Any]:
    performance, accuracy, load = result.performance, result.accuracy, result.load
    return {
        "benchmark_id": benchmark_id(result),
        "benchmark_name": result.benchmark.replace("_", " ").title(),
        "loadgen_scenario": _SCENARIOS[result.scenario],
        "backend_settings": {
            "accelerator_code": result.accelerator,
            "accelerator_desc": result.accelerator,
            "framework": result.runtime or _UNKNOWN,
            "delegate": "",
            "model_path": result.model.path if "://" in result.model.path else Path(result.model.path).name,
            "batch_size": int((result.system.batch if result.system else None) or load.batch or 1),
            "extra_settings": _extra(result),
        },
        "backend_info": {
            "filename": result.backend,
            "vendor_name": _UNKNOWN,
            "backend_name": result.backend,
            "accelerator_name": result.accelerator,
        },
        "performance_run": _performance_run(result, performance) if performance else None,
        "accuracy_run": _accuracy_run(result, accuracy) if accuracy else None,
        "min_duration": float(load.min_duration_s or 0),
        "min_samples": int(load.min_query_count or 0),
    }


def _extra(result: Result) -> list[dict[str, str]]:
    """What else a reader of the file must know: the rules, the verdict, and whether the speed is real."""
    values = {
        "mlperf_mobile_run": result.run_id,
        "mlperf_mobile_rules": result.rule_set,
        "mlperf_mobile_verdict": result.verdict,
        "mlperf_mobile_functional_only": result.functional_only,
        "mlperf_mobile_model_sha256": result.model.sha256 or "",
    }
    return [{"id": key, "name": key, "value": value, "value_name": value} for key, value in values.items() if value]


def _performance_run(result: Result, performance: Performance) -> dict[str, Any]:
    offline = result.scenario == "offline"
    if performance.tokens is not None and not offline:
        return _run_of_tokens(result, performance, performance.tokens)
    what, number = (
        ("throughput", performance.throughput) if offline else ("p90", performance.latency_ns.get("p90", 0.0))
    )
    latency90 = number / 1e9
    if offline and number > 0:
        latency90 = performance.samples / number
    # A damaged result may hold numbers so small or large that their inverse is none.
    throughput = (performance.samples if offline else 1) / latency90 if latency90 > 0 else 0.0
    if not (0 < latency90 < math.inf and 0 < throughput < math.inf and performance.samples > 0):
        summary = f"{result.run_id}: its {what} ({number:g}, {performance.samples} samples) is not a result"
        raise OutputError("nothing-to-export", summary, "leave it out")
    times = {"latency_mean": performance.latency_ns.get("mean", 0.0) / 1e9, "latency90": latency90}
    return _timed_run(result, performance, throughput, times)


def _run_of_tokens(result: Result, performance: Performance, tokens: TokenFacts) -> dict[str, Any]:
    """Of a language model: the score is 1 / mean TPOT, and the latencies are 0 (loadgen_info.dart).

    The means are whole nanoseconds, rounded down, as the app reads them in LoadGen's log.
    """
    per_token, first = math.floor(tokens.tpot_ns.get("mean", 0.0)), tokens.ttft_ns
    if per_token <= 0 or performance.samples <= 0:
        summary = f"{result.run_id}: no answer has two tokens, so it has no decode rate"
        raise OutputError("nothing-to-export", summary, "leave it out")
    rate = 1.0 / (per_token / 1e9)  # the app's arithmetic, to the last bit
    times = {
        "latency_mean": 0.0,
        "latency90": 0.0,
        "latency_first_token_mean": math.floor(first.get("mean", 0.0)) / 1e9,
        "latency_first_token90": first.get("p90", 0.0) / 1e9,
        "token_throughput": rate,
        "is_token_based": True,
    }
    return _timed_run(result, performance, rate, times)


def _timed_run(result: Result, performance: Performance, score: float, times: Mapping[str, float]) -> dict[str, Any]:
    """The flags are LoadGen's, which waives nothing."""
    offline = result.scenario == "offline"
    met = {rule.name: rule.ok and not rule.note.startswith("waived") for rule in result.rules}
    valid = all(rule.ok for rule in result.rules if rule.name != "quality-target")
    return {
        "throughput": {"value": score},
        "accuracy": None,
        "accuracy2": None,
        "dataset": _dataset(result, result.performance_dataset or result.dataset),
        "measured_duration": performance.duration_s,
        "measured_samples": performance.samples,
        "start_datetime": _date(result.created),
        "loadgen": {
            "query_count": performance.queries,
            **times,
            "is_min_duration_met": met.get("min-duration", False),
            "is_min_query_met": met.get("min-query-count", False),
            "is_early_stopping_met": met.get("early-stopping", offline),
            "is_result_valid": valid and performance.loadgen.valid is not False,
        },
    }


def _accuracy_run(result: Result, accuracy: Accuracy) -> dict[str, Any]:
    return {
        "throughput": None,
        "accuracy": {
            "normalized": accuracy.value / 100 if accuracy.metric == "PSNR" else accuracy.value,
            "formatted": formatted(accuracy),
        },
        "accuracy2": None,
        "dataset": _dataset(result, result.dataset),
        "measured_duration": accuracy.duration_s,
        "measured_samples": accuracy.samples,
        "start_datetime": _date(result.created),
        "loadgen": None,
    }


def formatted(accuracy: Accuracy) -> str:
    """An accuracy as the app writes it: ``75.32%``, ``43.0000%``, ``0.2745 mAP``, ``94.4667``, ``33.39 dB``."""
    match accuracy.metric:
        case "top-1":
            return f"{accuracy.value * 100:.2f}%"
        case "accuracy" | "IFEval accuracy":
            return f"{accuracy.value * 100:.4f}%"
        case "CLIP":
            return f"{accuracy.value:.4f}"
        case "F1":
            return f"{accuracy.value * 100:.4f}"
        case "PSNR":
            return f"{accuracy.value:.2f} dB"
        case metric:
            return f"{accuracy.value:.4f} {metric}"


def _dataset(result: Result, name: str) -> dict[str, str]:
    known = benchmarks.of(benchmark_id(result))
    types = [known.of] if known else [task for task in benchmarks.known().tasks.values() if task.task == result.task]
    kind = next((task.type for task in types if task.type), _UNKNOWN.upper())
    return {"name": name, "type": kind, "data_path": "", "groundtruth_path": ""}


def _environment(result: Result) -> dict[str, Any]:
    """The schema knows Android, iOS and Windows; for other systems it holds only the name."""
    facts = {key: str(value) for key, value in result.environment.items() if value is not None}
    system = facts.get("platform") or facts.get("os.system", _UNKNOWN).lower()
    value: dict[str, Any] = {"android": None, "ios": None, "windows": None}
    os_version = facts.get("os_version") or facts.get("os.name") or _UNKNOWN
    if system == "android":
        keys = ("manufacturer", "model_code", "model_name", "board_code", "proc_cpuinfo_soc_name")
        device = {key: facts.get(key) or facts.get(f"android.{key}") or _UNKNOWN for key in keys}
        props = [
            {"type": "soc", "name": name, "value": facts[name]}
            for name in ("ro.soc.model", "ro.soc.manufacturer")
            if name in facts
        ]
        value["android"] = {"os_version": os_version, **device, "props": props}
    elif system == "ios":
        names = ("model_code", "model_name", "soc_name")
        value["ios"] = {"os_version": os_version, **{name: facts.get(name) or _UNKNOWN for name in names}}
    elif system == "windows":
        value["windows"] = {"os_version": os_version, "cpu_full_name": facts.get("cpu.model") or _UNKNOWN}
    return {"platform": system, "value": value}


def _end(result: Result) -> str:
    """When the longer of the two parts would have ended, both of which the file says began with the run."""
    began, parts = datetime.fromisoformat(_date(result.created)), (result.performance, result.accuracy)
    try:
        return _date((began + timedelta(seconds=max(part.duration_s for part in parts if part))).isoformat())
    except (OverflowError, ValueError) as error:
        summary = f"{result.run_id} took longer than there are dates"
        raise OutputError("bad-time", summary, "it is damaged") from error


def _date(text: str) -> str:
    """A time in UTC with its zone, as the schema's date-time requires.

    Raises:
        OutputError: The text is not a time.
    """
    try:
        when = datetime.fromisoformat(text)
    except ValueError as error:
        raise OutputError(
            "bad-time", f"the result was created at {text!r}, which is not a time", "it is damaged"
        ) from error
    return when.isoformat() + ("" if when.tzinfo else "Z")
