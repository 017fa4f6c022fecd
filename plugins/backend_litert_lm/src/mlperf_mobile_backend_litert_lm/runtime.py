"""LiteRT-LM's Python package, and what is known about its installed version."""

from __future__ import annotations

import importlib
from functools import cache
from importlib import metadata
from typing import Any

from mlperf_mobile.errors import BackendError

FIX = "pip install 'mlperf-mobile-backend-litert-lm[litert-lm]'"
DISTRIBUTIONS = ("litert-lm-api", "litert-lm-api-nightly")
"""Those that have the module ``litert_lm``."""


@cache
def load() -> Any:
    """The module, with its log reduced to errors.

    Raises:
        BackendError: ``no-runtime``: it is not installed, or its library cannot be loaded here.
    """
    try:
        module = importlib.import_module("litert_lm")
        module.set_min_log_severity(module.LogSeverity.ERROR)
    except (ImportError, OSError, AttributeError) as error:
        text = " ".join(str(error).split())
        raise BackendError("no-runtime", f"LiteRT-LM cannot be imported: {text}", FIX) from error
    return module


def version() -> str:
    """The version of the distribution that has the module; ``unknown`` if it is in none of them."""
    for name in DISTRIBUTIONS:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return "unknown"
