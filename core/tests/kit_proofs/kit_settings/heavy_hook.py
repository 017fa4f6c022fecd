"""A plugin module that is light, and offers nothing before it has imported numpy."""

from __future__ import annotations

from mlperf_mobile.plugin import hookimpl


@hookimpl
def mlperf_mobile_backends():
    import numpy  # noqa: F401

    return ()
