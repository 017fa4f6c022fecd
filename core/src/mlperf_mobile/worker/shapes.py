"""Loads a model with the requested input shapes; refuses one whose inputs stay open or have other shapes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

from mlperf_mobile.backend_checks import OpenShapes, Shapes
from mlperf_mobile.contracts import Dataset, Purpose, SizingTask, Task, TensorSpec
from mlperf_mobile.errors import BackendError, MobileError, ModelError, did_you_mean
from mlperf_mobile.plan import CompilePlan
from mlperf_mobile.terms import ONLY_INPUT
from mlperf_mobile.worker.blame import blame
from mlperf_mobile.worker.channel import Channel
from mlperf_mobile.worker.environment import usable_cores
from mlperf_mobile.worker.prepare import OpenedBackend, PreparedModel, prepare
from mlperf_mobile.worker.session_pool import SessionPool
from mlperf_mobile.worker.watch import Watch

T = TypeVar("T")
Inputs = Sequence[TensorSpec]
Ask = Callable[[Inputs], Shapes]
"""The shapes that the task supplies for open inputs."""


def asking(task: Task, name: str, dataset: Dataset) -> Ask:
    """A function that returns the task's shapes for open inputs; empty if the task supplies none."""

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
    purpose: Purpose,
) -> tuple[PreparedModel, SessionPool]:
    """Compile the model and load its sessions; they close with the stack.

    Raises:
        ModelError: ``open-shape`` or ``input-shapes``; or the model is damaged, or cannot be compiled.
        BackendError: ``shapes-ignored``: the sessions have other shapes; or the backend failed.
    """

    def attempt(requested: Shapes) -> tuple[PreparedModel, SessionPool]:
        own = ExitStack()
        try:
            ready = prepare(opened, batch, channel, watch, directory, requested, purpose)
            pool = SessionPool(ready, own)
            pool.load(all_of_them=purpose.parallel)
            _check(pool.sessions[0].inputs, requested, opened)
        except BaseException:
            own.close()
            raise
        stack.enter_context(own)
        return ready, pool

    return settled(opened.plan, ask, attempt)


def compile_only(opened: OpenedBackend, channel: Channel, watch: Watch, directory: Path) -> PreparedModel:
    """Compile the model.

    Raises:
        ModelError: As :func:`load`.
        BackendError: The backend failed.
    """
    plan = opened.plan
    purpose = Purpose(plan.scenario, plan.parallel, cores=usable_cores())
    return settled(
        plan,
        lambda inputs: {},
        lambda requested: prepare(opened, plan.batch, channel, watch, directory, requested, purpose),
    )


class _DifferentShapes(MobileError):
    """The sessions have other shapes than requested; with the inputs known, another attempt may succeed."""

    def __init__(self, inputs: Inputs, error: MobileError) -> None:
        super().__init__(error.code, error.summary, error.hint, error.exit_code)
        self.inputs = inputs


def settled(plan: CompilePlan, ask: Ask, attempt: Callable[[Shapes], T]) -> T:
    """The outcome of ``attempt`` with the plan's shapes, and with the task's once the inputs are known.

    Raises:
        ModelError: ``open-shape`` or ``input-shapes``.
    """
    planned = plan.input_shapes
    named: Shapes = {name: shape for name, shape in planned.items() if name != ONLY_INPUT}
    try:
        return attempt(named)
    except (OpenShapes, _DifferentShapes) as error:
        more = _shapes(error.inputs, planned, ask, plan.model.name)
        if more == named:
            raise
    return attempt(more)


def _shapes(inputs: Inputs, planned: Mapping[str, tuple[int, ...]], ask: Ask, model: str) -> Shapes:
    """The shapes of the plan by name, and the task's for what they leave open."""
    if ONLY_INPUT in planned:
        if len(inputs) != 1:
            names = ", ".join(spec.name for spec in inputs)
            summary = f"{model} has {len(inputs)} inputs, but input_shapes is a single shape without a name"
            raise ModelError("input-shapes", summary, f"use --set input_shapes.NAME=[...] with one of {names}")
        return {inputs[0].name: planned[ONLY_INPUT]}
    left = [spec for spec in inputs if spec.is_open and spec.name not in planned]
    supplied = ask(inputs) if left else {}
    return dict(planned) | {spec.name: tuple(supplied[spec.name]) for spec in left if spec.name in supplied}


def _check(inputs: Inputs, requested: Shapes, opened: OpenedBackend) -> None:
    """Check that the sessions have the requested shapes, regardless of the backend."""
    plan = opened.plan
    if any(spec.is_open for spec in inputs):
        raise OpenShapes(inputs, plan.model.name)
    there = {spec.name: spec for spec in inputs}
    for name, shape in requested.items():
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
