"""Attributes an unexpected exception to the plugin whose code raised it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mlperf_mobile.errors import NOT_FOREIGN, BackendError, DataError, MobileError, ModelError, described


@contextmanager
def blame(kind: str, name: str) -> Iterator[None]:
    """Turn every exception that is not our own into an error of the plugin ``name``."""
    try:
        yield
    except NOT_FOREIGN:
        raise
    except BaseException as error:
        raise blamed(kind, name, error) from error


def blamed(kind: str, name: str, error: BaseException) -> BaseException:
    """An error that names the plugin; the exception itself if it is our own."""
    if isinstance(error, (MobileError, MemoryError)):
        return error
    error_type = {"backend": BackendError, "dataset": DataError, "task": ModelError}.get(kind, BackendError)
    summary = f"{kind} {name} failed: {described(error)}"
    plugin_error = error_type(f"{kind}-failed", summary, "worker.log in the result folder has the details")
    plugin_error.__cause__ = error
    return plugin_error
