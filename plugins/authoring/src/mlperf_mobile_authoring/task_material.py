"""What the kit needs of a task, from its own settings: packaged data, its default model, and that model's outputs."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from mlperf_mobile.errors import MobileError
from mlperf_mobile.options import constructed, validated
from mlperf_mobile.registry import Registry
from mlperf_mobile.testing.kit import lacks

if TYPE_CHECKING:
    from mlperf_mobile.contracts import Dataset, Task, Tensors, TensorSpec
    from mlperf_mobile.plan import Plan
    from mlperf_mobile.worker.samples import EncodedSamples

MOST_SAMPLES = 2000
"""With more samples, the outputs of all of them take too long."""


class _Loaded(NamedTuple):
    dataset: Dataset
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    answers: list[Tensors]


class _Fault(NamedTuple):
    """What is wrong with the task or its data, which no other machine would mend."""

    text: str


class Material:
    """The parts of a task's default benchmark; loaded once, when a test first needs them.

    Args:
        registry: The installed plugins.
        task: The task's name.
        folder: A folder for compiled models.
        backend: The backend that runs the model; if empty, the one that a run would use.
    """

    def __init__(self, registry: Registry, task: str, folder: Path, backend: str = "") -> None:
        self._registry, self._task, self._folder, self._backend = registry, task, folder, backend

    def options(self) -> Any:
        """The task's options in its default benchmark, such as a model's tokenizer; None for a task without options.

        Where the benchmark cannot be planned, they are the defaults.
        """
        offer = self._registry.tasks[self._task]
        try:
            plan = self._plan
            return validated("task", offer, {} if isinstance(plan, str) else plan.task_options)
        except MobileError:
            return validated("task", offer, {})

    def dataset(self) -> Dataset:
        """The data set; skips the test if the model cannot be loaded here, and fails it if the task is broken."""
        return self._parts().dataset

    def inputs(self) -> tuple[TensorSpec, ...]:
        """The model's inputs; skips or fails the test as :meth:`dataset`."""
        return self._parts().inputs

    def outputs(self) -> tuple[TensorSpec, ...]:
        """The model's outputs; skips or fails the test as :meth:`dataset`."""
        return self._parts().outputs

    def answers(self) -> list[Tensors]:
        """The model's outputs for each sample; skips or fails the test as :meth:`dataset`."""
        return self._parts().answers

    def _parts(self) -> _Loaded:
        found = self._loaded
        if isinstance(found, str):
            lacks("model", found)
        if isinstance(found, _Fault):
            pytest.fail(found.text, pytrace=False)
        return found

    @cached_property
    def _loaded(self) -> _Loaded | _Fault | str:
        """The parts, or why they are not here, or what is wrong with them."""
        try:
            plan = self._plan
        except MobileError as error:
            return _text(error)
        if isinstance(plan, str):
            return plan
        with ExitStack() as stack:
            try:
                return self._load(plan, stack)
            except _NotHere as error:
                return _text(error.reason)
            except MobileError as error:
                return _Fault(_text(error))

    @cached_property
    def _plan(self) -> Plan | str:
        """The plan of the default benchmark, or what must be fetched for it."""
        from mlperf_mobile.config.document import Setting
        from mlperf_mobile.config.resolve import resolve
        from mlperf_mobile.config.selection import DEFAULT_SUITE, Request
        from mlperf_mobile.config.suites import suites

        quick = suites(self._registry).get(DEFAULT_SUITE)
        names = [name for name, each in quick.benchmarks.items() if each.task == self._task] if quick else []
        flags: dict[str, Setting] = {"tasks": Setting(names[:1] or [self._task], "verify-plugin")}
        if self._backend:
            flags["backend"] = Setting(self._backend, "--backend")
        if names:
            flags["suite"] = Setting(DEFAULT_SUITE, "verify-plugin")
        resolved = resolve(self._registry, Request(flags=flags))
        if resolved.missing:
            return f"{resolved.missing[0].url} must be fetched first"
        (plan,) = resolved.plans
        return plan

    def _load(self, plan: Plan, stack: ExitStack) -> _Loaded | str:
        """The parts; a session that is opened closes with the stack.

        Raises:
            _NotHere: The model cannot be loaded.
            MobileError: The task or its data are broken.
        """
        from mlperf_mobile.contracts import GeneratingTask
        from mlperf_mobile.opening import open_dataset, open_task
        from mlperf_mobile.worker import returned
        from mlperf_mobile.worker.blame import blame
        from mlperf_mobile.worker.samples import EncodedSamples

        dataset = open_dataset(self._registry, plan.dataset)
        if len(dataset) > MOST_SAMPLES:
            return f"the data set {plan.dataset.name} has {len(dataset)} samples, more than {MOST_SAMPLES}"
        with blame("task", self._task):
            task = open_task(self._registry, self._task, plan.task_options)
        generates = isinstance(task, GeneratingTask)
        session = self._session(plan, stack, tokens=generates)
        with blame("task", self._task):
            codec = returned.codec(self._task, task.bind(session.inputs, session.outputs))
        inputs = None if generates else session.inputs
        encoded = EncodedSamples(dataset, codec, inputs=inputs, data=plan.dataset.name, task=self._task)
        answers = [_answer(session, task, encoded, dataset, index) for index in range(len(dataset))]
        return _Loaded(dataset, session.inputs, session.outputs, answers)

    def _session(self, plan: Plan, stack: ExitStack, *, tokens: bool) -> Any:
        """The loaded model.

        Raises:
            _NotHere: The backend cannot load it on this machine.
        """
        from mlperf_mobile.contracts import CompileRequest

        offer = self._registry.backends[plan.backend]
        place = self._folder / self._task
        place.mkdir(parents=True)
        files = {name: file.path for name, file in plan.model.files.items()}
        request = CompileRequest(
            plan.model.path,
            plan.accelerator,
            1,
            place,
            plan.model.format,
            files=files,
            tokens=tokens,
        )
        try:
            backend: Any = constructed("backend", offer, plan.backend_options)
            return stack.enter_context(backend.load(replace(backend.compile(request), files=files)))
        except MobileError as error:
            raise _NotHere(error) from error


class _NotHere(Exception):
    """A model cannot be loaded on this machine."""

    def __init__(self, reason: MobileError) -> None:
        super().__init__(reason.summary)
        self.reason = reason


def _text(error: MobileError) -> str:
    return f"{error.summary}; {error.hint}" if error.hint else error.summary


def _answer(session: Any, task: Task, encoded: EncodedSamples, dataset: Dataset, index: int) -> Tensors:
    """The model's outputs for a sample, or the ids of its answer."""
    from mlperf_mobile.contracts import GeneratingTask, TextSession, TextTask
    from mlperf_mobile.terms import Mode

    if not isinstance(task, GeneratingTask):
        return tuple(tensor.copy() for tensor in session.run(encoded[index]))
    how = task.generation(Mode.ACCURACY)
    if isinstance(session, TextSession) and isinstance(task, TextTask):
        text = task.prompt_text(dataset.sample(index))
        return (task.answer_ids(session.generate_text(text, how, lambda piece: None).text),)
    (prompt,) = encoded[index]
    return (session.generate(prompt, how, lambda: None),)
