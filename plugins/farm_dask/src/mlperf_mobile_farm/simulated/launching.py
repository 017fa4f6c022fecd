"""Runs on simulated devices without a process for each, so that one host can have hundreds of them."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from mlperf_mobile import events
from mlperf_mobile.campaigns.run import Launch, Listen
from mlperf_mobile.errors import MobileError
from mlperf_mobile.launch import endings
from mlperf_mobile.launch.local import close
from mlperf_mobile.plan import Plan
from mlperf_mobile.processes import created
from mlperf_mobile.results import store
from mlperf_mobile.results.model import ErrorFacts, Result, Status
from mlperf_mobile.results.recompose import Ending, Journal, program
from mlperf_mobile_farm.simulated.measuring import measure
from mlperf_mobile_farm.simulated.physics import Physics
from mlperf_mobile_farm.simulated.target import parse


class _Cancelled(Exception):
    """The run was cancelled."""


def launch_until(cancelled: threading.Event) -> Launch:
    """A launcher for simulated devices whose runs end as interrupted when ``cancelled`` is set."""

    def wait(seconds: float) -> None:
        if cancelled.wait(seconds):
            raise _Cancelled

    def launch(plan: Plan, output: Path, listen: Listen) -> Result:
        folder = store.Folder.create(output, plan)
        try:
            mine = os.getpid()
            started = events.Started(pid=mine, created=0, launcher=mine, launcher_created=created(mine))
            folder.journal.write(events.encode(started))
            journal = Journal()
            status, error = Status.COMPLETED, None
            try:
                address = plan.device or ""
                device = Physics(parse(address.partition(":")[2]), time.time)
                for event in measure(device, plan, address, wait):
                    folder.journal.write(events.encode(event))
                    journal.take(event)
                    listen(event)
            except _Cancelled:
                status, error = Status.INTERRUPTED, endings.interrupted()
            except MobileError as failure:
                status, error = Status.FAILED, ErrorFacts.model_validate(failure.record())
            return close(folder, plan, journal, Ending(status, error, str(folder.final), program()))
        finally:
            folder.close()

    return launch
