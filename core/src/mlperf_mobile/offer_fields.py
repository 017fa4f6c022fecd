"""Checks that the fields of what a plugin offers have the types that :mod:`mlperf_mobile.plugin` declares."""

from __future__ import annotations

import builtins
from collections.abc import Iterable
from dataclasses import fields
from functools import cache
from types import UnionType
from typing import Any, Union, cast, get_args, get_origin, get_type_hints

from mlperf_mobile import plugin


def check_fields(item: Any) -> None:
    """Refuse an item whose fields have wrong types; name, hook API and a fact's value are checked elsewhere.

    Raises:
        TypeError: Names the field, its type and its value.
    """
    offer: Any = type(item)
    types = _types(offer)
    for field in fields(item):
        value = getattr(item, field.name)
        later = field.name in ("name", "hook_api", "value")
        if not (later or _fits(value, types[field.name])) or (field.name == "accelerators" and not value):
            raise TypeError(f"{type(item).__name__}.{field.name} should be {field.type}, and is {value!r:.100}")


class _Names(dict[str, object]):
    """The names in the annotations of offers; those imported only for type checking stand for any object."""

    def __missing__(self, name: str) -> object:
        return vars(plugin).get(name, vars(builtins).get(name, object))


@cache
def _types(offer: type[object]) -> dict[str, Any]:
    """The types of an offer's fields; the object that a :class:`Ref` names is not checked."""
    return get_type_hints(offer, localns=_Names())


def _fits(value: object, kind: Any) -> bool:
    whole, parts = get_origin(kind) or kind, get_args(kind)
    if whole in (Union, UnionType):
        return any(_fits(value, each) for each in parts)
    if whole in (tuple, frozenset):  # capabilities are strings, and may be those of a later version
        kinds = str if issubclass(parts[0], str) else parts[0]
        return isinstance(value, whole) and all(isinstance(part, kinds) for part in cast("Iterable[object]", value))
    return isinstance(value, whole)
