"""The plan that the runner reads: flat, versioned, and without anything that only the host understands."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlperf_mobile import loadgen
from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile.worker.generating import Generations
from mlperf_mobile_native_runner.binary import PLAN
from mlperf_mobile_native_runner.chunks import Chunk
from mlperf_mobile_native_runner.prepared import CHOSEN_THERE, PreparedRun
from mlperf_mobile_native_runner.sample_files import bytes_of

SAMPLES, OUTPUTS = "work/samples", "work/outputs"
"""Folders of the run's folder on the device, which are not copied back as a whole."""
WAITING = 4
"""How many files of outputs may wait on the device for being copied, and files of samples for being answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where files are on the device."""

    library: str
    """A path, or a name for the device's loader."""
    model: str
    options: Mapping[str, Any]
    timed: Sequence[tuple[str, Sequence[int]]] = ()
    """Files of samples for the timed run, with the index of each record."""
    warm_up: Sequence[int] = ()
    chunks: Sequence[tuple[str, Chunk]] = ()
    """Files of samples for the accuracy run."""
    streamed: bool = False
    """Whether the files of chunks are sent while the run takes place."""
    wait_s: float = 0.0
    """How long the runner waits for the host."""
    more: Mapping[str, Any] = field(default_factory=dict)


def encoded(run: PreparedRun, places: Places) -> bytes:
    """The plan, as JSON."""
    plan = run.plan
    found = {
        "plan": PLAN,
        "engine": run.engine.engine,
        "library": places.library,
        "model": places.model,
        "options": dict(places.options),
        "sessions": run.sessions,
        "batch": run.batch,
        "inputs": [_tensor(spec) for spec in run.inputs],
        "outputs": [_tensor(spec) for spec in run.outputs],
        "warmup_s": plan.warm_up_s,
        "performance": _performance(run, places) if plan.has_performance else None,
        "accuracy": _accuracy(run, places) if plan.has_accuracy else None,
        **({"generation": _generation(run.generations)} if run.generations else {}),
        **places.more,
    }
    return json.dumps(found).encode() + b"\n"


def _performance(run: PreparedRun, places: Places) -> dict[str, Any]:
    settings = run.settings(1)
    return {
        "settings": {name: value for name, value in settings.items() if name not in CHOSEN_THERE},
        "expected_latency_ns": run.plan.load.expected_latency_ns,
        "expected_floor_ns": float(settings.get("single_stream_expected_latency_ns", 1)),
        "total": len(run.timed),
        "count": run.in_memory,
        "samples": [{"file": path, "indices": list(indices)} for path, indices in places.timed],
        "warmup": list(places.warm_up),
        "logs": "performance",
    }


def _accuracy(run: PreparedRun, places: Places) -> dict[str, Any]:
    settings = loadgen.accuracy_values(run.plan.load.seeds)
    return {
        "settings": {name: value for name, value in settings.items() if name not in ("scenario", "mode")},
        "total": len(run.dataset),
        "chunks": [{"file": path, "first": chunk.first, "count": chunk.count} for path, chunk in places.chunks],
        "wait": places.streamed,
        "wait_s": places.wait_s,
        "outputs": OUTPUTS,
        "most_waiting": WAITING,
        "logs": "accuracy",
    }


def _generation(how: Generations) -> dict[str, Any]:
    modes = {"performance": how.performance, "accuracy": how.accuracy}
    each = {mode: {"max_new_tokens": one.max_new_tokens, "stop_ids": list(one.stop_ids)} for mode, one in modes.items()}
    return {"context": how.context, **each}


def _tensor(spec: TensorSpec) -> dict[str, Any]:
    return {"name": spec.name, "dtype": spec.dtype.name, "shape": list(spec.shape), "bytes": bytes_of(spec)}
