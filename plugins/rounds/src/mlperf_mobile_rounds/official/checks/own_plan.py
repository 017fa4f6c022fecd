"""The plan of an own result: values attributed to suite, task or scenario are those of the installed ones."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mlperf_mobile.config.document import Layer, Setting
from mlperf_mobile.config.resolve import resolve
from mlperf_mobile.config.selection import Request
from mlperf_mobile.errors import MobileError, described
from mlperf_mobile.plan import Plan
from mlperf_mobile.registry import Registry
from mlperf_mobile.results import store
from mlperf_mobile.terms import Counts
from mlperf_mobile_rounds.official.findings import Place, Report

_OF_THE_DEVICE = ("transport", "runner")
"""Kinds of offers that say how a device was reached; the plan does not depend on them."""
_KEPT = 32
_ABSENT = object()
_CHOICES = ("model", "dataset", "scenario", "mode", "rules")
_INSTALLED = ("defaults", "task ", "suite ", "tuning ", "scenario ", "model ", "data ")
"""Prefixes of sources that are not the user's choice."""
_OF_THE_PLAN = "the plan"
"""The source of what was chosen in the plan, and is chosen again."""
_DEFAULTS = ("rules", "percentile", "early_stopping", "warmup_s", "telemetry_interval_s")
"""Settings that have their defaults unless a source is named."""
_OF_RULES = re.compile(r" \(rules ([^()]+)\)$")
_LINE = re.compile(r":\d+:\d+(?= \(rules |$)")


class Planner:
    """Derives plans again; a plan that several results share is derived once."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._planned: OrderedDict[tuple[Any, ...], Plan | str] = OrderedDict()

    def check(self, folder: Path, report: Report) -> None:
        """Compare the plan in a folder with the one planned here for the same task, model, data and suite."""
        place = Place(folder / store.PLAN)
        try:
            plan = store.read_plan(folder)
        except MobileError:
            return  # said already
        self._compare(plan, place, report)

    def _compare(self, plan: Plan, place: Place, report: Report) -> None:
        for key, source in plan.sources.items():
            named = _OF_RULES.search(source) if key in Counts.model_fields else None
            if named and named[1] != plan.rules:
                text = f"the rules are {plan.rules}, but {key} is that of {named[1]}: {source}"
                report.error("own-plan", Place(place.path, key="rules"), text)
        here = self._plan(plan)
        if isinstance(here, str):
            report.skip("own-plan", place, f"the plan cannot be derived here: {here}")
            return
        mine = {kind: offer for kind, offer in plan.offered_by.items() if kind not in _OF_THE_DEVICE}
        if here.offered_by != mine:
            report.skip("own-plan", place, "it was made with other plugin versions")
            return
        stored, found = plan.to_json(), here.to_json()
        unset = [key for key in _DEFAULTS if key not in plan.sources and key not in here.sources]
        wrong = [
            (key, _at(stored, key), _at(found, key))
            for key in (*here.sources, *unset)
            if _same_place(plan, here, key) and not key.endswith(".path") and _at(stored, key) != _at(found, key)
        ]
        wrong += [("official", stored["official"], found["official"])] * (stored["official"] != found["official"])
        for key, mine, theirs in wrong:
            text = f"{key} is {mine}, but {plan.sources.get(key, 'the suite' if key == 'official' else 'the default')}"
            report.error("own-plan", Place(place.path, key=key), f"{text} sets {theirs}")
        strange = [*_strange(plan, here)]
        for key, text in strange:
            report.error("own-plan", Place(place.path, key=f"sources.{key}"), text)
        if not wrong and not strange:
            report.passed["own-plan"] += 1

    def _plan(self, plan: Plan) -> Plan | str:
        """The same plan as derived here, or why that is not possible."""
        data = plan.dataset.path if "data_path" in plan.sources else None
        key = (
            plan.benchmark, plan.suite, plan.backend, plan.accelerator, plan.scenario, plan.mode, plan.rules,
            plan.model.name, plan.model.path, plan.dataset.name, data, plan.tuning, plan.soc,
            *map(plan.sources.get, _CHOICES),
        )  # fmt: skip
        if key not in self._planned:
            self._planned[key] = self._resolved(plan, data)
            if len(self._planned) > _KEPT:
                self._planned.popitem(last=False)
        self._planned.move_to_end(key)
        return self._planned[key]

    def _resolved(self, plan: Plan, data: Path | None) -> Plan | str:
        given: dict[str, Any] = {
            "scenario": plan.scenario, "mode": plan.mode.value, "rules": plan.rules, "dataset": plan.dataset.name,
            "data_path": data,
        }  # fmt: skip
        named: dict[str, Any] = {"tasks": plan.benchmark, "suite": plan.suite, "backend": plan.backend}
        named |= {key: value for key, value in given.items() if _chosen(plan, key)}
        named |= {"tuned": plan.tuning is not None} if plan.suite else {}
        named |= {"soc": plan.soc} if plan.soc else {}
        models = (plan.model.name, str(plan.model.path)) if _chosen(plan, "model") else (None,)
        why = ""
        for model in models:
            layer: Layer = {k: Setting(v, _OF_THE_PLAN) for k, v in (named | {"model": model}).items() if v is not None}
            try:
                return resolve(self._registry, Request(flags=layer)).plans[0]
            except MobileError as error:
                why = why or error.summary
            except Exception as error:  # noqa: BLE001  settings of plugins may be anything
                why = why or described(error)[:200]
        return why


def _place(source: str | None) -> str:
    """A source without line and column, which change with every edit of a file."""
    return _LINE.sub("", source or "")


def _same_place(plan: Plan, here: Plan, key: str) -> bool:
    return _place(plan.sources.get(key)) == _place(here.sources.get(key))


def _strange(plan: Plan, here: Plan) -> Iterator[tuple[str, str]]:
    """Settings whose installed source is another one, or is not named."""
    for key in {**plan.sources, **here.sources}:
        mine, theirs = plan.sources.get(key), here.sources.get(key)
        if key.endswith(".path") or theirs == _OF_THE_PLAN or _same_place(plan, here, key):
            continue
        if mine is None and theirs is not None and theirs.startswith(_INSTALLED):
            yield key, f"{theirs} sets {key}, and the plan does not say what set it"
        elif mine is not None and mine.startswith(_INSTALLED):
            yield key, f"{mine} does not set {key}; it is set by {theirs or 'nothing'}"


def _chosen(plan: Plan, key: str) -> bool:
    """Whether the value comes from the user, and not from what is installed."""
    return not plan.sources.get(key, "defaults").startswith(_INSTALLED)


def _at(plan: dict[str, Any], key: str) -> Any:
    """The value of a setting in a plan, which keeps some of them under ``load``."""
    for start in (plan, plan["load"]):
        value: Any = start
        for part in key.split("."):
            value = value.get(part, _ABSENT) if isinstance(value, dict) else _ABSENT
        if isinstance(value, dict):  # where it lies differs from machine to machine
            return {name: each for name, each in value.items() if name != "path"}
        if value is not _ABSENT:
            return value
    return None
