"""Merges layers of settings, reports unknown keys, and checks values; every error names the place of the setting."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError, to_json

from mlperf_mobile.config.document import Layer, Setting, read_value
from mlperf_mobile.config.settings import Settings
from mlperf_mobile.errors import UsageError, did_you_mean
from mlperf_mobile.terms import QualitySettings, Seeds, TokenRules

ENV_PREFIX = "MLPERF_MOBILE_"
ENV_NOT_SETTINGS = frozenset({"BLOCK", "SHARED", "DEBUG", "REQUIRE", "REQUIRE_DEVICES"})
"""Variables with the prefix that are read elsewhere: plugins to block, test data, tracebacks, what tests require."""

SELECTION = frozenset({"tasks", "suite", "sweep"})
"""Keys that select what runs, rather than how; any layer above the suite may set them."""

NAMED = frozenset({"input_shapes", "task_files", "unverified"})
"""Settings whose parts may have any name, even with dots."""

_NESTED: Mapping[str, type[BaseModel]] = {
    "seeds": Seeds,
    "quality": QualitySettings,
    "token_rules": TokenRules,
}
"""Settings that are themselves models."""

OPTION_KINDS = ("backend", "task", "dataset", "scenario")

_CONVERSIONS = frozenset({"bool_type", "int_type", "float_type"})
"""Pydantic's error types for a value of another type, when conversion is off."""

_LISTS = frozenset({"list_type", "tuple_type", "set_type", "frozen_set_type"})
"""Pydantic's error types for a value that is no list."""

ModelT = TypeVar("ModelT", bound=BaseModel)


def from_environment(environ: Mapping[str, str]) -> Layer:
    """The settings in ``MLPERF_MOBILE_*`` variables; ``__`` stands for the dot: ``MLPERF_MOBILE_SEEDS__QSL``."""
    layer: Layer = {}
    for name in sorted(environ):
        key = name.removeprefix(ENV_PREFIX)
        if name.startswith(ENV_PREFIX) and key not in ENV_NOT_SETTINGS and environ[name]:
            value = read_value(key.lower().replace("__", "."), environ[name], name)
            if repeated := value.keys() & layer.keys():
                raise UsageError("duplicate-key", f"{name}: {min(repeated)} is set twice", "unset one of the variables")
            layer = merge([layer, value])
    return layer


def from_assignments(assignments: Iterable[str]) -> Layer:
    """The settings of ``--set key=value`` flags."""
    layer: Layer = {}
    for text in assignments:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise UsageError("set-syntax", f"--set {text!r} is not key=value", "for example --set threads=4")
        layer = merge([layer, read_value(key.strip(), value, f"--set {text:.200}")])
    return layer


def merge(layers: Iterable[Layer]) -> Layer:
    """One layer in which later layers win, key by key; a value replaces a mapping of the same name, or the reverse."""
    merged: Layer = {}
    for layer in layers:
        for key, setting in layer.items():
            parts = key.split(".")
            parents = {".".join(parts[:n]) for n in range(1, len(parts))}
            for other in [k for k in merged if k in parents or k.startswith(f"{key}.")]:
                del merged[other]
            merged[key] = setting
    return merged


def resolve_names(layer: Layer, option_models: Mapping[str, type[BaseModel] | None], *, lenient: bool = False) -> Layer:
    """The layer with full names: ``threads`` becomes ``backend_options.threads`` when the backend has such an option.

    Args:
        layer: Settings, some of which may be a plugin's options without their prefix.
        option_models: The options of the chosen plugin of each kind; None where it has none.
        lenient: Leave out unknown keys: options of plugins of other kinds.

    Raises:
        UsageError: A key is unknown, or belongs to several plugins.
    """
    resolved: Layer = {}
    for key, setting in layer.items():
        head = key.partition(".")[0]
        if head in Settings.model_fields:
            kind = head.removesuffix("_options")
            if lenient and kind in OPTION_KINDS and kind not in option_models:
                continue
            _check_nested(key, setting)
            resolved[key] = setting
            continue
        owners = [kind for kind, model in option_models.items() if model and head in model.model_fields]
        if len(owners) > 1:
            full = " or ".join(f"{kind}_options.{key}" for kind in owners)
            raise UsageError("ambiguous-key", f"{setting.source}: {key} could be {full}", "write the full name")
        if not owners and lenient:
            continue
        if not owners:
            raise _unknown(key, setting, option_models)
        resolved[f"{owners[0]}_options.{key}"] = setting
    return resolved


def _unknown(key: str, setting: Setting, option_models: Mapping[str, type[BaseModel] | None]) -> UsageError:
    known = {*Settings.model_fields, *SELECTION}
    for model in option_models.values():
        known |= set(model.model_fields) if model else set()
    return UsageError(
        "unknown-key", f"{setting.source}: unknown key {key}", did_you_mean(key.split(".", maxsplit=1)[0], known)
    )


def _check_nested(key: str, setting: Setting) -> None:
    """Refuse a wrong key inside ``seeds``, ``quality`` or ``token_rules``."""
    head, _, rest = key.partition(".")
    if rest and (model := _NESTED.get(head)):
        if rest not in model.model_fields:
            hint = did_you_mean(rest, model.model_fields)
            raise UsageError("unknown-key", f"{setting.source}: unknown key {key}", hint)
    elif rest and not head.endswith("_options") and head not in NAMED:
        raise UsageError("unknown-key", f"{setting.source}: {head} has no parts", f"write {head}: VALUE")


def check(model: type[ModelT], layer: Layer, prefix: str = "", context: Mapping[str, object] | None = None) -> ModelT:
    """Build ``model`` from the settings under ``prefix``.

    Booleans, numbers and texts are never converted into one another, not even in plugin options.

    Args:
        model: What to build.
        layer: The settings.
        prefix: What the keys of its settings begin with.
        context: What the model's own validators depend on.

    Raises:
        UsageError: A value does not fit; the message names its place, its key and what it should be.
    """
    own = under(layer, prefix)
    try:
        checked = model.model_validate(nest(own), context=context)
    except ValidationError as error:
        raise _misfit(model, prefix, error.errors(include_url=False)[0], own) from error
    if (converted := _converted(model, own, context)) is not None:
        raise _misfit(model, prefix, converted, own)
    for key, setting in own.items():
        if not _finite(setting.value):
            raise UsageError("bad-value", f"{setting.source}: {prefix}{key}: a number must be finite", "give a number")
    return checked


def _finite(value: Any) -> bool:
    """Whether no number in it is infinite or NaN."""
    if isinstance(value, float):
        return math.isfinite(value)
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return all(map(_finite, parts))


def _converted(model: type[BaseModel], own: Layer, context: Mapping[str, object] | None) -> Any:
    """The first value that fits only after a conversion between booleans, numbers and text, as pydantic reports it.

    A plugin's own validators and configuration apply, so its model is not made strict; but these three conversions,
    which strict mode refuses, are refused for all models.
    """
    try:
        model.model_validate_json(to_json(nest(own), inf_nan_mode="constants"), strict=True, context=context)
    except ValidationError as error:
        found = (each for each in error.errors(include_url=False) if each["type"] in _CONVERSIONS)
        return next((each for each in found if each["loc"][-1] != "[key]"), None)  # keys are text in JSON
    except PydanticSerializationError:  # a flag with bytes that are not text; reported where the value is read
        return None
    return None


def _misfit(model: type[BaseModel], prefix: str, error: Any, own: Layer) -> UsageError:
    key = ".".join(str(part) for part in error["loc"])
    parts = key.split(".")
    paths = [".".join(parts[:n]) for n in range(len(parts), 0, -1)]
    around = f"{key.rpartition('.')[0]}." if error["type"] == "missing" and len(parts) > 1 else f"{key}."
    entry = next(iter(own.values()), None) if prefix.count(".") > 1 else None  # a mapping of one file, not of several
    setting = next((own[path] for path in paths if path in own), None) or next(
        (s for k, s in own.items() if k.startswith(around)), entry or Setting(None, prefix.rstrip(".") or "settings")
    )
    if error["type"] == "extra_forbidden":
        hint = did_you_mean(parts[-1], model.model_fields)
        return UsageError("unknown-key", f"{setting.source}: unknown key {prefix}{key}", hint)
    if error["type"] == "missing":
        hint = f"--set {prefix}{key}=VALUE" if prefix.endswith("_options.") else "set it"
        return UsageError("missing-key", f"{setting.source}: {prefix}{key} is missing", hint)
    message = error["msg"].removeprefix("Value error, ")
    if not key:  # several values together
        place = f"{entry.source}: {prefix.rstrip('.')}: " if entry else prefix
        return UsageError("bad-value", f"{place}{message}", "")
    given = error["input"]
    if error["type"] in _LISTS and isinstance(given, str):
        brackets = ", ".join(part.strip() for part in given.split(",")) if given.strip() else "VALUE, VALUE"
        message = f"expected a list in brackets, [{brackets[:80]}]"
    place = setting.source if setting.source == f"--{key.replace('_', '-')}" else f"{setting.source}: {prefix}{key}"
    text = f"{place}: {message} (got {given!r:.80})"
    field = model.model_fields.get(parts[0])
    return UsageError("bad-value", text, (field.description or "") if field else "")


def under(layer: Layer, prefix: str) -> Layer:
    """The settings whose keys begin with ``prefix``, without it."""
    return {key.removeprefix(prefix): setting for key, setting in layer.items() if key.startswith(prefix)}


def nest(layer: Layer) -> dict[str, Any]:
    """Nested data from dotted keys."""
    data: dict[str, Any] = {}
    for key, setting in layer.items():
        *parents, last = key.split(".", 1 if key.partition(".")[0] in NAMED else -1)
        place = data
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = setting.value
    return data


def load_environment() -> Layer:
    """The settings in this process's environment."""
    return from_environment(os.environ)


def source_of(layer: Layer, key: str) -> str:
    """The place that set a value."""
    return layer[key].source if key in layer else "defaults"
