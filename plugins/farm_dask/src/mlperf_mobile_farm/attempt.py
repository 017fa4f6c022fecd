"""One attempt at a session, in a process of its own: ``python -m mlperf_mobile_farm.attempt CAMPAIGN_FILE``.

It prints a JSON object for each event that is worth showing, and stops when its standard input ends or says so.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mlperf_mobile import events
from mlperf_mobile.campaigns.campaign import Campaign, read
from mlperf_mobile.campaigns.estimate import Estimate
from mlperf_mobile.campaigns.run import CampaignRunner, Launch, Listen
from mlperf_mobile.errors import MobileError
from mlperf_mobile.launch.local import launch as launch_process
from mlperf_mobile.plan import Plan

Tell = Callable[[dict[str, Any]], None]
"""Called with what changed: ``{"place": 1, "runs": 2, "benchmark": …, "phase": …, "fraction": 0.5}``."""


def carry_out(campaign: Campaign, tell: Tell, launch: Launch = launch_process) -> None:
    """Carry out the pending runs of a campaign; the results are in its folder.

    Args:
        campaign: The campaign; it is kept in its file if it has several runs.
        tell: Called with the progress, and may raise KeyboardInterrupt to stop it.
        launch: Carries out one run.

    Raises:
        DeviceError: ``device-busy``: another process has the device; nothing was started.
        OutputError: A result cannot be stored.
    """

    @contextmanager
    def show(plan: Plan, place: int, runs: int, left: Estimate) -> Iterator[Listen]:
        where = {"place": place, "runs": runs, "benchmark": plan.benchmark}

        def listen(event: events.Event) -> None:
            if isinstance(event, events.Phase):
                tell({**where, "phase": event.name, "fraction": None})
            elif isinstance(event, events.Progress):
                tell({**where, "phase": event.phase, "fraction": event.fraction})

        yield listen

    for _ in CampaignRunner(campaign, show, keep=len(campaign.steps) > 1, launch=launch).run():
        pass


def main(path: Path) -> int:
    """Carry out the campaign in a file; returns the exit code."""

    def listen() -> None:
        sys.stdin.buffer.readline()
        os.kill(os.getpid(), signal.SIGINT)

    def tell(progress: dict[str, Any]) -> None:
        print(json.dumps(progress), flush=True)

    signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=listen, daemon=True).start()
    try:
        carry_out(read(path), tell)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the host is gone
        return 130
    except MobileError as error:
        print(json.dumps({"error": error.record()}), flush=True)
        return int(error.exit_code)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
