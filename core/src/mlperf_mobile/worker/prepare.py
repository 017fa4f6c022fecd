"""Gets a model ready: probes the backend, compiles for each accelerator or takes what is kept, and loads sessions."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

from mlperf_mobile.contracts import Artifact, Backend, CompileRequest, Placement, Probe, Session
from mlperf_mobile.errors import BackendError, ModelError
from mlperf_mobile.plan import CompilePlan
from mlperf_mobile.plugin import Capability
from mlperf_mobile.registry import Registry, pick
from mlperf_mobile.resources.compiled import CompiledStore, Obtained
from mlperf_mobile.worker.blame import blame
from mlperf_mobile.worker.channel import Channel
from mlperf_mobile.worker.environment import required_name
from mlperf_mobile.worker.watch import Watch

WORK = "work"
"""What the backend compiles and cannot be kept goes here; the launcher removes it when the run is over."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A backend that works here, and the model compiled for every accelerator of the plan."""

    plan: CompilePlan
    backend: Backend
    probe: Probe
    obtained: Mapping[str, Obtained]
    """By accelerator."""
    seconds: dict[str, float]
    """How long compiling and loading took."""

    def sessions(self, accelerator: str, count: int, stack: ExitStack) -> list[Session]:
        """Load ``count`` sessions; they close with the stack."""
        artifact: Artifact = self.obtained[accelerator].artifact
        with _timed(self.seconds, "load"), blame("backend", self.plan.backend):
            return [stack.enter_context(self.backend.load(artifact)) for _ in range(count)]

    def share(self, accelerator: str) -> int:
        """How many sessions work on an accelerator when throughput is what counts."""
        return self.plan.accelerators[accelerator] or self.backend.shards


def prepare(plan: CompilePlan, batch: int, channel: Channel, watch: Watch, directory: Path) -> Ready:
    """Probe, check the model file, and compile.

    Raises:
        BackendError: The backend or an accelerator cannot be had, or the compiler failed.
        ModelError: The model is missing, damaged, or another one than it should be.
    """
    registry = Registry()
    offer = pick("backend", plan.backend, registry.backends, registry)
    facts = check_model(plan)
    channel.measured("model", facts)
    if batch > 1 and Capability.BATCH not in offer.info.capabilities:
        raise BackendError("no-batch", f"backend {plan.backend} takes one sample at a time", "leave batch at 1")
    with blame("backend", plan.backend):
        backend = offer.info.backend.load()(plan.backend_options)
        probe = backend.probe()
        if not probe.usable:
            raise BackendError("backend-unusable", f"backend {plan.backend}: {probe.reason}", probe.fix)
        for accelerator in plan.accelerators:
            if accelerator not in probe.accelerators:
                found = ", ".join(probe.accelerators) or "none"
                raise BackendError(
                    "no-accelerator", f"backend {plan.backend} finds no {accelerator} here", f"found: {found}"
                )
        channel.measured("backend", _told(plan, probe))
        made_of = {
            "model": facts["sha256"],
            "format": plan.model.format,
            "backend": plan.backend,
            "plugin": _versions(offer.source.distribution),
            "sdk": {str(name): str(value) for name, value in probe.versions.items()},
            "options": plan.backend_options,
            "batch": batch,
        }
    seconds = {"compile": 0.0, "load": 0.0}
    store, obtained, records = CompiledStore(plan.cache), {}, {}
    for accelerator in plan.accelerators:
        work = directory / WORK / accelerator
        work.mkdir(parents=True)
        before = seconds["compile"]
        with watch.phase("compile", done=None), _timed(seconds, "compile"), blame("backend", plan.backend):
            made = _compile(plan, backend, probe, batch, accelerator, made_of, store, work, channel)
        obtained[accelerator] = made
        records[accelerator] = _record(made) | {"seconds": round(seconds["compile"] - before, 6)}
        channel.measured("compiled", records)
    channel.phase("load")
    return Ready(plan, backend, probe, obtained, seconds)


def _compile(
    plan: CompilePlan,
    backend: Backend,
    probe: Probe,
    batch: int,
    accelerator: str,
    made_of: Mapping[str, Any],
    store: CompiledStore,
    work: Path,
    channel: Channel,
) -> Obtained:
    def make(folder: Path) -> Artifact:
        beside = tuple(name for name in plan.accelerators if name != accelerator)
        request = CompileRequest(
            plan.model.path, accelerator, batch, folder, plan.model.format, beside, lambda step: tell(str(step))
        )
        return backend.compile(request)

    def tell(step: str) -> None:
        channel.phase("compile", f"{accelerator}: {step}" if len(plan.accelerators) > 1 else step)

    told = [False]

    def waiting() -> None:
        if not told[0]:
            tell("another process compiles the same model")
        told[0] = True

    devices = [
        [device.name, device.version, {str(key): value for key, value in device.facts.items()}]
        for device in probe.devices
        if device.accelerator == accelerator
    ]
    return store.obtain(
        {**made_of, "accelerator": accelerator, "devices": devices}, plan.model.name, make, work, waiting
    )


def check_model(plan: CompilePlan) -> dict[str, object]:
    """Size and sha256 of the model file; the sha256 is compared when the plan has one.

    Raises:
        ModelError: It cannot be read, or is another one.
    """
    path = plan.model.path
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = path.stat().st_size
    except OSError as error:
        raise ModelError("model-missing", f"cannot read {path}: {error.strerror}", "check --model") from error
    if plan.model.sha256 not in (None, digest):
        reason = f"{path} is not the file it should be: sha256 {digest}, expected {plan.model.sha256}"
        raise ModelError("model-checksum", reason, "reinstall the package, or fetch the model again")
    return {"sha256": digest, "bytes": size}


def check_placement(accelerator: str, placement: Placement) -> None:
    """Refuse a model of which some operation does not run on the accelerator.

    Raises:
        BackendError: ``placement-fallback``; names the operations.
    """
    fallen = {name: n for name, n in placement.operations.items() if name != accelerator and n}
    if fallen:
        where = ", ".join(f"{n} on {name}" for name, n in fallen.items())
        names = sorted({op for name in fallen for op in placement.names.get(name, ())})
        summary = f"not every operation runs on {accelerator}: {where} ({', '.join(names) or 'names unknown'})"
        raise BackendError("placement-fallback", summary, "--set strict_placement=false accepts that")


def _told(plan: CompilePlan, probe: Probe) -> dict[str, object]:
    """What a result says about the backend: runtime, versions, and whether its speed means anything."""
    functional = [
        f"{name}: {probe.functional_only[name]}" for name in plan.accelerators if name in probe.functional_only
    ]
    return {
        "runtime": str(probe.runtime or "") or None,
        "versions": {str(name): str(value) for name, value in probe.versions.items()},
        "functional_only": "; ".join(functional),
    }


def _record(obtained: Obtained) -> dict[str, object]:
    """A compilation as a result holds it; an interpreter that compiles nothing is told as that."""
    facts = dict(obtained.artifact.facts)
    return {
        "path": str(obtained.artifact.path), "key": obtained.key,
        "cached": obtained.cached, "kept": obtained.kept, "note": obtained.note, "facts": facts,
    }  # fmt: skip


def _versions(distribution: str) -> dict[str, str]:
    """The version of a plugin's distribution, and of those that it shares with other plugins."""
    found: dict[str, str] = {}
    pending = [distribution]
    while pending:
        name = pending.pop()
        try:
            found[name] = version(name)
            required = requires(name) or ()
        except PackageNotFoundError:
            found[name] = "?"
            continue
        names = {required_name(text) for text in required if "extra ==" not in text}
        pending += [each for each in names if each.startswith("mlperf-mobile") and each not in found]
    return found


@contextmanager
def _timed(seconds: dict[str, float], what: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    seconds[what] += round(time.perf_counter() - started, 6)
