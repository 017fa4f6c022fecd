"""Reads the JSON files of a model, which nobody has checked: bounded, without duplicates, by entry and place."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, NoReturn

from mlperf_mobile.errors import ModelError

MOST_BYTES = 1 << 20
"""Most bytes of a file; configurations in use have about 2 KB."""
MOST_TEXT = 1024
"""Most characters of a text."""
MOST_ITEMS = 256
"""Most items of a list."""
MOST_NOTED = 32
"""Most items of a list or entries of an object that are noted."""
MOST_DEPTH = 32
"""Most objects and lists within each other."""

_SEPARATORS = frozenset("/\\")


class Document:
    """One JSON file, whose errors name the file and the entry.

    Args:
        path: The file.

    Raises:
        ModelError: ``model-missing``; ``genie-config``: it is too long, or no JSON object.
    """

    def __init__(self, path: Path) -> None:
        self.name = path.name
        try:
            with path.open("rb") as file:
                data = file.read(MOST_BYTES + 1)
        except OSError as error:
            raise ModelError("model-missing", f"cannot read {path}: {error.strerror}", "check --model") from error
        if len(data) > MOST_BYTES:
            self.refuse("", f"has more than {MOST_BYTES} bytes")
        try:
            found = json.loads(data.decode(), object_pairs_hook=_unique, parse_float=_finite, parse_constant=_finite)
            for _ in _walk(found, ""):
                pass
        except (ValueError, RecursionError) as error:
            reason = "it is nested too deep" if isinstance(error, RecursionError) else error
            hint = "give the configuration that came with the model"
            raise ModelError("genie-config", f"{self.name} is no valid JSON: {reason}", hint) from error
        self.content: dict[str, Any] = self.mapping(found, "")

    def refuse(self, where: str, what: str) -> NoReturn:
        """Raise the error of an entry: ``refuse("dialog.type", "is 'eaglet', …")``."""
        summary = f"{self.name}: {where} {what}" if where else f"{self.name} {what}"
        raise ModelError("genie-config", summary, "the README of mlperf-mobile-backend-snpe lists what is supported")

    def mapping(self, value: object, where: str, allowed: Collection[str] = ()) -> dict[str, Any]:
        """An object; with ``allowed``, one that has no other entries."""
        if not isinstance(value, dict):
            self.refuse(where, f"is {_kind(value)}, not an object")
        for key in value:
            if allowed and key not in allowed:
                self.refuse(where, f"has the entry {key[:60]!r}, which is not supported")
        return value

    def part(self, parent: dict[str, Any], key: str, where: str, allowed: Collection[str] = ()) -> dict[str, Any]:
        """The object that is an entry of another one."""
        if key not in parent:
            self.refuse(where, f"lacks the entry {key!r}")
        return self.mapping(parent[key], f"{where}.{key}", allowed)

    def integer(self, parent: dict[str, Any], key: str, where: str, least: int, most: int) -> int:
        """An entry that is a whole number within bounds."""
        value = parent.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            found = value if type(value) is int and abs(value) < 1 << 63 else _kind(value)
            self.refuse(f"{where}.{key}", f"is {found}, not a whole number from {least} to {most}")
        return value

    def text(self, value: object, where: str) -> str:
        """A short printable text."""
        if not isinstance(value, str) or not value or len(value) > MOST_TEXT or not value.isprintable():
            self.refuse(where, f"is {_kind(value)}, not a printable text of 1 to {MOST_TEXT} characters")
        return value

    def without_paths(self, value: object, where: str) -> None:
        """Refuse a text that could be a path, and what is not bounded, anywhere in a value."""
        for place, each in _walk(value, where):
            if isinstance(each, list) and len(each) > MOST_ITEMS:
                self.refuse(place, f"has more than {MOST_ITEMS} items")
            if isinstance(each, str) and each and _SEPARATORS & set(self.text(each, place)):
                self.refuse(place, f"is {each[:60]!r}: a path is not supported here")

    def texts(self, key: str) -> list[str]:
        """All texts of the file that are an entry of this name, each once."""
        objects = (each for _, each in _walk(self.content, "") if isinstance(each, dict))
        return list(dict.fromkeys(each[key] for each in objects if isinstance(each.get(key), str)))


def noted(value: object) -> object:
    """A value as a fact of the result: numbers and short lists and objects of them; other things by their kind."""
    if isinstance(value, (bool, float)) or (isinstance(value, int) and abs(value) < 1 << 63):
        return value
    if isinstance(value, list) and value and len(value) <= MOST_NOTED:
        return [noted(each) if not isinstance(each, (list, dict)) else _kind(each) for each in value]
    if isinstance(value, dict) and value and len(value) <= MOST_NOTED:
        return {key[:60]: noted(each) if not isinstance(each, dict) else _kind(each) for key, each in value.items()}
    return _kind(value)


def _walk(value: object, where: str) -> Iterator[tuple[str, object]]:
    """A value and all values in it, each with its place; raises ValueError where they are nested too deep."""
    pending = [(where, value, 0)]
    while pending:
        place, each, depth = pending.pop()
        if depth > MOST_DEPTH:
            raise ValueError("it is nested too deep")
        yield place, each
        inner: Iterable[tuple[Any, object]] = ()
        if isinstance(each, dict):
            inner = each.items()
        elif isinstance(each, list):
            inner = enumerate(each)
        pending += [(f"{place}.{key}"[:MOST_TEXT], item, depth + 1) for key, item in inner]


def _kind(value: object) -> str:
    names = {type(None): "missing", dict: "an object", list: "a list", str: "a text", bool: "true or false"}
    return names.get(type(value), "a number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("an entry is there twice")
    return found


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:60]} is no finite number")
    return value
