"""What is installed: distributions with their versions, requirements and entry points, read from their metadata.

It reads what ``importlib.metadata`` reads at a fraction of the cost: importing that takes as long as starting the
interpreter four times, and it parses every METADATA as an e-mail. It is used only if ``sys.path`` has more than
folders.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property, reduce
from importlib import import_module
from importlib.machinery import PathFinder

_NAME = r"[A-Za-z0-9._-]+"
_EXTRA = r"""extra\s*==\s*(?P<quote>["'])(?P<extra>[^"']*)(?P=quote)"""
_FIELD = re.compile(r"^(Name|Version|Requires-Dist):(.*)$", re.IGNORECASE | re.MULTILINE)
_SEPARATORS = re.compile(r"[-_.]+")


class EntryPoint:
    """One entry point of a distribution: ``name = value``."""

    def __init__(self, name: str, value: str, distribution: Distribution) -> None:
        self.name, self.value, self.dist = name, value, distribution

    def load(self) -> object:
        """Import its module, and return the object (packaging.python.org, entry points specification).

        Raises:
            ValueError: It does not name a module.
            BaseException: The import may raise anything.
        """
        place, _, _ = self.value.partition("[")  # extras follow
        module, colon, path = map(str.strip, place.partition(":"))
        attributes = path.split(".") if colon else []
        if not all(map(str.isidentifier, [*module.split("."), *attributes])):
            raise ValueError(f"entry point {self.name!r} is {self.value!r}, not 'module' or 'module:attribute'")
        return reduce(getattr, attributes, import_module(module))


class Distribution:
    """An installed distribution.

    Args:
        key: Its name, normalised: runs of ``-_.`` are one ``-``, lower case.
        read: Returns the text of one of its metadata files, empty if it does not exist.
    """

    def __init__(self, key: str, read: Callable[[str], str]) -> None:
        self.key, self.read = key, read

    @property
    def name(self) -> str:
        """The name as its author writes it."""
        return next(iter(self._fields.get("name", ())), self.key)

    @property
    def version(self) -> str:
        return next(iter(self._fields.get("version", ())), "?")

    @property
    def requires(self) -> set[str]:
        """The distributions that it requires without an extra, by their normalised names."""
        return self._required("")

    def with_extra(self, name: str) -> set[str]:
        """The distributions that one of its extras requires, by their normalised names."""
        return self._required(name)

    def _required(self, extra: str) -> set[str]:
        found = set()
        for text in self._fields.get("requires-dist", ()):
            name, condition = re.match(_NAME, text), re.search(_EXTRA, text)
            if name and (condition["extra"] if condition else "") == extra:
                found.add(normalised(name[0]))
        return found

    def entry_points(self, group: str) -> Iterator[EntryPoint]:
        """Its entry points of a group, in their order."""
        text = self.read("entry_points.txt")
        inside = False
        for line in map(str.strip, text.splitlines() if group in text else ()):
            if line.startswith("["):
                inside = line == f"[{group}]"
            elif inside and line and not line.startswith("#"):
                name, _, value = line.partition("=")
                yield EntryPoint(name.strip(), value.strip(), self)

    @cached_property
    def _fields(self) -> dict[str, list[str]]:
        """The fields of its metadata that are needed, by name in lower case; they end at the first empty line."""
        fields: dict[str, list[str]] = {}
        head, _, _ = (self.read("METADATA") or self.read("PKG-INFO")).partition("\n\n")
        for name, value in _FIELD.findall(head):
            fields.setdefault(name.lower(), []).append(value.strip())
        return fields


def distributions(folders: Iterable[str] | None = None) -> Iterator[Distribution]:
    """Every distribution in the folders; of several with one name the first, which is the one that is imported.

    Args:
        folders: Where to look; everything on ``sys.path`` by default.
    """
    seen = set()
    if folders is not None or _only_folders():
        found = _in_folders(sys.path if folders is None else folders)
    else:
        found = _anywhere()
    for each in found:
        if each.key not in seen:
            seen.add(each.key)
            yield each


def distribution(name: str) -> Distribution | None:
    """The distribution of a name; None if it is not installed."""
    key = normalised(name)
    return next((each for each in distributions() if each.key == key), None)


def entry_points(group: str, folders: Iterable[str] | None = None) -> list[EntryPoint]:
    """The entry points of a group in all :func:`distributions`."""
    return [entry for each in distributions(folders) for entry in each.entry_points(group)]


def version(name: str) -> str:
    """The version of a distribution, ``"?"`` if it is not installed."""
    found = distribution(name)
    return found.version if found else "?"


def normalised(name: str) -> str:
    """A distribution's name in the form that is compared (packaging.python.org, name normalization)."""
    return _SEPARATORS.sub("-", name).lower()


def _only_folders() -> bool:
    """Whether ``sys.path`` has only folders: no archive, and no import hook that finds distributions."""
    hooks = any(hasattr(finder, "find_distributions") for finder in sys.meta_path if finder is not PathFinder)
    return not hooks and not any(os.path.isfile(place) or place.endswith(".egg") for place in sys.path)  # noqa: PTH113


def _in_folders(folders: Iterable[str]) -> Iterator[Distribution]:
    for folder in folders:
        try:
            names = os.listdir(folder or ".")  # noqa: PTH208  pathlib is imported by nothing else in a listing
        except OSError:
            continue
        for name in names:
            stem, dot, suffix = name.rpartition(".")
            if dot and suffix.lower() in ("dist-info", "egg-info"):
                yield Distribution(normalised(stem.partition("-")[0]), _reader(os.path.join(folder, name)))  # noqa: PTH118


def _reader(place: str) -> Callable[[str], str]:
    def read(name: str) -> str:
        for path in (os.path.join(place, name), place):  # noqa: PTH118  an .egg-info may be the PKG-INFO itself
            try:
                with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123
                    return file.read()
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError):
                if name != "PKG-INFO":
                    break
        return ""

    return read


def _anywhere() -> Iterator[Distribution]:
    from importlib import metadata

    for each in metadata.distributions():
        if name := each.metadata["Name"]:

            def read(file: str, found: metadata.Distribution = each) -> str:
                return found.read_text(file) or ""

            yield Distribution(normalised(name), read)
