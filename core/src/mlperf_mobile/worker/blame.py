"""Names the plugin in whose code an unforeseen exception came up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mlperf_mobile.errors import NOT_FOREIGN, BackendError, DataError, MobileError, ModelError, described


@contextmanager
def blame(kind: str, name: str) -> Iterator[None]:
    """Turn exceptions of any type, other than our own, into errors of the plugin ``name``."""
    try:
        yield
    except NOT_FOREIGN:
        raise
    except BaseException as error:
        raise blamed(kind, name, error) from error


def blamed(kind: str, name: str, error: BaseException) -> BaseException:
    """The error that names the plugin; the exception itself if it is one of our own."""
    if isinstance(error, (MobileError, MemoryError)):
        return error
    error_type = {"backend": BackendError, "dataset": DataError, "task": ModelError}.get(kind, BackendError)
    summary = f"{kind} {name} failed: {described(error)}"
    told = error_type(f"{kind}-failed", summary, "worker.log in the result folder has the details")
    told.__cause__ = error
    return told
