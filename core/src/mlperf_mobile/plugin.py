"""What a plugin module imports at its top: the offers and hooks, which need only the stdlib and pluggy.

``plugin.py`` of every distribution imports this module and nothing heavier, so that listing what is
installed never imports numpy, pydantic or a vendor SDK.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Generic, TypeVar, cast

import pluggy

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from mlperf_mobile.contracts import Backend, Baseline, Dataset, ObservedPart, Observer, Scenario, Task
    from mlperf_mobile.results.model import Result

__all__ = [
    "HOOK_API",
    "BackendInfo",
    "Capability",
    "CommandInfo",
    "DatasetInfo",
    "EnvFact",
    "HookSpecs",
    "Need",
    "Ref",
    "Remark",
    "ScenarioInfo",
    "SuitesInfo",
    "TaskInfo",
    "hookimpl",
]

PROJECT = "mlperf_mobile"
"""The entry-point group, and the prefix of every hook."""

HOOK_API = (2, 0)
"""(major, minor): the major number changes with the meaning of a hook or contract, the minor when one is added."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Ref(Generic[T_co]):
    """A promise of an object, ``"package.module:attribute"``, imported by :meth:`load` and not before."""

    path: str

    def load(self) -> T_co:
        """Import and return the object.

        Raises:
            ImportError: The module cannot be imported.
            AttributeError: The module has no such attribute.
        """
        from importlib import import_module

        module, _, attribute = self.path.partition(":")
        return cast("T_co", getattr(import_module(module), attribute))


class Capability(StrEnum):
    """What a backend declares that it can do; the conformance kit tests each of them."""

    BATCH = "batch"
    """Sessions compiled for ``batch > 1`` are :class:`mlperf_mobile.contracts.BatchSession`."""
    QUANTIZED = "quantized"
    """Runs models with uint8 or int8 tensors and reports their scale and zero point."""
    TOKEN_STREAM = "token-stream"  # noqa: S105  a capability, not a secret
    """Sessions are :class:`mlperf_mobile.contracts.TokenSession`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Something a plugin cannot work without; met when any one of the listed things is present or given.

    The check (:mod:`mlperf_mobile.needs`) imports nothing.
    """

    what: str
    """In the user's words: ``"a TensorFlow Lite runtime"``."""
    fix: str
    """What to do when it is missing: a command, or where to get it."""
    modules: tuple[str, ...] = ()
    """Top-level Python modules."""
    libraries: tuple[str, ...] = ()
    """Shared libraries, by the file name that the dynamic loader would look for."""
    programs: tuple[str, ...] = ()
    """Programs on ``PATH``."""
    platforms: tuple[str, ...] = ()
    """``sys.platform`` values, optionally with a machine: ``"linux"``, ``"linux-aarch64"``."""
    options: tuple[str, ...] = ()
    """Options of a backend that locate it if it is not found automatically: ``"library"``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendInfo:
    """One inference backend, as its distribution offers it."""

    name: str
    summary: str
    vendor: str
    backend: Ref[type[Backend]]
    accelerators: tuple[str, ...] = ("cpu",)
    """The accelerators it supports, the default first; ``Backend.probe`` reports which are present."""
    model_formats: tuple[str, ...]
    """Model file formats, as suffixes without the dot: ``("tflite",)``."""
    capabilities: frozenset[Capability] = frozenset()
    needs: tuple[Need, ...] = ()
    options: Ref[type[object]] | None = None
    """The pydantic model of the backend's own options; loaded when a run names the backend."""
    hook_api: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskInfo:
    """One benchmark task."""

    name: str
    summary: str
    task: Ref[type[Task]]
    settings: str
    """The task's YAML, as ``"package:resource"``: default model and data set, known models, quality."""
    options: Ref[type[object]] | None = None
    hook_api: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetInfo:
    """One data set, and the tasks that can use it."""

    name: str
    summary: str
    dataset: Ref[type[Dataset]]
    tasks: tuple[str, ...]
    needs_path: bool = True
    """False when the data comes with the distribution."""
    options: Ref[type[object]] | None = None
    hook_api: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioInfo:
    """One way of issuing queries."""

    name: str
    summary: str
    scenario: Ref[type[Scenario]]
    settings: str
    """The scenario's YAML, as ``"package:resource"``: the counts and durations of each set of run rules."""
    options: Ref[type[object]] | None = None
    ignores: tuple[str, ...] = ()
    """Settings without effect: ``("percentile",)``. A user who sets one gets an error; those that follow from
    ``Scenario.parallel`` need not be listed."""
    hook_api: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class SuitesInfo:
    """A file that lists benchmarks of suites, and what the benchmarks of a suite have in common.

    Several distributions may contribute benchmarks to the same suite.
    """

    settings: str
    """The YAML file as ``"package:resource"``; read only when suites are listed or run."""
    hook_api: tuple[int, int]

    @property
    def name(self) -> str:
        """The file, which must be unique."""
        return self.settings.replace(":", "/", 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandInfo:
    """One command of ``mlperf-mobile``."""

    name: str
    summary: str
    """One line for ``mlperf-mobile --help``, which imports no command."""
    command: Ref[Callable[[ArgumentParser], None]]
    """A function that adds the command's arguments to its parser and sets the default ``handler``: a function that
    receives the parsed arguments and returns the exit code."""
    group: str
    """The heading under which the help lists it: ``"measure"``, ``"results"``, ``"models and data"``,
    ``"installed plugins"``, or a new one."""
    hook_api: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserverInfo:
    """Something that watches the device during a run: telemetry, a power meter, a profiler."""

    name: str
    """Also the key of its part in ``observers`` of a result."""
    summary: str
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


@dataclass(frozen=True, slots=True)
class Remark:
    """One line that a plugin adds to a displayed result: ``Remark("stands", "3rd of 11 published results")``.

    An ``alarm`` is displayed so that it is not overlooked.
    """

    label: str
    text: str
    alarm: bool = False


@dataclass(frozen=True, slots=True)
class EnvFact:
    """One fact about the machine, written into every result: ``EnvFact("snpe.version", "2.21")``."""

    key: str
    value: str | int | float | bool


class HookSpecs:
    """Every hook. Each plugin is called separately; no hook is called in the timed region."""

    @hookspec
    def mlperf_mobile_backends(self) -> Iterable[BackendInfo]:
        """Offer inference backends."""
        return ()

    @hookspec
    def mlperf_mobile_tasks(self) -> Iterable[TaskInfo]:
        """Offer benchmark tasks."""
        return ()

    @hookspec
    def mlperf_mobile_datasets(self) -> Iterable[DatasetInfo]:
        """Offer data sets."""
        return ()

    @hookspec
    def mlperf_mobile_scenarios(self) -> Iterable[ScenarioInfo]:
        """Offer load scenarios."""
        return ()

    @hookspec
    def mlperf_mobile_suites(self) -> Iterable[SuitesInfo]:
        """Offer files that list suites and their benchmarks."""
        return ()

    @hookspec
    def mlperf_mobile_environment(self, backend: str) -> Iterable[EnvFact]:
        """Add facts about driver, SDK or device to a result that ``backend`` is about to measure."""
        return ()

    @hookspec
    def mlperf_mobile_commands(self) -> Iterable[CommandInfo]:
        """Offer commands of ``mlperf-mobile``."""
        return ()

    @hookspec
    def mlperf_mobile_observers(self) -> Iterable[ObserverInfo]:
        """Offer observers, which watch every run."""
        return ()

    @hookspec
    def mlperf_mobile_remarks(self, result: Result) -> Iterable[Remark]:
        """Add remarks to a displayed result; its verdict and its files do not change."""
        return ()
