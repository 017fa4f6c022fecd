"""The driver of the runner ``simulated``: a process that waits as long as a run takes.

Started by the launcher as ``python -m mlperf_mobile_farm.simulated.driver --events-fd N --directory DIR --parent PID``.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time

from mlperf_mobile import events
from mlperf_mobile.errors import MobileError
from mlperf_mobile.plan import Plan
from mlperf_mobile_farm.simulated.measuring import measure
from mlperf_mobile_farm.simulated.physics import Physics
from mlperf_mobile_farm.simulated.target import parse


class _Cancelled(Exception):
    """The launcher cancelled the run, or is gone."""


def main() -> int:
    """Carry out the plan on standard input; returns the exit code."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--events-fd", type=int, required=True)
    parser.add_argument("--directory", required=True)
    parser.add_argument("--parent", type=int, required=True)
    args = parser.parse_args()
    plan = Plan.model_validate_json(sys.stdin.buffer.readline())
    cancelled = threading.Event()

    def listen() -> None:
        sys.stdin.buffer.readline()  # "cancel", or the end, when the launcher is gone
        cancelled.set()

    threading.Thread(target=listen, daemon=True).start()

    def wait(seconds: float) -> None:
        if cancelled.wait(seconds):
            raise _Cancelled

    def tell(event: events.Event) -> None:
        os.write(args.events_fd, events.encode(event))

    try:
        address = plan.device or ""
        device = Physics(parse(address.partition(":")[2]), time.time)
        for event in measure(device, plan, address, wait):
            tell(event)
    except _Cancelled:
        return 130
    except MobileError as error:
        tell(events.Failed.model_validate(error.record()))
        return int(error.exit_code)
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)
