"""``python -m mlperf_mobile.worker --events-fd N --directory DIR < plan.json``."""

from __future__ import annotations

import argparse
import fcntl
import os
import sys
from contextlib import suppress
from pathlib import Path

from mlperf_mobile.errors import ExitCode

MAX_PLAN = 16 << 20
OUT_OF_THE_WAY = 64
"""Our descriptors start here: libraries that close standard streams or guessed numbers rarely reach these."""


def main() -> int:
    """Run the plan on standard input; after the plan, standard input is the control channel (``cancel``)."""
    parser = argparse.ArgumentParser(prog="mlperf_mobile.worker", description="Runs one plan and writes events.")
    parser.add_argument("--events-fd", type=int, required=True, help="file descriptor for events, JSON lines")
    parser.add_argument("--directory", type=Path, required=True, help="existing folder for logs")
    parser.add_argument("--parent", type=int, help="end when this parent process ends")
    args = parser.parse_args()

    from mlperf_mobile import events, streams
    from mlperf_mobile.plan import CompilePlan, Plan, read
    from mlperf_mobile.registry import Registry
    from mlperf_mobile.worker.channel import Channel
    from mlperf_mobile.worker.disk import full_disk
    from mlperf_mobile.worker.prepare import open_backend
    from mlperf_mobile.worker.shapes import compile_only
    from mlperf_mobile.worker.steps import run
    from mlperf_mobile.worker.surroundings import die_with
    from mlperf_mobile.worker.used_files import UsedFiles
    from mlperf_mobile.worker.watch import Watch

    streams.guard()
    streams.ignore_write_errors()
    if args.parent:
        die_with(args.parent)
    me = os.getpid()
    channel = Channel(fcntl.fcntl(args.events_fd, fcntl.F_DUPFD_CLOEXEC, OUT_OF_THE_WAY))
    os.close(args.events_fd)
    control = fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, OUT_OF_THE_WAY)
    try:
        plan: CompilePlan = read(_read_line(control))
        os.close(0)
        streams.guard()  # a library that reads standard input must not consume the control channel
        watch = Watch(channel, control, args.directory)
        watch.start()
        try:
            if isinstance(plan, Plan):
                run(plan, channel, watch, args.directory)
            else:
                with watch.phase("load"):
                    opened = open_backend(plan, Registry(), channel, UsedFiles(plan, args.directory.parent))
                    compile_only(opened, channel, watch, args.directory)
        finally:
            if os.getpid() != me:
                os._exit(0)  # a child process that a library forked and did not end
            watch.stop()  # saves the last latencies, even if the run failed
        channel.send(events.Ended())
        return ExitCode.OK
    except KeyboardInterrupt:  # a signal from outside
        raise
    except BaseException as error:  # noqa: BLE001  every error is reported to the launcher
        return channel.failed(full_disk(args.directory, error) or error)


def _read_line(fd: int) -> bytes:
    """The first line, unbuffered, so that what follows stays readable for the control channel."""
    data = bytearray()
    while not data.endswith(b"\n") and len(data) <= MAX_PLAN:
        byte = os.read(fd, 1)
        if not byte:
            break
        data += byte
    return bytes(data)


if __name__ == "__main__":
    code = main()
    with suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)  # not sys.exit: threads of vendor libraries and of an aborted LoadGen must not run destructors
