"""``python -m mlperf_mobile_native_runner.driver``: drives the native runner, for the launcher."""

from __future__ import annotations

from mlperf_mobile_devices.driver import drive
from mlperf_mobile_native_runner.run import NativeRun


def main() -> int:
    """Carry out a plan with the native runner."""
    return drive(NativeRun.begin, NativeRun)


if __name__ == "__main__":
    from mlperf_mobile.worker.surroundings import leave

    leave(main())
