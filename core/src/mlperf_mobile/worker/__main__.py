"""``python -m mlperf_mobile.worker --events-fd N --directory DIR < plan.json``."""

from __future__ import annotations

import argparse
import fcntl
import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from mlperf_mobile.errors import ExitCode

if TYPE_CHECKING:
    from mlperf_mobile.plan import CompilePlan
    from mlperf_mobile.worker.channel import Channel
    from mlperf_mobile.worker.watch import Watch

    CarryOut = Callable[[CompilePlan, Channel, Watch, Path, ExitStack], None]

MAX_PLAN = 16 << 20
OUT_OF_THE_WAY = 64
"""Our descriptors start here: libraries that close standard streams or guessed numbers rarely reach these."""


def main(carry_out: CarryOut | None = None) -> int:
    """Run the plan on standard input; after the plan, standard input is the control channel (``cancel``).

    Args:
        carry_out: What to do with the plan; by default, run it, or compile its model.
    """
    parser = argparse.ArgumentParser(prog="mlperf_mobile.worker", description="Runs one plan and writes events.")
    parser.add_argument("--events-fd", type=int, required=True, help="file descriptor for events, JSON lines")
    parser.add_argument("--directory", type=Path, required=True, help="existing folder for logs")
    parser.add_argument("--parent", type=int, help="end when this parent process ends")
    args = parser.parse_args()

    from mlperf_mobile import events, streams
    from mlperf_mobile.plan import read
    from mlperf_mobile.worker.channel import Channel
    from mlperf_mobile.worker.disk import full_disk
    from mlperf_mobile.worker.surroundings import die_with, save_map
    from mlperf_mobile.worker.watch import Watch

    streams.guard()
    streams.ignore_write_errors()
    if args.parent:
        die_with(args.parent)
    me = os.getpid()
    channel = Channel(fcntl.fcntl(args.events_fd, fcntl.F_DUPFD_CLOEXEC, OUT_OF_THE_WAY))
    os.close(args.events_fd)
    control = fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, OUT_OF_THE_WAY)
    with ExitStack() as after:
        try:
            plan = read(read_line(control))
            os.close(0)
            streams.guard()  # a library that reads standard input must not consume the control channel
            watch = Watch(channel, control, args.directory)
            watch.start()
            try:
                (carry_out or _run_or_compile)(plan, channel, watch, args.directory, after)
            finally:
                if os.getpid() != me:
                    os._exit(0)  # a child process that a library forked and did not end
                watch.stop()  # saves the last latencies, even if the run failed
                save_map()
            channel.send(events.Ended())
            return ExitCode.OK
        except KeyboardInterrupt:  # a signal from outside
            raise
        except BaseException as error:  # noqa: BLE001  every error is reported to the launcher
            return channel.failed(full_disk(args.directory, error) or error)


def _run_or_compile(plan: CompilePlan, channel: Channel, watch: Watch, directory: Path, after: ExitStack) -> None:
    from mlperf_mobile.plan import Plan
    from mlperf_mobile.registry import installed_plugins
    from mlperf_mobile.worker.prepare import open_backend
    from mlperf_mobile.worker.shapes import compile_only
    from mlperf_mobile.worker.steps import run
    from mlperf_mobile.worker.used_files import UsedFiles

    if isinstance(plan, Plan):
        run(plan, channel, watch, directory, after)
        return
    with watch.phase("load"):
        opened = open_backend(plan, installed_plugins(), channel, UsedFiles(plan, directory.parent))
        compile_only(opened, channel, watch, directory)


def read_line(fd: int) -> bytes:
    """The first line, unbuffered, so that what follows stays readable for the control channel."""
    data = bytearray()
    while not data.endswith(b"\n") and len(data) <= MAX_PLAN:
        byte = os.read(fd, 1)
        if not byte:
            break
        data += byte
    return bytes(data)


if __name__ == "__main__":
    from mlperf_mobile.worker.surroundings import leave

    leave(main())
