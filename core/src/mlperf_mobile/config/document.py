"""Reads untrusted YAML safely, and records the line and column of every value."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from mlperf_mobile.config import core_schema
from mlperf_mobile.errors import UsageError, described

MAX_BYTES = 1 << 16
MAX_DEPTH = 20
MAX_SETTINGS = 1000
MAX_KEY = 200
_PLAIN = re.compile(rb"[\n -~]*")
"""What PyYAML and LibYAML agree on; LibYAML takes tabs, line ends and marks of byte order that PyYAML does not."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A value and the place that set it: ``"run.yaml:3:5"``, ``"--rules"``, ``"MLPERF_MOBILE_RULES"``."""

    value: Any
    source: str


Layer = dict[str, Setting]
"""Settings by dotted key: ``"seeds.qsl"``."""

Tree = dict[str, Setting]
"""A mapping as written: a setting's value is again a ``Tree`` where the file has a mapping."""


def read_file(path: Path) -> Layer:
    """The settings of a YAML file.

    Raises:
        UsageError: The file cannot be read, is too large, or is not one YAML mapping.
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
        UsageError: The resource or key does not exist, or is not one YAML mapping.
    """
    where, _, part = reference.partition("#")
    tree = read_tree(resource(where, label), label)
    if not part:
        return flat(tree, label)
    if part not in tree or not isinstance(tree[part].value, dict):
        raise UsageError("settings", f"{label}: no settings at {reference}", "reinstall the plugin")
    return flat(tree[part].value, label)


def resource(reference: str, label: str) -> bytes:
    """The content of a package resource, named ``"package:resource"``.

    Raises:
        UsageError: The resource does not exist.
    """
    package, _, name = reference.partition(":")
    if not (name and all(map(str.isidentifier, package.split(".")))) or name.startswith("/") or ".." in name.split("/"):
        summary = f"{label}: its settings are {reference!r:.100}, not of the form 'package:file.yaml'"
        raise UsageError("settings", summary, f"report it to the author of {label}")
    try:
        return files(package).joinpath(name).read_bytes()
    except Exception as error:  # importing the package may raise anything
        summary = f"{label}: no settings at {reference}: {described(error)}"
        raise UsageError("settings", summary, "reinstall the plugin; its wheel must contain the file") from error


def read_text(data: bytes, label: str) -> Layer:
    """The settings in a YAML text; ``label`` stands for the file in messages.

    Raises:
        UsageError: The text is too large, or is not one YAML mapping.
    """
    return flat(read_tree(data, label), label)


def read_tree(data: bytes, label: str) -> Tree:
    """The mapping in a YAML text, whose keys may contain dots; ``label`` stands for the file in messages.

    Raises:
        UsageError: The text is too large, or is not one YAML mapping.
    """
    node = _compose(data, label)
    if node is None:
        return {}
    if not isinstance(node, yaml.MappingNode):
        raise UsageError("yaml-syntax", f"{_place(label, node)}: expected 'key: value' lines", "see docs/running.md")
    return _tree(node, label, "")


def flat(tree: Tree, label: str) -> Layer:
    """The settings in a tree, by dotted key.

    Raises:
        UsageError: A key is set twice, or there are too many.
    """
    return _layer(_flatten(tree, ""), label)


def read_value(key: str, text: str, source: str) -> Layer:
    """The settings that ``key: text`` would make in a file; a mapping makes one for each of its parts.

    Args:
        key: The setting's name.
        text: Its value in YAML.
        source: Where it was set: a flag or a variable.

    Raises:
        UsageError: The text is not one YAML value.
    """
    if len(key) > MAX_KEY:
        raise UsageError("yaml-syntax", f"{source}: a key is longer than {MAX_KEY}", "see docs/running.md")
    try:
        node = _compose(b"value: " + text.encode("utf-8", "surrogateescape"), source)
        if not isinstance(node, yaml.MappingNode) or len(node.value) != 1:
            raise UsageError("yaml-syntax", f"{source}: more than one value")
        layer = flat(_tree(node, source, ""), source)
    except UsageError as error:  # the column refers to the line composed here, not to the user's text
        problem = re.sub(rf"^{re.escape(source)}:\d+:\d+", lambda _: source, error.summary)
        raise UsageError(error.code, problem, "quote the value if it is a string; see docs/running.md") from error
    return {key + name.removeprefix("value"): Setting(setting.value, source) for name, setting in layer.items()}


def _compose(data: bytes, label: str) -> yaml.Node | None:
    if len(data) > MAX_BYTES:
        raise UsageError("run-file", f"{label} is larger than {MAX_BYTES} bytes", "leave settings out")
    try:
        return _composed(data)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{label}:{mark.line + 1}:{mark.column + 1}" if mark else label
        raise UsageError(
            "yaml-syntax", f"{place}: {error.problem or error.context}", "the file must be YAML"
        ) from error
    except (yaml.YAMLError, UnicodeError, ValueError) as error:
        raise UsageError("yaml-syntax", f"{label}: {error}", "the file must be YAML in UTF-8") from error


@lru_cache(maxsize=32)  # a command reads some files of plugins more than once
def _composed(data: bytes) -> yaml.Node | None:
    """The node of a document. LibYAML is ten times as fast, and reads plain texts alike; errors are PyYAML's."""
    if yaml.__with_libyaml__ and _PLAIN.fullmatch(data):
        with suppress(yaml.YAMLError, UnicodeError, ValueError):
            return _LibYAML(data).get_single_node()
    return _PyYAML(data).get_single_node()


class _Composer(yaml.composer.Composer, yaml.resolver.BaseResolver):
    """Composes nodes by YAML 1.2's core schema; refuses aliases, whose expansion is unbounded, and deep nesting."""

    peek_event: Callable[[], Any]

    def __init__(self) -> None:
        yaml.composer.Composer.__init__(self)
        yaml.resolver.BaseResolver.__init__(self)
        self.depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()
        place = event.start_mark
        if isinstance(event, yaml.AliasEvent):
            raise yaml.composer.ComposerError(None, None, "aliases are not allowed", place)
        if getattr(event, "tag", None) == "!":
            raise yaml.composer.ComposerError(None, None, "the tag '!' is not allowed", place)
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise yaml.composer.ComposerError(None, None, "nested too deeply", place)
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1

    def resolve(self, kind: type[yaml.Node], value: str, implicit: Any) -> str:
        if kind is yaml.ScalarNode:
            return core_schema.tag_of(value) if implicit[0] else core_schema.STR
        return core_schema.SEQ if kind is yaml.SequenceNode else core_schema.MAP


class _PyYAML(_Composer, yaml.reader.Reader, yaml.scanner.Scanner, yaml.parser.Parser):
    def __init__(self, data: bytes) -> None:
        _Composer.__init__(self)
        yaml.reader.Reader.__init__(self, data)
        yaml.scanner.Scanner.__init__(self)
        yaml.parser.Parser.__init__(self)


if yaml.__with_libyaml__:
    from yaml._yaml import CParser

    class _LibYAML(_Composer, CParser):
        def __init__(self, data: bytes) -> None:
            _Composer.__init__(self)
            CParser.__init__(self, data)


def _place(label: str, node: yaml.Node) -> str:
    return f"{label}:{node.start_mark.line + 1}:{node.start_mark.column + 1}"


def _tree(mapping: yaml.MappingNode, label: str, prefix: str) -> Tree:
    tree: Tree = {}
    for key, place, value in _items(mapping, label, prefix):
        if len(prefix + key) > MAX_KEY:
            raise UsageError("yaml-syntax", f"{place}: a key is longer than {MAX_KEY}", "see docs/running.md")
        if isinstance(value, yaml.MappingNode) and value.tag == core_schema.MAP:
            tree[key] = Setting(_tree(value, label, f"{prefix}{key}."), place)
        else:
            tree[key] = Setting(_construct(value, label), place)
    return tree


def _flatten(tree: Tree, prefix: str) -> Iterator[tuple[str, Setting]]:
    for key, setting in tree.items():
        if isinstance(setting.value, dict) and setting.value:
            yield from _flatten(setting.value, f"{prefix}{key}.")
        else:
            yield prefix + key, setting


def _items(mapping: yaml.MappingNode, label: str, prefix: str = "") -> Iterator[tuple[str, str, yaml.Node]]:
    """Each key with its place and value; a key is its literal text, even if it looks like a number.

    ``prefix`` is for messages.
    """
    seen: set[str] = set()
    for key, value in mapping.value:
        place = _place(label, key)
        if not isinstance(key, yaml.ScalarNode):
            raise UsageError("yaml-syntax", f"{place}: a key must be a string", "see docs/running.md")
        if key.value in seen:
            raise _twice(prefix + key.value, place)
        seen.add(key.value)
        yield key.value, place, value


def _construct(node: yaml.Node, label: str) -> Any:
    """The value of a node, in JSON's types."""
    try:
        if isinstance(node, yaml.ScalarNode):
            return core_schema.value(node.tag, node.value)
        if isinstance(node, yaml.SequenceNode) and node.tag == core_schema.SEQ:
            return [_construct(item, label) for item in node.value]
        if isinstance(node, yaml.MappingNode) and node.tag == core_schema.MAP:
            return {key: _construct(value, label) for key, _, value in _items(node, label)}
        raise ValueError(f"the tag {node.tag!r:.80} does not fit here")
    except ValueError as error:
        raise UsageError(
            "yaml-syntax", f"{_place(label, node)}: {error}", "quote the value if it is a string"
        ) from error


def _layer(settings: Iterator[tuple[str, Setting]], label: str) -> Layer:
    """The settings as a layer; no key may be set twice, or together with one of its parts."""
    layer: Layer = {}
    parents: set[str] = set()
    for key, setting in settings:
        above = {key[:at] for at, character in enumerate(key) if character == "."}
        if key in layer or key in parents or above & layer.keys():
            raise _twice(key, setting.source)
        layer[key] = setting
        parents |= above
        if len(layer) > MAX_SETTINGS:
            raise UsageError("run-file", f"{label} has more than {MAX_SETTINGS} settings", "leave settings out")
    return layer


def _twice(key: str, place: str) -> UsageError:
    return UsageError("duplicate-key", f"{place}: {key:.{MAX_KEY}} is set twice", "keep one of them")
