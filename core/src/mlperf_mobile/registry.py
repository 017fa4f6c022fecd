"""Finds plugins, gathers their offers, and keeps a reason for everything it leaves out."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from functools import cache, cached_property, partial
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar, cast

import pluggy

from mlperf_mobile.errors import described
from mlperf_mobile.hook_manager import HookManager
from mlperf_mobile.hook_specs import PROJECT
from mlperf_mobile.installed import EntryPoint, entry_points
from mlperf_mobile.offer_fields import Info, check_fields, misnamed, wrong_api
from mlperf_mobile.patience import limited
from mlperf_mobile.plugin import (
    BackendInfo,
    CommandInfo,
    DatasetInfo,
    EnvFact,
    ExecutorInfo,
    HookSpecs,
    ObserverInfo,
    Remark,
    RunnerInfo,
    ScenarioInfo,
    SuitesInfo,
    TaskInfo,
    TransportInfo,
)
from mlperf_mobile.problems import CORE, LONGEST, Problem, Source, duplicate, import_problem
from mlperf_mobile.staying import kept_alive

if TYPE_CHECKING:
    from mlperf_mobile.results.model import Result

Plain = str | int | float | bool
_ENTRY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


InfoT = TypeVar("InfoT", bound=Info)
ItemT = TypeVar("ItemT")


class Offer(NamedTuple, Generic[InfoT]):
    """An offered record and its source."""

    info: InfoT
    source: Source


class Registry:
    """What the installed plugins offer.

    Args:
        found: Entry points to admit; those of the installed distributions by default.
        blocked: Names of entry points to leave alone, besides those in ``MLPERF_MOBILE_BLOCK``.
    """

    def __init__(self, found: Iterable[EntryPoint] | None = None, blocked: Iterable[str] = ()) -> None:
        self._problems: list[Problem] = []
        self.failed_extras: list[Problem] = []
        """The problems of plugins that the last :meth:`environment` or :meth:`remarks` lacks."""
        self._sources: dict[str, Source] = {}
        self._blocked = {*blocked, *os.environ.get("MLPERF_MOBILE_BLOCK", "").split(",")} - {""}
        self._manager = HookManager(PROJECT)
        self._manager.add_hookspecs(HookSpecs)
        candidates = entry_points(PROJECT) if found is None else found
        for entry in sorted(candidates, key=lambda e: (e.name, e.dist.name)):
            if entry.name not in self._blocked:
                self._admit(entry)

    @cached_property
    def backends(self) -> Mapping[str, Offer[BackendInfo]]:
        return self._gather("backend", self._manager.hook.mlperf_mobile_backends, BackendInfo)

    @cached_property
    def tasks(self) -> Mapping[str, Offer[TaskInfo]]:
        return self._gather("task", self._manager.hook.mlperf_mobile_tasks, TaskInfo)

    @cached_property
    def datasets(self) -> Mapping[str, Offer[DatasetInfo]]:
        return self._gather("data set", self._manager.hook.mlperf_mobile_datasets, DatasetInfo)

    @cached_property
    def scenarios(self) -> Mapping[str, Offer[ScenarioInfo]]:
        return self._gather("scenario", self._manager.hook.mlperf_mobile_scenarios, ScenarioInfo)

    @cached_property
    def suites(self) -> Mapping[str, Offer[SuitesInfo]]:
        return self._gather("suites file", self._manager.hook.mlperf_mobile_suites, SuitesInfo)

    @cached_property
    def commands(self) -> Mapping[str, Offer[CommandInfo]]:
        return self._gather("command", self._manager.hook.mlperf_mobile_commands, CommandInfo)

    @cached_property
    def observers(self) -> Mapping[str, Offer[ObserverInfo]]:
        return self._gather("observer", self._manager.hook.mlperf_mobile_observers, ObserverInfo)

    @cached_property
    def transports(self) -> Mapping[str, Offer[TransportInfo]]:
        return self._gather("transport", self._manager.hook.mlperf_mobile_transports, TransportInfo)

    @cached_property
    def runners(self) -> Mapping[str, Offer[RunnerInfo]]:
        return self._gather("runner", self._manager.hook.mlperf_mobile_runners, RunnerInfo)

    @cached_property
    def executors(self) -> Mapping[str, Offer[ExecutorInfo]]:
        return self._gather("executor", self._manager.hook.mlperf_mobile_executors, ExecutorInfo)

    @property
    def problems(self) -> list[Problem]:
        """Everything left out, of every kind of offer; once, even if a hook was called several times."""
        _ = (
            self.backends, self.tasks, self.datasets, self.scenarios, self.suites, self.commands, self.observers,
            self.transports, self.runners, self.executors,
        )  # fmt: skip
        return list({problem.line(): problem for problem in self._problems}.values())

    @property
    def plugins(self) -> list[tuple[Source, list[str]]]:
        """Every admitted plugin, with the names of the hooks it implements."""
        found = []
        for name, source in self._sources.items():
            callers = self._manager.get_hookcallers(self._manager.get_plugin(name)) or []
            found.append((source, sorted(caller.name for caller in callers)))
        return found

    def module(self, source: Source) -> str:
        """The module of an admitted plugin."""
        return getattr(self._manager.get_plugin(f"{source.distribution}:{source.plugin}"), "__name__", "")

    def environment(self, backend: str) -> dict[str, Plain]:
        """The facts that plugins add to a result of ``backend``."""
        facts = self._call_each(self._manager.hook.mlperf_mobile_environment, EnvFact, backend=backend)
        return {str(each.key): each.value if isinstance(each.value, Plain) else str(each.value) for each in facts}

    def remarks(self, result: Result) -> list[Remark]:
        """The remarks of all plugins about a result."""
        return self._call_each(self._manager.hook.mlperf_mobile_remarks, Remark, result=result.model_copy(deep=True))

    def _call_each(self, hook: pluggy.HookCaller, item_type: type[ItemT], **given: object) -> list[ItemT]:
        """What each plugin's hook returns; it gets those of the arguments that its signature names."""
        before, found = len(self._problems), list[ItemT]()
        for impl in hook.get_hookimpls():
            arguments = {name: value for name, value in given.items() if name in impl.argnames}
            found += self._call(partial(impl.function, **arguments), self._sources[impl.plugin_name], item_type)
        self.failed_extras = self._problems[before:]
        return found

    def _admit(self, entry: EntryPoint) -> None:
        source = Source(entry.name, entry.dist.name, entry.dist.version)
        if not _ENTRY.fullmatch(entry.name):
            reason = f"its entry point is called {entry.name!r:.60}, which is not letters, digits, '.', '_' and '-'"
            self.leave_out("bad-name", source, reason, f"report it to its author, or uninstall {source.distribution}")
            return
        name = f"{source.distribution}:{entry.name}"
        try:
            with _foreign("the import", source):
                module = entry.load()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001  a plugin may raise anything while it is imported
            self.report(import_problem(source, entry.value, error))
            return
        twin = self._manager.get_name(module) or (name if self._manager.has_plugin(name) else None)
        if twin:
            reason = (
                f"its entry points {twin.rpartition(':')[2]!r} and {entry.name!r} are the same, and the first is used"
            )
            self.leave_out("duplicate", source, reason, "report it to its author: one entry point for each module")
            return
        try:
            self._manager.register(module, name=name)
            self._manager.check_pending()
        except pluggy.PluginValidationError as error:
            self._manager.unregister(name=name)
            marked = [each for each in dir(module) if self._manager.parse_hookimpl_opts(module, each) is not None]
            known = all(hasattr(HookSpecs, each) for each in marked)
            self.failed("hook-signature" if known else "unknown-hook", source, error)
            return
        except Exception as error:  # noqa: BLE001  registering reads every attribute of a foreign object
            self.failed("import-failed", source, error)
            return
        self._sources[name] = source
        if not self._manager.get_hookcallers(module):
            reason = f"its entry point {entry.name} = {entry.value!r} has no function that @hookimpl marks"
            self.leave_out("no-hooks", source, reason, "name the module that has its hooks")

    def _gather(self, kind: str, hook: pluggy.HookCaller, info_type: type[InfoT]) -> dict[str, Offer[InfoT]]:
        offers: dict[str, list[Offer[InfoT]]] = {}
        for impl in hook.get_hookimpls():
            source = self._sources[impl.plugin_name]
            for info in self._call(impl.function, source, info_type):
                if self._is_compatible(kind, info, source):
                    offers.setdefault(info.name, []).append(Offer(info, source))
        if kind == "command":
            offers = {name: self._core_first(name, rivals) for name, rivals in offers.items()}
        for name, rivals in offers.items():
            if len(rivals) > 1:
                self.report(duplicate(kind, name, [rival.source for rival in rivals]))
        return {name: rivals[0] for name, rivals in sorted(offers.items()) if len(rivals) == 1}

    def _core_first(self, name: str, rivals: list[Offer[InfoT]]) -> list[Offer[InfoT]]:
        """The core's command of a name if it has one, because the parser uses that; else all of them."""
        core = [each for each in rivals if each.source.distribution == CORE]
        for each in rivals if core else ():
            if each not in core:
                reason = f"the command {name!r} is one of the core's, which is used"
                self.leave_out("duplicate", each.source, reason, each.source.remedy, ("command", name))
        return core or rivals

    def _call(self, hook: Callable[..., object], source: Source, item_type: type[ItemT]) -> list[ItemT]:
        """Call one plugin's hook; one wrong item discards all that it returns."""
        name = getattr(hook.func if isinstance(hook, partial) else hook, "__name__", "a hook")
        try:
            with _foreign(name, source):
                items = list(cast("Iterable[object]", hook()))
            for item in items:
                if not isinstance(item, item_type):
                    raise TypeError(f"expected {item_type.__name__}, got {item!r:.100}")
                check_fields(item)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001  one vendor's bug leaves the others listed
            self.failed("hook-failed", source, error, f"{name}: ")
            return []
        return cast("list[ItemT]", items)

    def _is_compatible(self, kind: str, info: Info, source: Source) -> bool:
        """Whether the offer's name and hook API can be used."""
        wrong = wrong_api(kind, info, source) or misnamed(kind, info.name, source)
        if wrong:
            self.leave_out(wrong.code, source, wrong.reason, wrong.fix, (kind, info.name))
        return wrong is None

    def leave_out(
        self,
        code: str,
        source: Source,
        reason: str,
        fix: str,
        offer: tuple[str, str] | None = None,
        error: BaseException | None = None,
    ) -> None:
        """Record why something is not offered; ``offer`` is its kind and name, ``error`` what it raised."""
        self.report(Problem(code, source, reason, fix, offer, error))

    def report(self, problem: Problem) -> None:
        """Record a problem."""
        self._problems.append(problem)

    def failed(self, code: str, source: Source, error: BaseException, where: str = "") -> None:
        """Record what a plugin raised, and ``where``."""
        self.leave_out(code, source, f"{where}{described(error)[:LONGEST]}", source.remedy, error=error)


@contextmanager
def _foreign(what: str, source: Source) -> Iterator[None]:
    """Run a plugin's code, which may neither print, nor take too long, nor end the process."""
    remedy = f"MLPERF_MOBILE_BLOCK={source.plugin} leaves it out"
    with redirect_stdout(sys.stderr), limited(f"{what} of plugin {source.plugin} ({source})", remedy), kept_alive():
        yield


@cache
def installed_plugins() -> Registry:
    """The registry that the parts of a command share, because reading what is installed takes a while."""
    return Registry()
