"""Names the plugin in whose code an unforeseen exception came up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mlperf_mobile.errors import BackendError, DataError, MobileError, ModelError


@contextmanager
def blame(kind: str, name: str) -> Iterator[None]:
    """Turn exceptions other than our own into errors of the plugin ``name``."""
    try:
        yield
    except Exception as error:
        if (told := blamed(kind, name, error)) is error:
            raise
        raise told from error


def blamed(kind: str, name: str, error: BaseException) -> BaseException:
    """The error that names the plugin; the exception itself if it is one of our own."""
    if isinstance(error, (MobileError, MemoryError)):
        return error
    error_type = {"backend": BackendError, "dataset": DataError, "task": ModelError}.get(kind, BackendError)
    summary = f"{kind} {name} failed: {type(error).__name__}: {error}"[:500]
    told = error_type(f"{kind}-failed", summary, "worker.log in the result folder has the details")
    told.__cause__ = error
    return told
