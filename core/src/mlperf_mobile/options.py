"""A plugin's own options: the pydantic model that its offer names, built once and given to the plugin."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from mlperf_mobile.errors import NOT_FOREIGN, BackendError, UsageError, described
from mlperf_mobile.registry import Offer
from mlperf_mobile.terms import misfit

T = TypeVar("T")


def options_model(kind: str, offer: Offer[Any]) -> type[BaseModel] | None:
    """The pydantic model of a plugin's options; importing it runs the plugin's code for the first time.

    Raises:
        BackendError: ``plugin-broken``: it cannot be imported, or is no pydantic model.
    """
    if offer.info.options is None:
        return None
    try:
        found: object = offer.info.options.load()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        summary = f"{kind} {offer.info.name} cannot be loaded: {described(error)}"
        raise BackendError("plugin-broken", summary, f"update or reinstall {offer.source.distribution}") from error
    if not (isinstance(found, type) and issubclass(found, BaseModel)):
        what = str(found) if isinstance(found, type) else shown(found)
        raise broken(kind, offer.info.name, f"options is {what}, a pydantic model was expected")
    return found


@contextmanager
def validating(kind: str, offer: Offer[Any], model: type[BaseModel], given: Mapping[str, Any]) -> Iterator[None]:
    """Blame a plugin for what its model raises instead of a ``ValidationError``, and name the option.

    Raises:
        BackendError: ``plugin-broken``.
    """
    try:
        yield
    except (*NOT_FOREIGN, ValidationError):
        raise
    except BaseException as error:
        place = next((f"option {key}" for key in given if _raises(model, {key: given[key]})), "options")
        place = "options" if _raises(model, {}) else place
        raise broken(kind, offer.info.name, f"{place} cannot be validated: {described(error)}") from error


def _raises(model: type[BaseModel], given: Mapping[str, Any]) -> bool:
    """Whether the validators of a model fail, rather than refuse what is given."""
    try:
        model.model_validate(given)
    except (KeyboardInterrupt, ValidationError):
        return False
    except BaseException:  # noqa: BLE001  a plugin's validator may raise anything
        return True
    return False


def check_defaults(kind: str, offer: Offer[Any]) -> None:
    """Refuse a model whose defaults do not fit its own fields, or are not JSON, before anyone sets an option.

    Raises:
        BackendError: ``plugin-broken``; names the option.
    """
    if (model := options_model(kind, offer)) is None:
        return
    with validating(kind, offer, model, {}):
        made = model.model_construct()
    check_data(kind, offer, made, whole=False)


def check_data(kind: str, offer: Offer[Any], options: BaseModel, *, whole: bool = True) -> None:
    """Refuse options that cannot be written to a plan and read from it, because of wrong defaults or serializers.

    Args:
        kind: The kind of plugin.
        offer: Its offer.
        options: Its options.
        whole: Whether those that must be set are among them.

    Raises:
        BackendError: ``plugin-broken``; names the option.
    """
    try:
        _dump(options)
        type(options).model_validate(options.model_dump(mode="json", exclude_none=True, warnings=False))
    except NOT_FOREIGN:
        raise
    except ValidationError as error:
        if whole or (wrong := [each for each in error.errors(include_url=False) if each["type"] != "missing"]):
            problem = misfit(error) if whole else f"{'.'.join(map(str, wrong[0]['loc']))}: {wrong[0]['msg']}"
            reason = f"a default of its options does not fit them: {problem}"
            raise broken(kind, offer.info.name, reason) from error
    except BaseException as error:
        place = next((f"option {key}" for key in type(options).model_fields if _fails(options, key)), "options")
        raise broken(kind, offer.info.name, f"{place} cannot be written as JSON: {described(error)}") from error


def _dump(options: BaseModel, only: set[str] | None = None) -> None:
    """Write options as plans and results have them."""
    data = [
        options.model_dump(mode="json", include=only, exclude_defaults=part, warnings=False) for part in (False, True)
    ]
    json.dumps(data, allow_nan=False)


def _fails(options: BaseModel, key: str) -> bool:
    try:
        _dump(options, {key})
    except BaseException:  # noqa: BLE001  the caller reports it
        return True
    return False


def validated(kind: str, offer: Offer[Any], given: Mapping[str, Any]) -> BaseModel | None:
    """The options in a plan as the model for the plugin's constructor; None for a plugin without options.

    Raises:
        UsageError: ``bad-options``; names the option.
        BackendError: ``plugin-broken``: the model cannot be imported, or fails.
    """
    model = options_model(kind, offer)
    if model is None:
        return None
    try:
        with validating(kind, offer, model, given):
            return model.model_validate(dict(given))
    except ValidationError as error:
        settings = key_of(kind, offer.info.name)
        first = error.errors(include_url=False)[0]
        if first["type"] == "missing":
            option = ".".join(map(str, first["loc"]))
            summary = f"{kind} {offer.info.name}: option {option} must be set"
            raise UsageError("bad-options", summary, f"--set {settings}.{option}=VALUE") from error
        summary = f"{kind} {offer.info.name}: {misfit(error)}"
        raise UsageError("bad-options", summary, f"check {settings}") from error


def key_of(kind: str, name: str) -> str:
    """The setting that holds a plugin's options; of several observers, each has its own."""
    return f"observer_options.{name}" if kind == "observer" else f"{kind}_options"


def constructed(kind: str, offer: Offer[Any], given: Mapping[str, Any], *before: object) -> Any:
    """The object behind an offer, constructed with its options.

    Args:
        kind: ``"backend"``, ``"task"``, ``"dataset"``, ``"scenario"`` or ``"observer"``.
        offer: Its offer; the field of that name refers to the class.
        given: The options in the plan.
        before: Arguments that precede the options.

    Raises:
        UsageError: ``bad-options``.
        BackendError: ``plugin-broken``: the class cannot be imported, or does not take the options.
    """
    options, refers = validated(kind, offer, given), getattr(offer.info, kind)
    try:
        make: Callable[..., object] = refers.load()
    except NOT_FOREIGN:
        raise
    except BaseException as error:
        raise broken(kind, offer.info.name, f"{refers.path} cannot be loaded: {described(error)}") from error
    if not callable(make):
        raise broken(kind, offer.info.name, f"{refers.path} is {shown(make)}, a class was expected")
    try:
        made = make(*before, options)
    except TypeError as error:
        if error.__traceback__ and error.__traceback__.tb_next is None:  # raised by the call, not within it
            arguments = ", ".join(["self", *(["path"] if before else []), "options"])
            reason = f"{described(error)}; its constructor should be __init__({arguments})"
            raise broken(kind, offer.info.name, reason) from error
        raise
    return complete(kind, offer.info.name, made)


_METHODS: Mapping[str, tuple[str, ...]] = {
    "backend": ("probe", "compile", "load"),
    "task": ("bind", "metric"),
    "dataset": ("__len__", "sample", "truth"),
    "scenario": ("run",),
    "observer": ("start", "begin", "sample", "end", "stop"),
    "transport": ("__enter__", "__exit__", "facts", "run", "push", "pull", "start", "read", "signal", "remove"),
}
_FIELDS: Mapping[str, tuple[str, ...]] = {
    "backend": ("shards",),
    "scenario": ("parallel",),
    "observer": ("interval_s",),
}


def complete(kind: str, name: str, made: T) -> T:
    """The object of a plugin, if it has everything that its contract requires.

    Args:
        kind: A kind of offer, as of :func:`constructed`, or ``"transport"``.
        name: The offer's name.
        made: What its constructor returned.

    Raises:
        BackendError: ``plugin-broken``; names what is missing.
    """
    missing = [f"{each}()" for each in _METHODS[kind] if not callable(getattr(made, each, None))]
    missing += [each for each in _FIELDS.get(kind, ()) if not (hasattr(type(made), each) or hasattr(made, each))]
    if missing:
        raise broken(kind, name, f"{type(made).__name__} lacks {' and '.join(missing)}, which every {kind} must have")
    return made


def broken(kind: str, name: str, reason: str) -> BackendError:
    """The error ``plugin-broken``: a plugin breaks its contract."""
    return BackendError("plugin-broken", f"{kind} {name}: {reason}", f"report it to the author of {kind} {name}")


def shown(value: object) -> str:
    """A value for an error that says what else was expected: ``None``, or its type."""
    return "None" if value is None else f"a value of type {type(value).__name__}"
