"""``python -m mlperf_mobile.worker.probe --events-fd N NAME``: loads one backend for real, and reports its probe."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from dataclasses import asdict

from mlperf_mobile import events
from mlperf_mobile.errors import MobileError, described
from mlperf_mobile.options import check_defaults, constructed
from mlperf_mobile.picking import pick
from mlperf_mobile.registry import installed_plugins
from mlperf_mobile.worker import returned
from mlperf_mobile.worker.channel import Channel


def main() -> None:
    """Probe the backend in this process, which may crash."""
    parser = argparse.ArgumentParser(prog="mlperf_mobile.worker.probe")
    parser.add_argument("--events-fd", type=int, required=True)
    parser.add_argument("name")
    args = parser.parse_args()
    channel = Channel(args.events_fd)
    registry, where = installed_plugins(), "loading it"
    try:
        offer = pick("backend", args.name, registry.backends, registry)
        check_defaults("backend", offer)
        where = "its constructor"
        backend = constructed("backend", offer, {})
        where = "its probe"
        found = returned.probe(args.name, backend.probe())
        answer = {
            "usable": found.usable,
            "reason": found.reason,
            "fix": found.fix,
            "runtime": found.runtime,
            "versions": dict(found.versions),
            "accelerators": list(found.accelerators),
            "devices": [asdict(device) for device in found.devices],
            "functional_only": dict(found.functional_only),
        }
    except BaseException as error:  # noqa: BLE001  a plugin's probe may raise anything, although it should not
        traceback.print_exc()
        answer = {
            "usable": False,
            "reason": error.summary if isinstance(error, MobileError) else f"{where} raised {described(error)}",
            "fix": (isinstance(error, MobileError) and error.hint) or "report it to the backend's vendor",
        }
    channel.send(events.Measured(part="probe", value=answer))


if __name__ == "__main__":
    main()
    sys.stderr.flush()
    os._exit(0)
