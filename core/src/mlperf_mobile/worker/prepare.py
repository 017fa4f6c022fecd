"""Gets a model ready: probes the backend, compiles for each accelerator or takes what is kept, and loads sessions."""

from __future__ import annotations

import shutil
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from mlperf_mobile.backend_checks import Shapes
from mlperf_mobile.contracts import (
    Artifact,
    Backend,
    CompileRequest,
    GeneratingTask,
    Placement,
    Probe,
    Purpose,
    Session,
    Task,
    TextTask,
)
from mlperf_mobile.errors import BackendError, MobileError
from mlperf_mobile.names import as_file_name
from mlperf_mobile.options import constructed
from mlperf_mobile.picking import pick, require_tokens
from mlperf_mobile.plan import CompilePlan, Plan
from mlperf_mobile.plugin import BackendInfo, Capability
from mlperf_mobile.registry import Offer, Registry
from mlperf_mobile.resources.compiled import Compilation, CompiledStore
from mlperf_mobile.worker import returned
from mlperf_mobile.worker.blame import blame
from mlperf_mobile.worker.channel import Channel
from mlperf_mobile.worker.ingredients import ingredients
from mlperf_mobile.worker.model_files import check_model, paths_of
from mlperf_mobile.worker.used_files import UsedFiles
from mlperf_mobile.worker.watch import Watch

WORK = "work"
"""Folder for compiled models that cannot be kept; the launcher removes it after the run."""


@dataclass(frozen=True, slots=True)
class PreparedModel:
    """A working backend, and the model compiled for every accelerator of the plan."""

    plan: CompilePlan
    backend: Backend
    obtained: Mapping[str, Compilation]
    """By accelerator."""
    seconds: dict[str, float]
    """The durations of compiling and loading."""
    files: UsedFiles
    purposes: Mapping[str, Purpose]
    """By accelerator."""

    def sessions(self, accelerator: str, count: int, stack: ExitStack) -> list[Session]:
        """Load ``count`` sessions; they close with the stack.

        Raises:
            ModelError: ``model-changed``: the loaded file may not be the one that was hashed.
        """
        artifact = replace(self.obtained[accelerator].artifact, purpose=self.purposes[accelerator])
        with _timed(self.seconds, "load"), blame("backend", self.plan.backend):
            loaded = []
            for _ in range(count):
                opened = returned.session(self.plan.backend, self.backend.load(artifact))
                entered = opened.__enter__()
                stack.push(_closing(opened, self.plan.backend))
                loaded.append(returned.session(self.plan.backend, entered, "__enter__"))
                returned.specs(self.plan.backend, loaded[-1])
        self.files.check_model()
        return loaded

    def share(self, accelerator: str) -> int:
        """How many sessions to run on an accelerator for throughput."""
        return _shards(self.plan, self.backend, accelerator)


def _closing(session: Session, backend: str) -> Callable[[object, BaseException | None, object], None]:
    """A function that closes a session; its exceptions are the backend's, and never hide an earlier error."""

    def close(kind: object, error: BaseException | None, trace: object) -> None:
        try:
            with blame("backend", backend):
                session.__exit__(kind, error, trace)
        except MobileError:
            if error is None:
                raise
            traceback.print_exc()

    return close


@dataclass(frozen=True, slots=True)
class OpenedBackend:
    """A working backend with the accelerators of the plan, and the checked model file."""

    plan: CompilePlan
    offer: Offer[BackendInfo]
    backend: Backend
    probe: Probe
    sha256: str
    """The model's SHA-256."""
    files: UsedFiles
    tokens: bool = False
    """Whether the task needs sessions that generate."""


def open_backend(
    plan: CompilePlan, registry: Registry, channel: Channel, files: UsedFiles, task: Task | None = None
) -> OpenedBackend:
    """Probe the backend, which must generate if the task is one for language models, and check the model file.

    Raises:
        BackendError: The backend or an accelerator is not available.
        ModelError: The model is missing, or is not the expected one.
    """
    offer = pick("backend", plan.backend, registry.backends, registry)
    if tokens := isinstance(task, GeneratingTask):
        require_tokens(offer, registry, text=isinstance(task, TextTask))
    model = check_model(plan, files)
    channel.measured("model", model)
    with blame("backend", plan.backend):
        backend: Backend = constructed("backend", offer, plan.backend_options)
        probe = returned.probe(plan.backend, backend.probe())
        if not probe.usable:
            raise BackendError("backend-unusable", f"backend {plan.backend}: {probe.reason}", probe.fix)
        for accelerator in plan.accelerators if isinstance(plan, Plan) else ():  # a host compiles for other devices
            if accelerator not in probe.accelerators:
                found = ", ".join(probe.accelerators) or "none"
                raise BackendError(
                    "no-accelerator", f"backend {plan.backend} finds no {accelerator} here", f"found: {found}"
                )
        channel.measured("backend", _backend_facts(plan, probe))
    return OpenedBackend(plan, offer, backend, probe, model["sha256"], files, tokens)


def prepare(
    opened: OpenedBackend,
    batch: int,
    channel: Channel,
    watch: Watch,
    directory: Path,
    input_shapes: Shapes,
    purpose: Purpose,
) -> PreparedModel:
    """Compile for every accelerator of the plan, or use what is stored.

    Args:
        opened: The backend and the model file.
        batch: Samples per call.
        channel: Where to report.
        watch: What supervises the steps.
        directory: The folder of the run.
        input_shapes: Shapes of one sample, for open inputs.
        purpose: What the model is for; the number of sessions is that of each accelerator.

    Raises:
        BackendError: The backend does not support batches, or its compiler failed.
        ModelError: The model is damaged, or cannot be compiled.
    """
    plan = opened.plan
    if batch > 1 and Capability.BATCH not in opened.offer.info.capabilities:
        raise BackendError("no-batch", f"backend {plan.backend} runs one sample at a time", "leave batch at 1")
    seconds = {"compile": 0.0, "load": 0.0}
    purposes = {name: replace(purpose, sessions=_sessions(opened, name, purpose)) for name in plan.accelerators}
    store, obtained, records = CompiledStore(plan.cache), {}, {}
    for accelerator in plan.accelerators:
        work = directory / WORK / as_file_name(accelerator)
        shutil.rmtree(work, ignore_errors=True)  # from the compilation that reported the open inputs
        opened.files.model.forget(work)
        work.mkdir(parents=True)
        before = seconds["compile"]
        with watch.phase("compile", done=None), _timed(seconds, "compile"), blame("backend", plan.backend):
            obtained[accelerator] = _compile(
                opened, batch, accelerator, store, work, channel, input_shapes, purposes[accelerator]
            )
        opened.files.model.also(obtained[accelerator].stamps)
        if plan.model.files:
            with_files = replace(obtained[accelerator].artifact, files=paths_of(plan))
            obtained[accelerator] = obtained[accelerator]._replace(artifact=with_files)
        records[accelerator] = _record(obtained[accelerator]) | {"seconds": round(seconds["compile"] - before, 6)}
        channel.measured("compiled", records)
    channel.phase("load")
    return PreparedModel(plan, opened.backend, obtained, seconds, opened.files, purposes)


def _sessions(opened: OpenedBackend, accelerator: str, purpose: Purpose) -> int:
    """How many sessions of an accelerator work at the same time in the timed run."""
    if not purpose.parallel:
        return 1
    return _shards(opened.plan, opened.backend, accelerator)


def _shards(plan: CompilePlan, backend: Backend, accelerator: str) -> int:
    """The sessions of an accelerator: as the plan says, or as many as the backend has shards."""
    with blame("backend", plan.backend):
        return plan.accelerators[accelerator] or returned.shards(plan.backend, backend.shards)


def _compile(
    opened: OpenedBackend,
    batch: int,
    accelerator: str,
    store: CompiledStore,
    work: Path,
    channel: Channel,
    input_shapes: Shapes,
    purpose: Purpose,
) -> Compilation:
    plan, probe = opened.plan, opened.probe

    def tell(step: str) -> None:
        channel.phase("compile", f"{accelerator}: {step}" if len(plan.accelerators) > 1 else str(step))

    request = CompileRequest(
        model=plan.model.path,
        accelerator=accelerator,
        batch=batch,
        format=plan.model.format,
        beside=tuple(name for name in plan.accelerators if name != accelerator),
        report=tell,
        input_shapes=input_shapes,
        tokens=opened.tokens,
        files=paths_of(plan),
        purpose=purpose if Capability.PURPOSE in opened.offer.info.capabilities else Purpose(),
    )

    def make(folder: Path) -> Artifact:
        artifact = opened.backend.compile(replace(request, directory=folder))
        opened.files.check_model()  # before the artifact is stored under the model's digest
        return returned.artifact(plan.backend, artifact)

    waits = iter([lambda: tell("another process compiles the same model")])

    def waiting() -> None:
        next(waits, lambda: None)()

    made_of = ingredients(plan, opened.sha256, opened.offer.source.distribution, probe, request)
    return store.obtain(made_of, plan.model.name, make, work, waiting, again=plan.recompile)


def check_placement(accelerator: str, placement: Placement) -> None:
    """Refuse a model with operations that do not run on the accelerator.

    Raises:
        BackendError: ``placement-fallback``; the message names the operations.
    """
    fallen = {name: n for name, n in placement.operations.items() if name != accelerator and n}
    if fallen:
        where = ", ".join(f"{n} on {name}" for name, n in fallen.items())
        names = sorted({op for name in fallen for op in placement.names.get(name, ())})
        summary = f"not every operation runs on {accelerator}: {where} ({', '.join(names) or 'names unknown'})"
        raise BackendError("placement-fallback", summary, "use --set strict_placement=false to accept that")


def _backend_facts(plan: CompilePlan, probe: Probe) -> dict[str, object]:
    """Facts about the backend for the result: runtime, versions, and why its speed is meaningless, if it is."""
    functional = [
        f"{name}: {probe.functional_only[name]}" for name in plan.accelerators if name in probe.functional_only
    ]
    return {
        "runtime": str(probe.runtime or "") or None,
        "versions": {str(name): str(value) for name, value in probe.versions.items()},
        "functional_only": "; ".join(functional),
    }


def _record(obtained: Compilation) -> dict[str, object]:
    """A compilation as JSON data for the result."""
    facts = dict(obtained.artifact.facts)
    return {
        "path": str(obtained.artifact.path), "key": obtained.key,
        "cached": obtained.cached, "kept": obtained.kept, "note": obtained.note, "facts": facts,
    }  # fmt: skip


@contextmanager
def _timed(seconds: dict[str, float], what: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    seconds[what] += round(time.perf_counter() - started, 6)
