"""A model given as a folder: its files, and which of them is the main one."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import NoReturn

from mlperf_mobile.config.catalogue import MOST_FILES
from mlperf_mobile.errors import ModelError

MAX_DEPTH = 16
"""How deep the folders in a model's folder may lie."""


def files_of(folder: Path, source: str) -> dict[str, Path]:
    """The files below a folder by their paths there, sorted; hidden ones, such as ``.git``, are left out.

    A link to a file is that file, as in the caches of model hubs.

    Raises:
        ModelError: ``model-files``: a link to a folder or to nothing, a pipe or a device; a name that is not UTF-8; no
            file; too many, or folders that lie too deep. ``model-missing``: it cannot be read.
    """
    found: dict[str, Path] = {}
    try:
        for path in _files(folder, folder, source, MAX_DEPTH):
            if len(found) == MOST_FILES:
                _refuse(folder, f"has more than {MOST_FILES} files", source)
            found[path.relative_to(folder).as_posix()] = path
    except OSError as error:
        summary = f"{source}: cannot read {error.filename or folder}: {error.strerror}"
        raise ModelError("model-missing", summary, "check --model") from error
    if not found:
        _refuse(folder, "has no files", source)
    return dict(sorted(found.items()))


def main_of(files: Mapping[str, Path], formats: Collection[str], folder: Path, source: str) -> tuple[str, str]:
    """The name of the main file, and its format: the only file whose suffix, or whole name, is one of ``formats``.

    Several files may have the suffix of a format, as the parts of a pipeline do, if only one has that of another.

    Raises:
        ModelError: ``model-files``: no file fits, or several do.
    """
    of_format = {form: [name for name in files if has_format(name, form)] for form in formats}
    alone = {form: names[0] for form, names in of_format.items() if len(names) == 1}
    if len(alone) == 1:
        ((form, name),) = alone.items()
        return name, form
    if alone:
        names = ", ".join(sorted(alone.values()))
        summary = f"{source}: each of {names} could be the model in {folder}"
        raise ModelError("model-files", summary, "name its format with --set model_format=FORMAT, or its --backend")
    several = [name for names in of_format.values() for name in names]
    if several:
        summary = f"{source}: {folder} has several models: {', '.join(several[:5])}"
        raise ModelError("model-files", summary, "give the path of one of them")
    summary = f"{source}: no file in {folder} is a {' or '.join(sorted(formats)) or 'known'} model"
    raise ModelError("model-files", summary, f"it has {', '.join([*files][:5])}; give the path of a model file")


def has_format(name: str, form: str) -> bool:
    """Whether a file has a format by its name: ``model.tflite`` for ``tflite``, ``genie_config.json`` for itself."""
    return name.lower().endswith(f".{form}") or name.lower().rpartition("/")[2] == form


def _files(folder: Path, top: Path, source: str, depth: int) -> Iterator[Path]:
    if not depth:
        _refuse(top, f"has folders more than {MAX_DEPTH} deep", source)
    with os.scandir(folder) as entries:
        for seen, entry in enumerate(entries):
            if seen > 10 * MOST_FILES:
                _refuse(top, f"has more than {MOST_FILES} files", source)
            if entry.name.startswith("."):
                continue
            path = Path(entry.path)
            if not entry.name.isprintable() or "\\" in entry.name:
                _refuse(top, f"has a file named {entry.name!a}", source)
            if entry.is_dir(follow_symlinks=False):
                yield from _files(path, top, source, depth - 1)
            elif entry.is_file():
                yield path
            else:
                what = "a link to a folder or to nothing" if entry.is_symlink() else "not a regular file"
                _refuse(top, f"has {path.relative_to(top)}, which is {what}", source)


def _refuse(folder: Path, why: str, source: str) -> NoReturn:
    hint = f"a model's folder may hold only the model's files, at most {MOST_FILES}"
    raise ModelError("model-files", f"{source}: {folder} {why}", hint)
