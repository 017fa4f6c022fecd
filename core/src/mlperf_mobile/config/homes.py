"""Where relative paths of models and data begin: in a package, or in a folder of the user's."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from mlperf_mobile.config.document import Layer
from mlperf_mobile.user_paths import expand


@dataclass(frozen=True, slots=True)
class Home:
    """Where relative paths begin: in a package, or in a folder of the user's, whose paths may lead anywhere."""

    package: str = ""
    folder: Path | None = None

    def path(self, file: str) -> Path:
        """The path of a file."""
        if self.folder is None:
            return Path(str(files(self.package).joinpath(file)))
        return self.folder / expand(Path(file), "file")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a model or data is described, other than in its task's settings."""

    home: Home
    source: str
    """The place of the description: ``"run.yaml:3:5"``."""


class Homed(NamedTuple):
    """A layer of settings, and where the relative paths of its models and data begin."""

    layer: Layer
    home: Home
    extends: bool = False
    """Whether its models are further forms of those of the same names, rather than in their place."""
