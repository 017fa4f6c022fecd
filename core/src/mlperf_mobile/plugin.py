"""What a plugin module imports at its top: the offers and hooks, which need only the stdlib and pluggy.

``plugin.py`` of every distribution imports this module and nothing heavier, so that listing what is
installed never imports numpy, pydantic or a vendor SDK.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

import pluggy

from mlperf_mobile.hook_specs import PROJECT, HookSpecs
from mlperf_mobile.needs import Need
from mlperf_mobile.records import EnvFact, Record, Ref, Remark, record

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from pathlib import Path

    from mlperf_mobile.campaigns.campaign import Campaign
    from mlperf_mobile.contracts import (
        Backend,
        Baseline,
        Dataset,
        ObservedPart,
        Observer,
        Scenario,
        ScenarioPart,
        Task,
        TensorSpec,
        Transport,
    )
    from mlperf_mobile.plan import Plan
    from mlperf_mobile.registry import Registry

__all__ = [
    "HOOK_API",
    "BackendInfo",
    "Capability",
    "CommandInfo",
    "DatasetInfo",
    "EnvFact",
    "ExecutorInfo",
    "HookSpecs",
    "Need",
    "ObserverInfo",
    "Ref",
    "Remark",
    "RunnerInfo",
    "ScenarioInfo",
    "SuitesInfo",
    "TaskInfo",
    "TransportInfo",
    "hookimpl",
]

HOOK_API = (2, 4)
"""(major, minor): the major number changes with the meaning of a hook or contract, the minor when one is added."""

hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks a function of the plugin's module as a hook: ``@hookimpl``."""


class Capability(StrEnum):
    """What a backend declares that it can do; the conformance kit tests each of them."""

    BATCH = "batch"
    """Sessions compiled for ``batch > 1`` are :class:`mlperf_mobile.contracts.BatchSession`."""
    QUANTIZED = "quantized"
    """Runs models with uint8 or int8 tensors and reports their scale and zero point."""
    TOKEN_STREAM = "token-stream"  # noqa: S105  a capability, not a secret
    """Sessions loaded for ``CompileRequest.tokens`` are :class:`mlperf_mobile.contracts.TokenSession`."""
    TEXT_STREAM = "text-stream"
    """Sessions loaded for ``CompileRequest.tokens`` are :class:`mlperf_mobile.contracts.TextSession`, unless
    ``TOKEN_STREAM`` is declared as well."""
    PURPOSE = "purpose"
    """Compiles differently for latency and for throughput: :attr:`mlperf_mobile.contracts.CompileRequest.purpose`."""


@record
class BackendInfo(Record):
    """One inference backend."""

    name: str
    """As in ``--backend NAME``: lower case, with the vendor in it."""
    summary: str
    """What it is, in a few words for listings."""
    vendor: str
    """Who makes the runtime or the accelerator."""
    backend: Ref[type[Backend]]
    """Its class, a :class:`mlperf_mobile.contracts.Backend`."""
    accelerators: tuple[str, ...] = ("cpu",)
    """The accelerators it supports, the default first; ``Backend.probe`` reports which are present."""
    model_formats: tuple[str, ...]
    """Model file formats, as suffixes without the dot, or as whole file names: ``("tflite", "acme_model.json")``."""
    capabilities: frozenset[Capability] = frozenset()
    """What it can do in addition to running one sample after another."""
    needs: tuple[Need, ...] = ()
    """What must be present; a run that lacks one of them is refused with its remedy."""
    options: Ref[type[object]] | None = None
    """The pydantic model of the backend's own options; loaded when a run names the backend."""
    tensors: Ref[Callable[[Path], tuple[Sequence[TensorSpec], Sequence[TensorSpec]] | None]] | None = None
    """A function that reads the inputs and outputs of a model file without the runtime, so that ``--dry-run`` says what
    cannot work. It returns None where only the runtime knows them, and raises ``ModelError`` for a damaged file."""
    hook_api: tuple[int, int]
    """The hook API that it was written for, as in :data:`HOOK_API`."""


@record
class TaskInfo(Record):
    """One benchmark task."""

    name: str
    """As in ``mlperf-mobile run NAME``."""
    summary: str
    """What it is, in a few words for listings."""
    task: Ref[type[Task]]
    """Its class, a :class:`mlperf_mobile.contracts.Task`."""
    settings: str
    """The task's YAML, as ``"package:resource"``: default model and data set, known models, quality."""
    options: Ref[type[object]] | None = None
    """The pydantic model of the task's own options."""
    has_metric: bool = True
    """False for a task that measures speed only: it runs in mode ``performance``."""
    for_any_model: bool = False
    """Whether it runs model files if the user names no task; only one installed task may do so."""
    hook_api: tuple[int, int]
    """The hook API that it was written for, as in :data:`HOOK_API`."""


@record
class DatasetInfo(Record):
    """One data set, and the tasks that can use it."""

    name: str
    """As in ``--dataset NAME``."""
    summary: str
    """What it is, in a few words for listings."""
    dataset: Ref[type[Dataset]]
    """Its class, a :class:`mlperf_mobile.contracts.Dataset`."""
    tasks: tuple[str, ...]
    """The names of the tasks that can use it."""
    needs_path: bool = True
    """False when the data comes with the distribution."""
    options: Ref[type[object]] | None = None
    """The pydantic model of the data set's own options."""
    hook_api: tuple[int, int]
    """The hook API that it was written for, as in :data:`HOOK_API`."""


@record
class ScenarioInfo(Record):
    """One way of issuing queries."""

    name: str
    """As in ``--scenario NAME``."""
    summary: str
    """What it is, in a few words for listings."""
    scenario: Ref[type[Scenario]]
    """Its class, a :class:`mlperf_mobile.contracts.Scenario`."""
    settings: str
    """The scenario's YAML, as ``"package:resource"``: the counts and durations of each set of run rules."""
    options: Ref[type[object]] | None = None
    """The pydantic model of the scenario's own options."""
    ignores: tuple[str, ...] = ()
    """Settings without effect: ``("percentile",)``. A user who sets one gets an error; those that follow from
    ``Scenario.parallel`` need not be listed."""
    tokens: bool = False
    """Whether it is for tasks of language models only."""
    part: Ref[type[ScenarioPart]] | None = None
    """The part it adds to a result, for what only this scenario measures."""
    hook_api: tuple[int, int]
    """The hook API that it was written for, as in :data:`HOOK_API`."""


@record
class SuitesInfo(Record):
    """A file that lists benchmarks of suites, and what the benchmarks of a suite have in common.

    Several distributions may contribute benchmarks to the same suite.
    """

    settings: str
    """The YAML file as ``"package:resource"``; read only when suites are listed or run."""
    hook_api: tuple[int, int]
    """The hook API that it was written for, as in :data:`HOOK_API`."""

    @property
    def name(self) -> str:
        """The file, which must be unique."""
        return self.settings.replace(":", "/", 1)


@record
class CommandInfo(Record):
    """One command of ``mlperf-mobile``."""

    name: str
    """As in ``mlperf-mobile NAME``; not the name of a core command."""
    summary: str
    """What it does, for the help."""
    command: Ref[Callable[[ArgumentParser], None]]
    """A function that adds the command's arguments to its parser and sets the default ``handler``: a function that
    receives the parsed arguments and returns the exit code."""
    group: str
    """The heading under which the help lists it: ``"measure"``, ``"results"``, ``"models and data"``,
    ``"installed plugins"``, or a new one."""
    hook_api: tuple[int, int]
    """The hook API that it was written for, as in :data:`HOOK_API`."""


@record
class ObserverInfo(Record):
    """Something that watches the device during a run: telemetry, a power meter, a profiler."""

    name: str
    """Also the key of its part in ``observers`` of a result."""
    summary: str
    """What it records, in a few words."""
    observer: Ref[type[Observer]]
    """The observer, which runs in a separate thread of the worker."""
    part: Ref[type[ObservedPart]]
    """The part it adds to a result, read back from its file."""
    file: str
    """The file that it writes in the run's folder: ``"telemetry.jsonl"``."""
    baseline: Ref[Callable[[], Baseline]] | None = None
    """The current state of the device; a cool-down ends when it is back at the state before the first run."""
    options: Ref[type[object]] | None = None
    """The pydantic model of its options, which users set as ``observer_options.NAME.OPTION``."""
    hook_api: tuple[int, int]
    """The hook API that it was written for, as in :data:`HOOK_API`."""


@record
class TransportInfo(Record):
    """One way to reach devices other than this machine; its name precedes the colon of ``ssh:board``."""

    name: str
    """The kind of address: ``"ssh"``."""
    summary: str
    """Which devices it reaches."""
    transport: Ref[type[Transport]]
    """Its class, a :class:`mlperf_mobile.contracts.Transport`."""
    runner: str
    """The runner that is used on its devices by default."""
    needs: tuple[Need, ...] = ()
    """What must be present on this machine."""
    hook_api: tuple[int, int]
    """The hook API that it was written for, as in :data:`HOOK_API`."""


@record
class RunnerInfo(Record):
    """A program that executes runs, on this machine or on a device, in place of the core's worker (``python``).

    Its driver runs on this machine and is started as the worker is: ``python -m DRIVER --events-fd N --directory DIR
    --parent PID``, with the plan as one JSON line on standard input, which stays open for ``cancel``. It writes
    events to the descriptor, and the run's logs and latencies to the folder. With ``--attach``, the run was started on
    its device by an earlier process: the driver follows it, and reports its events from the first one on.
    """

    name: str
    """As in ``--runner NAME``."""
    summary: str
    """What it is, in a few words."""
    driver: str
    """The module of the driver: ``"acme.driver"``."""
    places: tuple[str, ...]
    """Where it can run: ``"local"``, the names of transports, or ``"*"`` for every transport."""
    hook_api: tuple[int, int]
    """The hook API that it was written for, as in :data:`HOOK_API`."""
    check: Ref[Callable[[Plan, Registry], object]] | None = None
    """For ``--dry-run``: raises a :class:`MobileError` if the runner cannot execute a plan. It looks at the plan and at
    plugins only; model and data need not exist."""


@record
class ExecutorInfo(Record):
    """Something that executes campaigns of ``mlperf-mobile run --NAME ADDRESS`` elsewhere, on devices that it chooses.

    Device and runner of the planned runs are :data:`mlperf_mobile.plan.CHOSEN_LATER`.
    """

    name: str
    """The flag of ``run`` that chooses it: ``"farm"`` for ``--farm``."""
    summary: str
    """What it is, for the help."""
    arguments: Ref[Callable[[ArgumentParser], None]]
    """Adds further flags to every ``run``; imports nothing heavy."""
    execute: Ref[Callable[[str, Namespace, Campaign | None], int]]
    """Executes a campaign, or resumes that of ``--resume``; shows the results and returns the exit code."""
    hook_api: tuple[int, int]
    """The hook API that it was written for, as in :data:`HOOK_API`."""
