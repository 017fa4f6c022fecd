"""Types of fields in the pydantic models of plugins' options: files, folders and libraries that users name.

::

    class AcmeOptions(BaseModel):
        labels: UserPath | None = Field(None, description="file with one class number per line")
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

from mlperf_mobile.user_paths import expanded

__all__ = ["NameOrPath", "UserPath"]


def _given(path: object) -> object:
    if path == "":
        raise ValueError("a path is expected")
    return path


def _absolute(path: Path) -> Path:
    return expanded(path).absolute()


def _absolute_path(text: str) -> str:
    return str(_absolute(Path(text))) if "/" in text else text


UserPath = Annotated[Path, BeforeValidator(_given), AfterValidator(_absolute)]
"""A file or folder: absolute and without ``~``, so that a plan means the same one from any directory."""
NameOrPath = Annotated[str, AfterValidator(_absolute_path)]
"""A shared library: with a slash a path, as :data:`UserPath`; otherwise a name that the loader searches for."""
