"""``python -m mlperf_mobile_diff.recorder``: infers a few samples in a separate process, and records every tensor."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mlperf_mobile.backend_checks import wrong_outputs
from mlperf_mobile.contracts import Codec, Dataset, Purpose, ReportingSession, Session, Tensors, TracingBackend
from mlperf_mobile.errors import BackendError, DataError
from mlperf_mobile.opening import open_dataset, open_task
from mlperf_mobile.plan import CompilePlan, Plan
from mlperf_mobile.registry import installed_plugins
from mlperf_mobile.worker import shapes
from mlperf_mobile.worker.__main__ import main
from mlperf_mobile.worker.blame import blame
from mlperf_mobile.worker.channel import Channel
from mlperf_mobile.worker.generating import generating_sessions, generations, token_system
from mlperf_mobile.worker.prepare import PreparedModel, open_backend
from mlperf_mobile.worker.surroundings import leave
from mlperf_mobile.worker.token_system import TokenSystem
from mlperf_mobile.worker.used_files import UsedFiles
from mlperf_mobile.worker.watch import Watch
from mlperf_mobile_diff.recording import REQUEST, RecordRequest, Writer, spread

_NO_TRACE = "the tensors inside a language model are not compared"


def record(plan: CompilePlan, channel: Channel, watch: Watch, directory: Path, after: ExitStack) -> None:
    """Record the samples that ``request.json`` in ``directory`` asks for."""
    assert isinstance(plan, Plan)
    request = RecordRequest.model_validate_json((directory / REQUEST).read_bytes())
    registry = installed_plugins()
    with ExitStack() as stack, watch.phase("load"):
        with blame("task", plan.task):
            task = open_task(registry, plan.task, plan.task_options)
        opened = open_backend(plan, registry, channel, UsedFiles(plan, directory.parent), task)
        dataset = open_dataset(registry, plan.dataset)
        ask = shapes.asking(task, plan.task, dataset)
        ready, pool = shapes.load(opened, 1, channel, watch, directory, stack, ask, Purpose())
        (session,) = pool.sessions
        with blame("task", plan.task):
            codec = task.bind(session.inputs, session.outputs)
        indices = _checked(request.indices, dataset) or spread(request.count, len(dataset))
        how = generations(task, plan.task, pool.sessions, plan.backend)
        specs = ((), ()) if how else (session.inputs, session.outputs)  # prompts and answers vary in length
        writer = Writer(directory, *specs, len(indices))
        if how:
            sessions = generating_sessions(pool.sessions, plan.backend)
            system = token_system(
                task, plan.task, sessions, how.accuracy, codec, dataset, watch,
                strict=True, backend=plan.backend, model=plan.model.name,
            )  # fmt: skip
            watch.alive(lambda: system.generated)
            sample = partial(_answer, system, writer)
        else:
            sample = partial(_sample, plan, session, codec, dataset, writer)
        done: list[int] = []
        with watch.phase("record", total=len(indices), done=lambda: len(done)):
            for index in indices:
                sample(index)
                done.append(index)
        problem = ""
        if request.trace:
            problem = _NO_TRACE if how else _trace(plan, ready, codec, dataset, indices[0], writer)
        with blame("backend", plan.backend):
            report: dict[str, Any] = dict(session.report()) if isinstance(session, ReportingSession) else {}
    writer.close(len(dataset), report, problem)


def _checked(indices: tuple[int, ...], dataset: Dataset) -> tuple[int, ...]:
    for index in indices:
        if not 0 <= index < len(dataset):
            summary = f"there is no sample {index}: the data set has {len(dataset)} samples, counted from 0"
            raise DataError("no-sample", summary, "choose another --index")
    return indices


def _answer(system: TokenSystem, writer: Writer, index: int) -> None:
    """Record the answer of a language model, without what is timed in a run."""
    system.hold(index)
    ids = system.generate(index, 0, system.how)
    writer.add(index, (), (), system.respond(ids), ids)
    system.unload_samples([index])


def _sample(plan: Plan, session: Session, codec: Codec, dataset: Dataset, writer: Writer, index: int) -> None:
    with blame("dataset", plan.dataset.name):
        raw = dataset.sample(index)
    with blame("task", plan.task):
        inputs = codec.encode(raw)
    with blame("backend", plan.backend):
        outputs = session.run(inputs)
        _check(outputs, session, plan)
        outputs = tuple(np.array(tensor) for tensor in outputs)  # copies: they may be the runtime's buffers
    with blame("task", plan.task):
        response = codec.decode(outputs)
    writer.add(index, inputs, outputs, response)


def _check(outputs: Tensors, session: Session, plan: Plan) -> None:
    """Refuse outputs that do not match the specs; values that are not finite are what a comparison is to find."""
    if isinstance(outputs, (tuple, list)):
        outputs = tuple(np.zeros_like(each) if isinstance(each, np.ndarray) else each for each in outputs)
    if wrong := wrong_outputs(outputs, session.outputs):
        hint = "the conformance kit reproduces it"
        raise BackendError("wrong-outputs", f"backend {plan.backend}: {wrong}", hint)


def _trace(
    plan: Plan, ready: PreparedModel, codec: Codec, dataset: Dataset, index: int, writer: Writer
) -> str:  # fmt: skip
    """Record the tensors inside the model; returns why that is not possible."""
    if not isinstance(ready.backend, TracingBackend):
        return f"backend {plan.backend} does not show the tensors inside a model"
    artifact = ready.obtained[next(iter(plan.accelerators))].artifact
    with blame("backend", plan.backend):
        found = False
        for spec, tensor in ready.backend.trace(artifact, codec.encode(dataset.sample(index))):
            writer.trace(spec, tensor)
            found = True
    return "" if found else f"backend {plan.backend} showed no tensors"


if __name__ == "__main__":
    leave(main(record))
