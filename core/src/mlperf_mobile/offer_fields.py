"""Whether the core can use what a plugin offers: by the types of its fields, its name, and its hook API."""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterable
from dataclasses import fields
from functools import cache
from types import UnionType
from typing import Any, NamedTuple, Protocol, Union, cast, get_args, get_origin

from mlperf_mobile import plugin
from mlperf_mobile.names import is_file_name
from mlperf_mobile.plugin import HOOK_API
from mlperf_mobile.problems import Source

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
"""A dot would separate the parts of a setting: ``observer_options.NAME.interval_s``."""
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")
"""The name of a file with suites: ``package/suites.yaml``."""


class Info(Protocol):
    """The fields that every offered record has."""

    @property
    def name(self) -> str: ...
    @property
    def hook_api(self) -> tuple[int, int]: ...


class Unusable(NamedTuple):
    """Why an offer cannot be used."""

    code: str
    reason: str
    fix: str


def wrong_api(kind: str, info: Info, source: Source) -> Unusable | None:
    """Why an offer's hook API is not one of the core's; None if it is."""
    match info.hook_api:
        case (int(major), int(minor)) if major == HOOK_API[0] and minor <= HOOK_API[1]:
            return None
        case other:
            theirs = ".".join(map(str, other)) if isinstance(other, tuple) else repr(other)
            ours = ".".join(map(str, HOOK_API))
            numbers = isinstance(other, tuple) and all(isinstance(part, int) for part in other)
            if not numbers or len(other) != 2:
                reason = f"{kind} {info.name!r} has the hook_api {other!r:.60}, a tuple such as {HOOK_API} was expected"
                return Unusable("hook-api", reason, f"pip install -U {source.distribution}")
            newer = numbers and other > HOOK_API
            fix = "pip install -U mlperf-mobile" if newer else f"pip install -U {source.distribution}"
            return Unusable("hook-api", f"{kind} {info.name!r} uses hook API {theirs}, the core uses {ours}", fix)


def misnamed(kind: str, name: object, source: Source) -> Unusable | None:
    """Why an offer's name cannot be used; None if it can."""
    form, marks = (_FILE, "'.', '/', '_'") if kind == "suites file" else (_NAME, "'_'")
    if isinstance(name, str) and form.fullmatch(name):
        return None
    reason = f"{kind} name {name!r:.60} is not letters, digits, {marks} and '-'"
    return Unusable("bad-name", reason, f"report it to its author, or set MLPERF_MOBILE_BLOCK={source.plugin}")


def check_fields(item: Any) -> None:
    """Refuse an item whose fields have wrong types; name, hook API and a fact's value are checked elsewhere.

    Raises:
        TypeError: Names the item, the field, its type and its value.
    """
    for field in fields(item):
        value = getattr(item, field.name)
        kind: Any = field.type
        later = field.name in ("name", "hook_api", "value")
        if not (later or _fits(value, _type(kind))):
            raise TypeError(f"{_label(item)}: {field.name} should be {field.type}, and is {value!r:.100}")
        if field.name == "file" and not is_file_name(value):
            description = "the name of a file in the run's folder, such as 'readings.jsonl'"
            raise TypeError(f"{_label(item)}: {field.name} should be {description}, and is {value!r:.100}")
        if field.name == "accelerators" and not value:
            raise TypeError(f"{_label(item)}: {field.name} must not be empty")


def _label(item: Any) -> str:
    """The kind of an item, and its name if that is a field."""
    named = any(field.name == "name" for field in fields(item))
    return f"{type(item).__name__} {item.name!r:.60}" if named else type(item).__name__


class _Names(dict[str, object]):
    """The names in the annotations of offers; those imported only for type checking stand for any object."""

    def __missing__(self, name: str) -> object:
        return vars(plugin).get(name, vars(builtins).get(name, object))


@cache
def _type(annotation: object) -> Any:
    """The type that an annotation stands for; the object that a :class:`Ref` names is not checked."""
    return eval(annotation, {}, _Names()) if isinstance(annotation, str) else annotation  # noqa: S307  our own source


def _fits(value: object, kind: Any) -> bool:
    whole, parts = get_origin(kind) or kind, get_args(kind)
    if whole in (Union, UnionType):
        return any(_fits(value, each) for each in parts)
    if whole in (tuple, frozenset):  # capabilities are strings, and may be those of a later version
        kinds = str if issubclass(parts[0], str) else parts[0]
        return isinstance(value, whole) and all(isinstance(part, kinds) for part in cast("Iterable[object]", value))
    return isinstance(value, whole)
