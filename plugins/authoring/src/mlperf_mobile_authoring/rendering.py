"""Renders the templates of a kind of plugin, and puts the whole project in place at once."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from mlperf_mobile.errors import OutputError

_SUFFIX = ".jinja"
_TEMPLATES = files(__package__) / "templates"
_COMMON = "common"
_FACTS = "values.json"
"""Further values of a kind: what was measured when its files were made."""


def rendered(kind: str, values: Mapping[str, object]) -> dict[str, bytes]:
    """The files of a project by their path, with ``/`` between its parts.

    A template's path may have values in it as its text has; only files that end in ``.jinja`` are templates, all others
    are copied.

    Args:
        kind: A folder of templates beside the common ones.
        values: What the templates refer to by name.
    """
    facts = json.loads((_TEMPLATES / kind / _FACTS).read_bytes()) if (_TEMPLATES / kind / _FACTS).is_file() else {}
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)  # noqa: S701  no HTML
    project: dict[str, bytes] = {}
    for folder in (_COMMON, kind):
        for path, file in _below(_TEMPLATES / folder):
            if path == _FACTS:
                continue
            target = environment.from_string(path.removesuffix(_SUFFIX)).render(**values, **facts)
            data = file.read_bytes()
            if path.endswith(_SUFFIX):
                data = environment.from_string(data.decode()).render(**values, **facts).encode()
            project[target] = data
    return dict(sorted(project.items()))


def _below(folder: Traversable, path: str = "") -> Iterator[tuple[str, Traversable]]:
    for each in folder.iterdir():
        if each.is_dir():
            if each.name != "__pycache__":
                yield from _below(each, f"{path}{each.name}/")
        else:
            yield path + each.name, each


def put(project: Mapping[str, bytes], folder: Path) -> None:
    """Write a project into a new folder, which appears complete or not at all; folders above it are made if needed.

    Raises:
        OutputError: ``output-exists``: there is something at ``folder``; ``output-unwritable``: it cannot be written.
    """
    if os.path.lexists(folder):
        raise OutputError("output-exists", f"{folder} exists", "choose another name, or another --output")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as temporary:
            whole = Path(temporary, folder.name)
            for path, data in project.items():
                file = whole / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(data)
            whole.rename(folder)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(
            "output-unwritable", f"{folder} cannot be written: {reason}", "choose another --output"
        ) from None
