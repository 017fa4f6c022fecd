"""Reads a mapping in a plugin's YAML key by key; a missing, unknown or wrong key is an error with its place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mlperf_mobile.config.document import Setting, Tree
from mlperf_mobile.errors import UsageError, did_you_mean


class Fields:
    """The keys of one mapping.

    Args:
        setting: The mapping, and its place.
        path: Its key in the file, for messages: ``"benchmarks.first"``.

    Raises:
        UsageError: The setting is not a mapping.
    """

    def __init__(self, setting: Setting, path: str) -> None:
        self._path, self.place = path, setting.source
        if not isinstance(setting.value, dict):
            raise self._misfit(setting, path, "a mapping of keys to values")
        self._tree: Tree = setting.value
        self._read: set[str] = set()

    def text(self, key: str, default: str | None = None) -> str:
        """A text; required without ``default``."""
        return str(self._value(key, default, str, "a text"))

    def integer(self, key: str, default: int | None = None) -> int:
        """A non-negative integer; required without ``default``."""
        value = self._value(key, default, int, "a whole number")
        if key in self._tree and (isinstance(value, bool) or value < 0):
            raise self._misfit(self._tree[key], self._at(key), "a whole number of zero or more")
        return int(value)

    def flag(self, key: str, *, default: bool = False) -> bool:
        """True or false."""
        return bool(self._value(key, default, bool, "true or false"))

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts; empty if the key is missing."""
        return self._items(key, str, "a list of texts")

    def integers(self, key: str) -> tuple[int, ...]:
        """A list of whole numbers; empty if the key is missing."""
        return self._items(key, int, "a list of whole numbers")

    def tree(self, key: str) -> Tree:
        """A mapping as written; empty if the key is missing."""
        value: Tree = self._value(key, {}, dict, "a mapping of keys to values")
        return value

    def fields(self, key: str) -> Fields:
        """A mapping, to be read key by key; empty if the key is missing."""
        self._read.add(key)
        return Fields(self._tree.get(key, Setting({}, self.place)), self._at(key))

    def entries(self, key: str) -> Iterator[tuple[str, Fields]]:
        """The mappings in a mapping, by name."""
        for name, setting in self.tree(key).items():
            yield name, Fields(setting, f"{self._at(key)}.{name}")

    def error(self, key: str, problem: str, hint: str = "") -> UsageError:
        """An error about the value of a key, at its place."""
        place = self._tree[key].source if key in self._tree else self.place
        return UsageError("bad-value", f"{place}: {self._at(key)}: {problem}", hint)

    def finish(self) -> None:
        """Refuse keys that were not read.

        Raises:
            UsageError: A key is unknown.
        """
        for key, setting in self._tree.items():
            if key not in self._read:
                hint = did_you_mean(key, self._read)
                raise UsageError("unknown-key", f"{setting.source}: unknown key {self._at(key)}", hint)

    def _at(self, key: str) -> str:
        return ".".join(filter(None, (self._path, key)))

    def _value(self, key: str, default: Any, kind: type, what: str) -> Any:
        self._read.add(key)
        if key not in self._tree:
            if default is None:
                raise UsageError("missing-key", f"{self.place}: {self._at(key)} is missing", "set it")
            return default
        if not isinstance(self._tree[key].value, kind):
            raise self._misfit(self._tree[key], self._at(key), what)
        return self._tree[key].value

    def _items(self, key: str, kind: type, what: str) -> tuple[Any, ...]:
        items = self._value(key, [], list, what)
        if not all(isinstance(item, kind) and not isinstance(item, bool) for item in items):
            raise self._misfit(self._tree[key], self._at(key), what)
        return tuple(items)

    @staticmethod
    def _misfit(setting: Setting, key: str, what: str) -> UsageError:
        shown = "a mapping" if isinstance(setting.value, dict) else f"{setting.value!r:.80}"
        return UsageError("bad-value", f"{setting.source}: {key}: expected {what}, got {shown}", f"write {what}")
