"""Loads a model with the requested shapes, and refuses one whose inputs stay open or get other shapes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

from mlperf_mobile.backend_checks import OpenShapes, Shapes
from mlperf_mobile.contracts import Dataset, SizingTask, Task, TensorSpec
from mlperf_mobile.errors import BackendError, MobileError, ModelError, did_you_mean
from mlperf_mobile.terms import ONLY_INPUT
from mlperf_mobile.worker.blame import blame
from mlperf_mobile.worker.channel import Channel
from mlperf_mobile.worker.prepare import OpenedBackend, PreparedModel, prepare
from mlperf_mobile.worker.session_pool import SessionPool
from mlperf_mobile.worker.watch import Watch

T = TypeVar("T")
Inputs = Sequence[TensorSpec]
Ask = Callable[[Inputs], Shapes]
"""The shapes that the task supplies for open inputs."""


def asking(task: Task, name: str, dataset: Dataset) -> Ask:
    """Ask ``task``, if it knows sizes at all."""

    def ask(inputs: Inputs) -> Shapes:
        with blame("task", name):
            return task.input_shapes(inputs, dataset) if isinstance(task, SizingTask) else {}

    return ask


def load(
    opened: OpenedBackend,
    batch: int,
    channel: Channel,
    watch: Watch,
    directory: Path,
    stack: ExitStack,
    ask: Ask,
    *,
    all_of_them: bool,
) -> tuple[PreparedModel, SessionPool]:
    """Compile the model and load its sessions; they close with the stack.

    Raises:
        ModelError: ``open-shape`` or ``input-shapes``; or the model is damaged, or cannot be compiled.
        BackendError: ``shapes-ignored``: the sessions have other shapes; or the backend failed.
    """

    def attempt(asked: Shapes) -> tuple[PreparedModel, SessionPool]:
        own = ExitStack()
        try:
            ready = prepare(opened, batch, channel, watch, directory, asked)
            pool = SessionPool(ready, own)
            pool.load(all_of_them=all_of_them)
            _check(pool.sessions[0].inputs, asked, opened)
        except BaseException:
            own.close()
            raise
        stack.enter_context(own)
        return ready, pool

    return _settled(opened, ask, attempt)


def compile_only(opened: OpenedBackend, channel: Channel, watch: Watch, directory: Path) -> PreparedModel:
    """Compile the model.

    Raises:
        ModelError: As :func:`load`.
        BackendError: The backend failed.
    """
    return _settled(
        opened, lambda inputs: {}, lambda asked: prepare(opened, opened.plan.batch, channel, watch, directory, asked)
    )


class _DifferentShapes(MobileError):
    """Sessions have other shapes than requested; now that the inputs are known, another attempt may help."""

    def __init__(self, inputs: Inputs, error: MobileError) -> None:
        super().__init__(error.code, error.summary, error.hint, error.exit_code)
        self.inputs = inputs


def _settled(opened: OpenedBackend, ask: Ask, attempt: Callable[[Shapes], T]) -> T:
    """The outcome of ``attempt`` with the plan's shapes, and with the task's once the inputs are known."""
    wanted = opened.plan.input_shapes
    asked: Shapes = {name: shape for name, shape in wanted.items() if name != ONLY_INPUT}
    try:
        return attempt(asked)
    except (OpenShapes, _DifferentShapes) as error:
        more = _shapes(error.inputs, wanted, ask, opened)
        if more == asked:
            raise
    return attempt(more)


def _shapes(inputs: Inputs, wanted: Mapping[str, tuple[int, ...]], ask: Ask, opened: OpenedBackend) -> Shapes:
    """The shapes of the plan by name, and the task's for what they leave open."""
    model = opened.plan.model.name
    if ONLY_INPUT in wanted:
        if len(inputs) != 1:
            names = ", ".join(spec.name for spec in inputs)
            summary = f"{model} has {len(inputs)} inputs, but input_shapes is a single shape without a name"
            raise ModelError("input-shapes", summary, f"use --set input_shapes.NAME=[...] with one of {names}")
        return {inputs[0].name: wanted[ONLY_INPUT]}
    left = [spec for spec in inputs if spec.is_open and spec.name not in wanted]
    told = ask(inputs) if left else {}
    return dict(wanted) | {spec.name: tuple(told[spec.name]) for spec in left if spec.name in told}


def _check(inputs: Inputs, asked: Shapes, opened: OpenedBackend) -> None:
    """Check the sessions' shapes, whatever their backend does."""
    plan = opened.plan
    if any(spec.is_open for spec in inputs):
        raise OpenShapes(inputs, plan.model.name)
    there = {spec.name: spec for spec in inputs}
    for name, shape in asked.items():
        if name not in there:
            raise ModelError("input-shapes", f"{plan.model.name} has no input {name!r}", did_you_mean(name, there))
        if there[name].shape != tuple(shape):
            raise _ignored(there[name], shape, opened)
    only = plan.input_shapes.get(ONLY_INPUT)
    if only and (len(inputs) != 1 or inputs[0].shape != only):
        raise _DifferentShapes(inputs, _ignored(inputs[0], only, opened))


def _ignored(spec: TensorSpec, shape: tuple[int, ...], opened: OpenedBackend) -> BackendError:
    summary = (
        f"input {spec.name} of {opened.plan.model.name} is {spec} in backend {opened.plan.backend}, "
        f"not [{','.join(map(str, shape))}] as set by input_shapes"
    )
    return BackendError("shapes-ignored", summary, "the model or the backend fixes the shape: leave input_shapes out")
