"""``python -m mlperf_mobile.worker.observed --events-fd N --directory DIR NAME``: reads the part of one observer."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from mlperf_mobile.registry import installed_plugins
from mlperf_mobile.results import observed, store
from mlperf_mobile.results.recompose import read_journal
from mlperf_mobile.worker.channel import Channel


def main() -> None:
    """Read the part from the folder of a run, in this process, which may crash."""
    parser = argparse.ArgumentParser(prog="mlperf_mobile.worker.observed")
    parser.add_argument("--events-fd", type=int, required=True)
    parser.add_argument("--directory", type=Path, required=True, help="the folder of the run")
    parser.add_argument("name")
    args = parser.parse_args()
    channel = Channel(args.events_fd)
    found = observed.Observed()
    if offer := installed_plugins().observers.get(args.name):
        journal = read_journal(args.directory / store.EVENTS)
        earlier = journal.parts.get(observed.TELEMETRY) if args.name == observed.TELEMETRY else None
        found = observed.read_one(offer, store.read_plan(args.directory), args.directory, earlier, trace=True)
    channel.measured(observed.OBSERVED, found.model_dump(mode="json"))


if __name__ == "__main__":
    main()
    sys.stderr.flush()
    os._exit(0)
