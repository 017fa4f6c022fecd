"""Where the cache of a user is, and in it the records of the conformance kit; imports nothing heavy."""

from __future__ import annotations

import os
from pathlib import Path

from mlperf_mobile.errors import UsageError
from mlperf_mobile.names import as_file_name


def default_folder() -> Path:
    """``$XDG_CACHE_HOME/mlperf-mobile``, by default ``~/.cache/mlperf-mobile`` (XDG Base Directory 0.8).

    Raises:
        UsageError: The user has no home directory.
    """
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not base.is_absolute():  # as the specification requires
        try:
            base = Path.home() / ".cache"
        except RuntimeError as error:
            raise UsageError("no-cache", "this user has no home directory", "name a folder for the cache") from error
    return base / "mlperf-mobile"


def conformance_record(distribution: str, plugin: str) -> Path:
    """Where the record of a verified plugin is kept."""
    return default_folder() / "conformance" / f"{as_file_name(f'{distribution}-{plugin}')}.json"
