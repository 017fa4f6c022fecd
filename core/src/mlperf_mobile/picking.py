"""Picks an offer by its name, or reports why it is missing: left out, its plugin failed, or not installed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from mlperf_mobile.errors import BackendError, UsageError, did_you_mean
from mlperf_mobile.installed import distribution, normalised
from mlperf_mobile.plugin import BackendInfo, Capability, ScenarioInfo
from mlperf_mobile.problems import CORE, Problem
from mlperf_mobile.registry import InfoT, Offer, Registry


def pick(
    kind: str,
    name: str,
    offers: Mapping[str, Offer[InfoT]],
    registry: Registry,
    source: str = "",
    also: Iterable[str] = (),
) -> Offer[InfoT]:
    """The offer called ``name``; ``also`` are other names that are valid here.

    Raises:
        UsageError: It does not exist; the hint has similar names, or why it was left out.
    """
    if name in offers:
        return offers[name]
    place = f"{source}: " if source else ""
    for problem in registry.problems:
        if _concerns(problem, kind, name):
            reason = problem.reason if problem.offer else f"{problem.source} failed: {problem.reason}"
            raise UsageError(
                f"unknown-{kind}", f"{place}{kind} {name!r} is left out: {reason}", problem.fix
            ) from problem.error
    if home := _home(kind, name):
        summary = f"{place}{kind} {name!r} is in {home}, which is not installed"
        raise UsageError(f"unknown-{kind}", summary, f"pip install {home}")
    hint = near(name, {*offers, *also}, registry)
    raise UsageError(f"unknown-{kind}", f"{place}no {kind} is called {name!r}", hint)


def near(name: str, known: Collection[str], registry: Registry) -> str:
    """A hint for an unknown ``name``: similar names, what to install, and plugins that failed."""
    hint = did_you_mean(name, known) if known else "none is installed; pip install 'mlperf-mobile[all]' installs all"
    failed = [f"{problem.source} ({problem.reason})" for problem in registry.problems if not problem.offer]
    return f"{hint}; it may be in a plugin that failed: {', '.join(failed)}" if failed else hint


def _home(kind: str, name: str) -> str:
    """The distribution of this project that has the offer, if it is not installed; empty if it is, or is unknown.

    Distributions are named after the backend or task that they offer.
    """
    home = normalised(f"mlperf-mobile-{kind}-{name}")
    return home if home in missing_distributions(f"{kind}-") else ""


def missing_distributions(start: str) -> list[str]:
    """The distributions of this project that are not installed, as the core's extra ``all`` lists them.

    Args:
        start: How their names start, without ``mlperf-mobile-``.
    """
    core = distribution(CORE)
    known = sorted(core.with_extra("all")) if core else []
    return [each for each in known if each.startswith(f"mlperf-mobile-{start}") and not distribution(each)]


def _concerns(problem: Problem, kind: str, name: str) -> bool:
    """Whether ``problem`` is why the offer is missing; the offers of a failed plugin are guessed from its name."""
    if problem.offer:
        return (problem.offer[0].replace(" ", ""), problem.offer[1]) == (kind, name)
    suffix = name.replace("_", "-")
    return suffix == problem.source.plugin or problem.source.distribution.endswith(f"-{suffix}")


def require_tokens(offer: Offer[BackendInfo], registry: Registry, *, text: bool = False) -> None:
    """Refuse a backend that does not generate, or only from text for a task that has no texts.

    Args:
        offer: The backend.
        registry: Where other backends are, for the hint.
        text: Whether the task is a :class:`mlperf_mobile.contracts.TextTask`.

    Raises:
        BackendError: ``no-tokens`` or ``text-only``.
    """
    enough = {Capability.TOKEN_STREAM, Capability.TEXT_STREAM} if text else {Capability.TOKEN_STREAM}
    if enough & offer.info.capabilities:
        return
    others = [name for name, each in registry.backends.items() if enough & each.info.capabilities]
    if Capability.TEXT_STREAM in offer.info.capabilities:
        summary = f"backend {offer.info.name} takes only text, but the task or the scenario gives only token ids"
        raise BackendError("text-only", summary, f"backends that take ids: {', '.join(others) or 'none is installed'}")
    hint = f"backends that do: {', '.join(others)}" if others else "install a backend for language models"
    raise BackendError("no-tokens", f"backend {offer.info.name} does not generate tokens", hint)


def require_language_model(
    scenario: Offer[ScenarioInfo], task: str, backend: Offer[BackendInfo], registry: Registry, *, generates: bool
) -> None:
    """Refuse what a scenario for language models cannot measure: other tasks, and backends that take no token ids.

    Args:
        scenario: The scenario.
        task: The task's name.
        backend: The backend.
        registry: The installed plugins.
        generates: Whether the task is one of language models.

    Raises:
        UsageError: ``no-tokens``.
        BackendError: ``no-tokens`` or ``text-only``.
    """
    if not scenario.info.tokens:
        return
    if not generates:
        others = ", ".join(name for name, each in registry.scenarios.items() if not each.info.tokens)
        summary = f"scenario {scenario.info.name} is for language models, but task {task} is not"
        raise UsageError("no-tokens", summary, f"choose another task, or a scenario for every task: {others}")
    require_tokens(backend, registry)
