"""Offers the native runner."""

from __future__ import annotations

from collections.abc import Iterable

from mlperf_mobile.plugin import Ref, RunnerInfo, hookimpl


@hookimpl
def mlperf_mobile_runners() -> Iterable[RunnerInfo]:
    """Offer ``native``."""
    yield RunnerInfo(
        name="native",
        summary="a program without Python: LoadGen and the engine of the backend, on this machine or on a device",
        driver="mlperf_mobile_native_runner.driver",
        places=("local", "*"),
        hook_api=(2, 4),
        check=Ref("mlperf_mobile_native_runner.chosen:check"),
    )
