"""Attributes an unexpected exception to the plugin whose code raised it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mlperf_mobile.contracts import Dataset
from mlperf_mobile.errors import (
    NOT_FOREIGN,
    SEE_LOG,
    BackendError,
    DataError,
    MobileError,
    ModelError,
    described,
)
from mlperf_mobile.scoring import in_truth


def labelled(kind: str, name: str) -> str:
    """The beginning of an error about a plugin; empty if its name is not known."""
    return f"{kind} {name}: " if name else ""


@contextmanager
def blame(kind: str, name: str) -> Iterator[None]:
    """Turn every exception that is not our own into an error of the plugin ``name``."""
    try:
        yield
    except NOT_FOREIGN:
        raise
    except BaseException as error:
        raise blamed(kind, name, error) from error


@contextmanager
def blame_truth(name: str, dataset: Dataset) -> Iterator[None]:
    """Turn what the data set's ``truth`` raises, which a metric calls, into an error of the data set ``name``."""
    try:
        yield
    except Exception as error:
        if in_truth(error, dataset):
            raise blamed("dataset", name, error) from error
        raise


def blamed(kind: str, name: str, error: BaseException) -> BaseException:
    """An error that names the plugin; the exception itself if it is our own."""
    if isinstance(error, (MobileError, MemoryError)):
        return error
    error_type = {"backend": BackendError, "dataset": DataError, "task": ModelError}.get(kind, BackendError)
    summary = f"{kind} {name} failed: {described(error)}"
    plugin_error = error_type(f"{kind}-failed", summary, SEE_LOG)
    plugin_error.__cause__ = error
    return plugin_error
