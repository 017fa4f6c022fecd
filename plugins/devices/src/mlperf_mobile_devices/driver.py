"""The process of a driver: reads the plan as the worker does, has it carried out, and reports how the worker ended."""

from __future__ import annotations

import argparse
import fcntl
import os
import sys
from pathlib import Path

from mlperf_mobile import events
from mlperf_mobile.contracts.transport import DeviceLost
from mlperf_mobile.errors import ExitCode
from mlperf_mobile.launch import endings
from mlperf_mobile.launch.process import Exit
from mlperf_mobile.plan import CompilePlan, read
from mlperf_mobile.worker.__main__ import OUT_OF_THE_WAY, read_line
from mlperf_mobile.worker.channel import Channel
from mlperf_mobile.worker.surroundings import die_with
from mlperf_mobile_devices.detached import Detached, DetachedT, Prepare
from mlperf_mobile_devices.link import Cancelled, Control


def drive(prepare: Prepare[DetachedT], kind: type[DetachedT]) -> int:
    """Carry out the plan on standard input; returns the exit code of the run.

    Args:
        prepare: Pushes what the run needs, and starts it; not called for a run that an earlier driver started.
        kind: What follows the run.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--events-fd", type=int, required=True, help="file descriptor for events, JSON lines")
    parser.add_argument("--directory", type=Path, required=True, help="existing folder for logs")
    parser.add_argument("--parent", type=int, help="end when this parent process ends")
    parser.add_argument("--attach", action="store_true", help="follow a run that an earlier process started")
    args = parser.parse_args()
    if args.parent:
        die_with(args.parent)
    channel = Channel(fcntl.fcntl(args.events_fd, fcntl.F_DUPFD_CLOEXEC, OUT_OF_THE_WAY))
    os.close(args.events_fd)
    try:
        plan: CompilePlan = read(read_line(0))
        run = kind(plan, args.directory, channel, Control(0), kind.reach(plan, args.directory), attach=args.attach)
    except Exception as error:  # noqa: BLE001  every error is reported to the launcher
        return channel.failed(error)
    return _carried_out(run, channel, prepare)


def _carried_out(run: DetachedT, channel: Channel, prepare: Prepare[DetachedT]) -> int:
    """The exit code of the run, which is cleaned away unless the device is lost."""
    try:
        try:
            return _followed(run, prepare)
        except Cancelled:
            if run.was_started and not run.cancel():
                run.leave()
                summary = f"{run.link.address} cannot be reached, so the run goes on there"
                return channel.failed(DeviceLost(summary, "follow it again: mlperf-mobile attach"))
            _save(run)
            return ExitCode.INTERRUPTED
        except DeviceLost as error:
            run.leave()
            return channel.failed(error)
        except Exception as error:  # noqa: BLE001  every error is reported to the launcher
            _save(run)
            return channel.failed(error)
    finally:
        run.release()
        run.close()


def _followed(run: DetachedT, prepare: Prepare[DetachedT]) -> int:
    run.connect()
    if run.was_started:
        run.take_up()
        if run.is_alive():
            run.hold()
    else:
        run.check_allowed()
        run.hold()
        prepare(run)
    code = run.follow()
    run.fetch(code)
    if not run.channel.has_end:  # the launcher takes a driver that ends without a word for one that has left its run
        died = endings.died(run.plan, Exit(_as_on_host(code)), "")
        run.channel.send(events.Failed.model_validate(died.model_dump()))
        code = ExitCode.WORKER_DIED
    run.clean()
    return code


def _save(run: Detached) -> None:
    """Stop what still runs, copy what a run that failed left, and remove it there; what cannot be copied stays."""
    try:
        if run.was_started:
            run.cancel()
            run.fetch(ExitCode.INTERNAL)
        run.clean()
    except Exception as error:  # noqa: BLE001  the run's own error is the one to report
        print(f"{run.link.address}: {run.folder} could not be copied and stays there: {error}", file=sys.stderr)


def _as_on_host(code: int) -> int:
    """A shell's exit code, above 128 for a signal, as :mod:`subprocess` has it: negative for a signal."""
    return 128 - code if code > 128 else code
