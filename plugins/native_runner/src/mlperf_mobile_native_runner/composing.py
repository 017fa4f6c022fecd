"""Composes the parts of a result from what the runner reports and from LoadGen's logs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from mlperf_mobile import loadgen
from mlperf_mobile.contracts import COUNTED, INFERENCE, LIVE, LoggedRun, Placement, Score, Share
from mlperf_mobile.errors import OutputError
from mlperf_mobile.loadgen import response_log, trace
from mlperf_mobile.loadgen.logs import LATENCY_SOURCE, first_token_latencies
from mlperf_mobile.results import latencies
from mlperf_mobile.results.tokens import FIELDS, TOKENS
from mlperf_mobile.scoring import score_log
from mlperf_mobile.worker.blame import blame
from mlperf_mobile.worker.measurements import as_json
from mlperf_mobile.worker.session_pool import summed
from mlperf_mobile_native_runner.chunks import Chunk, Responses
from mlperf_mobile_native_runner.prepared import PreparedRun

LOGS = ("performance", "accuracy")


def system(run: PreparedRun, load_s: float) -> dict[str, Any]:
    """The part ``system``."""
    (accelerator,) = run.plan.accelerators
    sessions = run.sessions if run.scenario.parallel or not run.plan.has_performance else 1
    return {
        "inputs": [*map(str, run.engine.inputs)], "outputs": [*map(str, run.engine.outputs)],
        "sessions": sessions, "accelerators": {accelerator: sessions}, "batch": run.batch,
        "samples_in_data_set": len(run.timed), "performance_sample_count": run.in_memory,
        "load_s": {"compile": 0.0, "load": load_s},
    } | (run.generations.facts() if run.generations else {})  # fmt: skip


def versions(reported: Mapping[str, Any]) -> dict[str, str]:
    """The versions of runtime and driver in the runner's part ``runner``."""
    found = reported.get("versions")
    return {str(name): str(version) for name, version in found.items()} if isinstance(found, dict) else {}


def placement(reported: Mapping[str, Any]) -> dict[str, Any]:
    """The part ``placement``, of an engine whose runtime says where each operation runs."""
    return {each.name: reported.get(each.name, {}) for each in fields(Placement)}


def performance(run: PreparedRun, folder: Path, reported: Mapping[str, Any]) -> dict[str, Any]:
    """The part ``performance`` of a finished timed run.

    Args:
        run: The run.
        folder: The run's folder, with LoadGen's logs and the latencies.
        reported: The runner's parts.

    Raises:
        OutputError: ``log-incomplete``: LoadGen did not write its logs.
    """
    logs = folder / "performance"
    details = loadgen.read_details(logs / loadgen.DETAIL_LOG)
    values = latencies.read(folder / latencies.FILE)
    if "result_validity" not in details or not values:
        summary = f"LoadGen could not write {logs / loadgen.DETAIL_LOG}, or there are no latencies"
        raise OutputError("log-incomplete", summary, "check whether the storage of the device is full")
    tokens = latencies.read(folder / TOKENS) if run.generations else None
    agree = trace.agree(values, loadgen.latencies(details)) and _first_agree(tokens, details)
    details[LATENCY_SOURCE] = COUNTED if agree else LIVE
    timed = reported["runner_performance"]
    expected = int(timed["expected_latency_ns"])
    load = run.load.model_copy(update={"expected_latency_ns": expected})
    shares = tuple(Share(int(one["samples"]), float(one["busy_s"])) for one in timed.get("shares", ()))
    with blame("scenario", run.plan.scenario):
        measured = run.scenario.measurement(LoggedRun(load, values, details, logs, shares, tokens=tokens))
    data = as_json(run.plan.scenario, measured) | {"timed_region": INFERENCE, "expected_latency_ns": expected}
    if data["tokens"]:
        memory = {"loaded": reported["runner"].get("peak_bytes"), "end": timed.get("peak_bytes")}
        data["tokens"]["memory_bytes"] = {name: each for name, each in memory.items() if each is not None}
    (accelerator,) = run.plan.accelerators
    on = [accelerator] * len(shares) if run.scenario.parallel else []
    data["accelerators"] = summed(on, data.pop("shares") if on else [], measured.duration_s)
    data.pop("shares", None)
    return data


def _first_agree(tokens: Sequence[int] | None, details: Mapping[str, Any]) -> bool:
    """Whether the times to first tokens are those of LoadGen's log, if there are any."""
    logged = first_token_latencies(details)
    if not tokens or not logged:
        return True
    empty = any(count == 0 for count in tokens[1::FIELDS])  # LoadGen gets a first token for them, and we none
    return empty or trace.agree(tokens[2::FIELDS], logged)


def accuracy(
    run: PreparedRun, folder: Path, responses: Responses, chunks: Sequence[Chunk], reported: Mapping[str, Any]
) -> dict[str, Any]:
    """The part ``accuracy``: the log of responses is written, compared with LoadGen's digests, and scored.

    Raises:
        DataError: The logs do not agree, or a response does not fit.
        OSError: The log cannot be written.
    """
    assert run.metric is not None
    logs = folder / "accuracy"
    with loadgen.ResponseLog(logs) as log:
        responses.write(log, chunks)
    response_log.check(logs, len(run.dataset))
    with blame("task", run.plan.task):
        score: Score = score_log(logs / loadgen.RESPONSE_LOG, run.metric, len(run.dataset))
    more = {"duration_s": float(reported["duration_s"]), "sessions": int(reported["sessions"])}
    return asdict(score) | more | {"logged": "digests"}
