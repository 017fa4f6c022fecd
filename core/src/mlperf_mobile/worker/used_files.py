"""The files that a run uses: hashed before they are opened, and checked for changes after they were read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mlperf_mobile.errors import BackendError, DataError, MobileError, ModelError
from mlperf_mobile.plan import CompilePlan, DatasetRef, Plan
from mlperf_mobile.resources.identity import WatchedFiles
from mlperf_mobile.user_paths import absolute_path, kind_of

LARGEST = 4 << 30
"""Largest size of a file to hash, in bytes; of larger ones, only the stamp is checked."""

_HINT = "do not change the file while a run uses it, and run again"


class UsedFiles:
    """The files named by the model, the backend's options, the data sets and the task's options.

    Args:
        plan: Names the files.
        results: The folder for results, which changes and may be inside a data folder.
    """

    def __init__(self, plan: CompilePlan, results: Path) -> None:
        self.model = WatchedFiles()
        self._libraries, self._data = WatchedFiles(), WatchedFiles()
        self.facts: dict[str, dict[str, Any]] = {}
        """By the setting that names it: path, SHA-256 (None for a folder), bytes and files."""
        for key, path in libraries(plan):
            self._look(self._libraries, key, path, results)
        for key, path in data(plan):
            self._look(self._data, key, path, results)

    def _look(self, watched: WatchedFiles, key: str, path: Path, results: Path) -> None:
        """Watch a file or folder; one that cannot be read is left to the code that opens it."""
        sha256, count = None, 1
        try:
            if path.is_dir():
                size, count = watched.folder(path, results)
            elif path.stat().st_size > LARGEST:
                size = watched.stamp(path)
            else:
                sha256, size = watched.file(path)
        except OSError:
            return
        self.facts[key] = {"path": str(path), "sha256": sha256, "bytes": size, "files": count}

    def check_model(self) -> None:
        """Raises: ModelError: The model, or a file compiled from it, was replaced or written to."""
        _check(self.model, "model", ModelError)

    def check(self) -> None:
        """Check every file again.

        Raises:
            ModelError: See :meth:`check_model`.
            BackendError: A file named by a backend option has changed.
            DataError: A data file, or one named by a task option, has changed.
        """
        self.check_model()
        _check(self._libraries, "library", BackendError)
        _check(self._data, "data", DataError)


def libraries(plan: CompilePlan) -> Iterator[tuple[str, Path]]:
    """The files that options of the backend name by absolute paths, each with the setting's name."""
    return ((key, path) for key, path in _named("backend_options", plan.backend_options) if path.is_file())


def data(plan: CompilePlan) -> Iterator[tuple[str, Path]]:
    """The files and folders of the data sets and of the task's options, each with the setting's name."""
    if isinstance(plan, Plan):
        yield from _named("task_options", plan.task_options)
        yield from _of_data([("dataset", plan.dataset), ("performance_dataset", plan.performance_dataset)])


def _check(watched: WatchedFiles, what: str, error: type[ModelError] | type[BackendError] | type[DataError]) -> None:
    if path := watched.changed():
        raise _changed(what, path, error)


def _changed(what: str, path: Path, error: type[ModelError] | type[BackendError] | type[DataError]) -> MobileError:
    return error(f"{what}-changed", f"{path} was changed or replaced after its checksum was taken", _HINT)


def _of_data(data: list[tuple[str, DatasetRef | None]]) -> Iterator[tuple[str, Path]]:
    for key, dataset in data:
        if dataset is not None:
            if dataset.path is not None:
                yield key, dataset.path
            yield from _named(f"{key}.options", dataset.options)


def _named(key: str, value: object) -> Iterator[tuple[str, Path]]:
    """The files and folders named by absolute paths, each with the setting's name."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _named(f"{key}.{name}", inner)
    elif isinstance(value, (list, tuple)):
        for number, inner in enumerate(value):
            yield from _named(f"{key}.{number}", inner)
    elif (path := absolute_path(value)) and kind_of(path):
        yield key, path
