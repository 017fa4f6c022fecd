"""Finds plugins, gathers their offers, and keeps a reason for everything it leaves out."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import cached_property, partial
from types import FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, cast

import pluggy

from mlperf_mobile.errors import described
from mlperf_mobile.installed import EntryPoint, entry_points
from mlperf_mobile.offer_fields import check_fields
from mlperf_mobile.plugin import (
    HOOK_API,
    PROJECT,
    BackendInfo,
    CommandInfo,
    DatasetInfo,
    EnvFact,
    HookSpecs,
    ObserverInfo,
    Remark,
    ScenarioInfo,
    SuitesInfo,
    TaskInfo,
)

if TYPE_CHECKING:
    from mlperf_mobile.results.model import Result

Plain = str | int | float | bool
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")


class Info(Protocol):
    """The fields that every offered record has."""

    @property
    def name(self) -> str: ...
    @property
    def hook_api(self) -> tuple[int, int]: ...


InfoT = TypeVar("InfoT", bound=Info)
ItemT = TypeVar("ItemT")


@dataclass(frozen=True, slots=True)
class Source:
    """Where an offer comes from: the entry point, and the distribution that declares it."""

    plugin: str
    distribution: str
    version: str

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}"


@dataclass(frozen=True, slots=True)
class Offer(Generic[InfoT]):
    """An offered record and its source."""

    info: InfoT
    source: Source


@dataclass(frozen=True, slots=True)
class Problem:
    """Why something installed is not offered, and how to fix it."""

    code: str
    source: Source
    reason: str
    fix: str
    offer: tuple[str, str] | None = None
    """Kind and name of the offer that is left out; None if the plugin failed, and its offers are unknown."""

    def record(self) -> dict[str, str]:
        """The problem as an item of ``--json`` output."""
        return {"code": self.code, "source": str(self.source), "reason": self.reason, "fix": self.fix}

    def line(self) -> str:
        """The problem as one line of text."""
        return f"problem[{self.code}] {self.source}: {self.reason}; {self.fix}"


class _Manager(pluggy.PluginManager):
    """Looks for hooks only among a module's functions, because pluggy needs 20 µs for every attribute."""

    def parse_hookimpl_opts(self, plugin: object, name: str) -> Any:
        if type(plugin) is ModuleType and not isinstance(vars(plugin).get(name), _HOOKABLE):
            return None
        return super().parse_hookimpl_opts(plugin, name)


_HOOKABLE = (FunctionType, MethodType, staticmethod, classmethod)


class Registry:
    """What the installed plugins offer.

    Args:
        found: Entry points to admit; those of the installed distributions by default.
        blocked: Names of entry points to leave alone, besides those in ``MLPERF_MOBILE_BLOCK``.
    """

    def __init__(self, found: Iterable[EntryPoint] | None = None, blocked: Iterable[str] = ()) -> None:
        self._problems: list[Problem] = []
        self._sources: dict[str, Source] = {}
        self._blocked = {*blocked, *os.environ.get("MLPERF_MOBILE_BLOCK", "").split(",")} - {""}
        self._manager = _Manager(PROJECT)
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

    @property
    def problems(self) -> list[Problem]:
        """Everything left out, of every kind of offer."""
        _ = (
            self.backends, self.tasks, self.datasets, self.scenarios, self.suites, self.commands, self.observers,
        )  # fmt: skip
        return self._problems

    @property
    def plugins(self) -> list[tuple[Source, list[str]]]:
        """Every admitted plugin, with the names of the hooks it implements."""
        found = []
        for name, source in self._sources.items():
            callers = self._manager.get_hookcallers(self._manager.get_plugin(name)) or []
            found.append((source, sorted(caller.name for caller in callers)))
        return found

    def environment(self, backend: str) -> dict[str, Plain]:
        """The facts that plugins add to a result of ``backend``; a plugin that fails adds its failure."""
        found = self._call_each(self._manager.hook.mlperf_mobile_environment, EnvFact, backend=backend)
        return {
            str(fact.key): fact.value if isinstance(fact.value, Plain) else str(fact.value)
            for facts in found
            for fact in facts
        }

    def remarks(self, result: Result) -> list[Remark]:
        """The remarks of all plugins about a result."""
        return [
            each
            for remarks in self._call_each(
                self._manager.hook.mlperf_mobile_remarks, Remark, result=result.model_copy(deep=True)
            )
            for each in remarks
        ]

    def _call_each(self, hook: pluggy.HookCaller, item_type: type[ItemT], **given: object) -> Iterable[list[ItemT]]:
        """What each plugin's hook returns; it gets those of the arguments that its signature names."""
        for impl in hook.get_hookimpls():
            arguments = {name: value for name, value in given.items() if name in impl.argnames}
            yield self._call(partial(impl.function, **arguments), self._sources[impl.plugin_name], item_type)

    def _admit(self, entry: EntryPoint) -> None:
        source = Source(entry.name, entry.dist.name, entry.dist.version)
        block = f"update or uninstall it, or set MLPERF_MOBILE_BLOCK={entry.name}"
        name = f"{source.distribution}:{entry.name}"
        try:
            with redirect_stdout(sys.stderr):
                module = entry.load()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001  a plugin may raise anything while it is imported
            self.leave_out("import-failed", source, described(error)[:300], block)
            return
        try:
            self._manager.register(module, name=name)
            self._manager.check_pending()
        except pluggy.PluginValidationError as error:
            self._manager.unregister(name=name)
            marked = [each for each in dir(module) if self._manager.parse_hookimpl_opts(module, each) is not None]
            known = all(hasattr(HookSpecs, each) for each in marked)
            self.leave_out("hook-signature" if known else "unknown-hook", source, described(error)[:300], block)
            return
        except Exception as error:  # noqa: BLE001  registering reads every attribute of a foreign object
            self.leave_out("import-failed", source, described(error)[:300], block)
            return
        self._sources[name] = source

    def _gather(self, kind: str, hook: pluggy.HookCaller, info_type: type[InfoT]) -> dict[str, Offer[InfoT]]:
        offers: dict[str, list[Offer[InfoT]]] = {}
        for impl in hook.get_hookimpls():
            source = self._sources[impl.plugin_name]
            for info in self._call(impl.function, source, info_type):
                if self._is_compatible(kind, info, source):
                    offers.setdefault(info.name, []).append(Offer(info, source))
        for name, rivals in offers.items():
            if len(rivals) > 1:
                self.leave_out_rivals(kind, name, [rival.source for rival in rivals])
        return {name: rivals[0] for name, rivals in sorted(offers.items()) if len(rivals) == 1}

    def _call(self, hook: Callable[..., object], source: Source, item_type: type[ItemT]) -> list[ItemT]:
        """Call one plugin's hook; one wrong item discards all that it returns."""
        try:
            with redirect_stdout(sys.stderr):
                items = list(cast("Iterable[object]", hook()))
            for item in items:
                if not isinstance(item, item_type):
                    raise TypeError(f"expected {item_type.__name__}, got {item!r:.100}")
                check_fields(item)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001  one vendor's bug leaves the others listed
            fix = f"update or uninstall it, or set MLPERF_MOBILE_BLOCK={source.plugin}"
            self.leave_out("hook-failed", source, described(error)[:300], fix)
            return []
        return cast("list[ItemT]", items)

    def _is_compatible(self, kind: str, info: Info, source: Source) -> bool:
        """Whether the offer's name and hook API can be used."""
        match info.hook_api:
            case (int(major), int(minor)) if major == HOOK_API[0] and minor <= HOOK_API[1]:
                pass
            case other:
                theirs = ".".join(map(str, other)) if isinstance(other, tuple) else repr(other)
                ours = ".".join(map(str, HOOK_API))
                numbers = isinstance(other, tuple) and all(isinstance(part, int) for part in other)
                newer = numbers and other > HOOK_API
                fix = "pip install -U mlperf-mobile" if newer else f"pip install -U {source.distribution}"
                reason = f"{kind} {info.name!r} uses hook API {theirs}, the core uses {ours}"
                self.leave_out("hook-api", source, reason, fix, (kind, info.name))
                return False
        if not isinstance(info.name, str) or not _NAME.fullmatch(info.name):
            reason = f"{kind} name {info.name!r:.60} is not letters, digits, '.', '_' and '-'"
            fix = f"report it to its author, or set MLPERF_MOBILE_BLOCK={source.plugin}"
            self.leave_out("bad-name", source, reason, fix, (kind, info.name))
            return False
        return True

    def leave_out(self, code: str, source: Source, reason: str, fix: str, offer: tuple[str, str] | None = None) -> None:
        """Record why something is not offered; ``offer`` is its kind and name."""
        self._problems.append(Problem(code, source, reason, fix, offer))

    def leave_out_rivals(self, kind: str, name: str, sources: Sequence[Source]) -> None:
        """Record that several plugins offer the same name."""
        both = " and ".join(sorted({str(source) for source in sources}))
        reason = f"{kind} {name!r} is offered by {both}, so none is used"
        fix = f"uninstall one of them, or set MLPERF_MOBILE_BLOCK={sources[-1].plugin}"
        self.leave_out("duplicate", sources[0], reason, fix, (kind, name))
