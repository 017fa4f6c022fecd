"""What the trials of a search share: the samples in memory, and the log of the steps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from mlperf_mobile import loadgen
from mlperf_mobile.contracts import SearchStep
from mlperf_mobile.errors import OutputError

SEARCH_LOG = "search.jsonl"
"""The steps of a search, one line each, as they end; those of an interrupted run are only here."""
TRIALS = "trials"
"""The folder of the logs of a search's steps, but for the last one."""


class KeptSamples:
    """Loads the samples of the first run of a search, and keeps them for the others, which use the same ones."""

    def __init__(self, library: loadgen.SampleLibrary) -> None:
        self._load, self._unload = library.load, library.unload
        self._held: list[int] = []
        self.library = replace(library, load=self._hold, unload=lambda indices: None)

    def _hold(self, indices: Sequence[int]) -> None:
        if self._held != list(indices):
            self.release()
            self._load(indices)
            self._held = list(indices)

    def release(self) -> None:
        """Unload them."""
        self._unload(self._held)
        self._held = []


class Steps:
    """The steps of a search, in memory and in a file of the log folder."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self.done: list[SearchStep] = []

    def folder(self) -> Path:
        """The folder for the logs of the next step."""
        return self._logs / TRIALS / f"{len(self.done) + 1:03d}"

    def add(self, step: SearchStep) -> None:
        """Keep a step.

        Raises:
            OutputError: It cannot be written.
        """
        self.done.append(step)
        path = self._logs / SEARCH_LOG
        try:
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(step)) + "\n")
        except OSError as error:
            raise OutputError(
                "output-unwritable", f"cannot write {path}: {error.strerror}", "free some space"
            ) from error

    def finish(self, last: Path) -> None:
        """Move the logs of the last step to where those of a run are."""
        try:
            for path in sorted(last.iterdir()):
                path.replace(self._logs / path.name)
            last.rmdir()
        except OSError as error:
            raise OutputError(
                "output-unwritable", f"cannot move {last}: {error.strerror}", "free some space"
            ) from error
