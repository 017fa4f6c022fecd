"""Reads hostile YAML safely, and remembers the line and column of every value."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

from mlperf_mobile.errors import UsageError

MAX_BYTES = 1 << 16
MAX_DEPTH = 20
MAX_SETTINGS = 1000
MAX_KEY = 200


@dataclass(frozen=True, slots=True)
class Setting:
    """A value and the place that set it: ``"run.yaml:3:5"``, ``"--rules"``, ``"MLPERF_MOBILE_RULES"``."""

    value: Any
    source: str


Layer = dict[str, Setting]
"""Settings by dotted key: ``"seeds.qsl"``."""


def read_file(path: Path) -> Layer:
    """The settings of a YAML file.

    Raises:
        UsageError: The file cannot be read, is too large, or is not the YAML of one mapping.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(
            "run-file", f"cannot read {path}: {error.strerror}", "check the path given with --config"
        ) from error
    return read_text(data, str(path))


def read_resource(reference: str, label: str) -> Layer:
    """The settings in a package resource, named ``"package:resource"``, or under one of its keys: ``"…#key"``.

    Raises:
        UsageError: There is no such resource or key, or it is not the YAML of one mapping.
    """
    where, _, part = reference.partition("#")
    package, _, name = where.partition(":")
    try:
        data = files(package).joinpath(name).read_bytes()
    except Exception as error:  # the package is imported, which may do anything
        raise UsageError("settings", f"{label}: no settings at {reference}: {error}", "reinstall the plugin") from error
    layer = read_text(data, label)
    if not part:
        return layer
    prefix = f"{part}."
    found = {key.removeprefix(prefix): setting for key, setting in layer.items() if key.startswith(prefix)}
    if not found:
        raise UsageError("settings", f"{label}: no settings at {reference}", "reinstall the plugin")
    return found


def read_text(data: bytes, label: str) -> Layer:
    """The settings in a YAML text; ``label`` stands for the file in messages."""
    if len(data) > MAX_BYTES:
        raise UsageError("run-file", f"{label} is larger than {MAX_BYTES} bytes", "a run file is a page of settings")
    try:
        node = yaml.compose(data, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{label}:{mark.line + 1}:{mark.column + 1}" if mark else label
        raise UsageError(
            "yaml-syntax", f"{place}: {error.problem or error.context}", "the file must be YAML"
        ) from error
    except (yaml.YAMLError, UnicodeError, ValueError) as error:
        raise UsageError("yaml-syntax", f"{label}: {error}", "the file must be YAML in UTF-8") from error
    if node is None:
        return {}
    if not isinstance(node, yaml.MappingNode):
        raise UsageError("yaml-syntax", f"{_place(label, node)}: expected 'key: value' lines", "see docs/running.md")
    layer = dict(islice(_flatten(node, label, ""), MAX_SETTINGS + 1))
    if len(layer) > MAX_SETTINGS:
        raise UsageError(
            "run-file", f"{label} has more than {MAX_SETTINGS} settings", "a run file is a page of settings"
        )
    return layer


class _Loader(yaml.SafeLoader):
    """SafeLoader that refuses aliases (whose expansion is unbounded) and deep nesting."""

    peek_event: Callable[[], Any]

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.composer.ComposerError(None, None, "aliases are not allowed", self.peek_event().start_mark)
        self.depth = getattr(self, "depth", 0) + 1
        if self.depth > MAX_DEPTH:
            raise yaml.composer.ComposerError(None, None, "nested too deeply", self.peek_event().start_mark)
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


def _place(label: str, node: yaml.Node) -> str:
    return f"{label}:{node.start_mark.line + 1}:{node.start_mark.column + 1}"


def _flatten(mapping: yaml.MappingNode, label: str, prefix: str) -> Iterator[tuple[str, Setting]]:
    seen: set[str] = set()
    for key_node, value_node in mapping.value:
        place = _place(label, key_node)
        if not isinstance(key_node, yaml.ScalarNode):
            raise UsageError("yaml-syntax", f"{place}: a key must be a word", "see docs/running.md")
        key = prefix + key_node.value
        if len(key) > MAX_KEY:
            raise UsageError("yaml-syntax", f"{place}: a key is longer than {MAX_KEY}", "see docs/running.md")
        if key in seen:
            raise UsageError("duplicate-key", f"{place}: {key} is set twice", "keep one of them")
        seen.add(key)
        if isinstance(value_node, yaml.MappingNode) and value_node.value:
            yield from _flatten(value_node, label, f"{key}.")
        else:
            yield key, Setting(_construct(value_node, label), place)


def _construct(node: yaml.Node, label: str) -> Any:
    constructor = yaml.constructor.SafeConstructor()
    try:
        return constructor.construct_document(node)
    except Exception as error:  # PyYAML trips over a value that its tag or pattern promised otherwise
        raise UsageError("yaml-syntax", f"{_place(label, node)}: {_brief(error)}", "quote the value") from error


def _brief(error: Exception) -> str:
    return str(getattr(error, "problem", None) or error or type(error).__name__)[:200]
