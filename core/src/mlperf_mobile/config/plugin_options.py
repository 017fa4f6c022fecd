"""Checks the options that are set for plugins, and turns them into the data of a plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from mlperf_mobile.config import layers
from mlperf_mobile.config.document import Layer
from mlperf_mobile.errors import BackendError, UsageError, described
from mlperf_mobile.options import check_data, key_of, options_model, validating
from mlperf_mobile.picking import pick
from mlperf_mobile.plugin import ScenarioInfo
from mlperf_mobile.registry import Offer, Registry


def plugin_options(kind: str, offer: Offer[Any], layer: Layer) -> BaseModel | None:
    """A plugin's options, checked; None if it has none.

    Raises:
        UsageError: One is unknown or wrong.
        BackendError: ``plugin-broken``: the plugin's model fails.
    """
    prefix, model = f"{key_of(kind, offer.info.name)}.", options_model(kind, offer)
    if model is None:
        if stray := next((s for k, s in layer.items() if k.startswith(prefix)), None):
            raise UsageError("unknown-key", f"{stray.source}: {kind} {offer.info.name} has no options", "remove it")
        return None
    with validating(kind, offer, model, layers.nest(layers.under(layer, prefix))):
        options = layers.check(model, layer, prefix)
    check_data(kind, offer, options)
    return options


def observer_options(registry: Registry, layer: Layer) -> dict[str, BaseModel | None]:
    """The options of every installed observer, checked; None where the user set none.

    Raises:
        UsageError: One is unknown or wrong.
    """
    given = layers.under(layer, "observer_options.")
    for key, setting in given.items():
        pick("observer", key.partition(".")[0], registry.observers, registry, setting.source)
    found: dict[str, BaseModel | None] = {}
    for name, offer in registry.observers.items():
        own = {key: setting for key, setting in layer.items() if key.startswith(f"{key_of('observer', name)}.")}
        found[name] = plugin_options("observer", offer, own) if own else None
    return found


def is_parallel(offer: Offer[ScenarioInfo], options: BaseModel | None) -> bool:
    """Whether a scenario keeps all sessions busy; the scenario is loaded to ask it.

    Raises:
        BackendError: It cannot be loaded.
    """
    try:
        return bool(offer.info.scenario.load()(options).parallel)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        summary = f"scenario {offer.info.name} cannot be loaded: {described(error)}"
        fix = f"update or reinstall {offer.source.distribution}"
        raise BackendError("plugin-broken", summary, fix) from error


def as_data(options: BaseModel | None) -> dict[str, Any]:
    """A plugin's options as JSON data for a plan, without those that are None."""
    return options.model_dump(mode="json", exclude_none=True) if options else {}


def changed_options(kind: str, options: BaseModel | None) -> dict[str, Any]:
    """A plugin's options that differ from their defaults, by dotted names that begin with ``kind``."""
    return flat(options.model_dump(mode="json", exclude_defaults=True), f"{kind}.") if options else {}


def flat(data: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Nested mappings as one mapping with dotted names."""
    found: dict[str, Any] = {}
    for key, value in data.items():
        name = f"{prefix}{key}"
        found |= flat(value, f"{name}.") if isinstance(value, Mapping) and value else {name: value}
    return found
