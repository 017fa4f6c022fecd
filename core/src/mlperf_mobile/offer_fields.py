"""Checks that the fields of what a plugin offers have the types that :mod:`mlperf_mobile.plugin` declares."""

from __future__ import annotations

import builtins
from collections.abc import Iterable
from dataclasses import fields
from functools import cache
from types import UnionType
from typing import Any, Union, cast, get_args, get_origin

from mlperf_mobile import plugin


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
