"""``mlperf-mobile run --farm``: one session for each device, and the results in the user's folder."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mlperf_mobile.campaigns.campaign import Campaign
from mlperf_mobile.errors import ExitCode, OutputError, UsageError
from mlperf_mobile.results import store
from mlperf_mobile.results.model import Result
from mlperf_mobile_farm import job_file, labels, rewriting
from mlperf_mobile_farm.carrying import Carrying
from mlperf_mobile_farm.commands.showing import Lines, print_sessions
from mlperf_mobile_farm.connection import Farm, user
from mlperf_mobile_farm.job_file import JobFile, Session, State
from mlperf_mobile_farm.packing import digest
from mlperf_mobile_farm.work import Job

MOST_SESSIONS = 100_000
ALL = "all"
_WAIT_S, _LONGEST_WAIT_S = 300.0, 30 * 86_400.0


def execute(address: str, args: argparse.Namespace, campaign: Campaign | None) -> int:
    """Carry out a campaign on the farm at an address; see :class:`mlperf_mobile.plugin.ExecutorInfo`."""
    where = labels.parse(args.where or (), "--where")
    wait_s = _number(args.wait, "--wait", _WAIT_S, 0, _LONGEST_WAIT_S)
    if campaign is None and (where or args.count or args.tasks or args.set):
        summary = "a job is resumed with its own settings"
        raise UsageError("resume", summary, "give only --farm, --wait and --token with --resume FILE")
    if campaign is not None and args.count != ALL:
        count = int(_number(args.count, "--count", 1, 1, MOST_SESSIONS))
        wheres = [where] * count
    else:
        wheres = []
    file = job_file.read(args.resume) if campaign is None else None
    show = Lines(quiet=args.quiet)
    try:
        carried, seconds = asyncio.run(_carry_out(address, args, campaign, file, where, wheres, wait_s, show))
    except asyncio.CancelledError:  # by SIGTERM
        raise KeyboardInterrupt from None
    return _shown(carried, seconds, as_json=args.json)


async def _carry_out(
    address: str,
    args: argparse.Namespace,
    campaign: Campaign | None,
    file: JobFile | None,
    where: dict[str, str],
    wheres: list[dict[str, str]],
    wait_s: float,
    show: Lines,
) -> tuple[JobFile, float | None]:
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    async with Farm(address, args.token, debug=args.debug) as farm:
        is_resumed = file is not None
        if file is None:
            assert campaign is not None
            if args.count == ALL:
                wheres = await _each_device(farm, where)
            file = await asyncio.to_thread(_job, farm.address, campaign, wheres)
        carrying = Carrying(farm, file, wait_s, show, is_resumed=is_resumed)
        try:
            await carrying.run()
        except BaseException:
            done = sum(session.state is State.DONE for session in file.sessions)
            if done < len(file.sessions) and file.path().exists():
                text = f"{done} of {len(file.sessions)} sessions are done: mlperf-mobile run --farm {address} --resume"
                print(f"{text} {file.path()}", file=sys.stderr)
            raise
        return file, carrying.first_event_s


async def _each_device(farm: Farm, where: dict[str, str]) -> list[dict[str, str]]:
    """The requirements of one session on every device that matches now."""
    found = [device for host in await farm.look() for device in host["devices"]]
    usable = [each["labels"] for each in found if each["state"] in ("free", "busy")]
    chosen = [where | {labels.DEVICE: each[labels.DEVICE], "host": each["host"]} for each in usable
              if labels.match(each, where)]  # fmt: skip
    return chosen or [where]


def _job(address: str, campaign: Campaign, wheres: list[dict[str, str]]) -> JobFile:
    paths = sorted({path for step in campaign.steps for path in rewriting.named(step.plan)})
    identity = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-farm-{uuid.uuid4().hex[:8]}"
    job = Job(id=identity, user=user(), campaign=campaign, files={path: digest(Path(path)) for path in paths})
    width = len(str(len(wheres)))
    sessions = [Session(id=f"{identity}-{number:0{width}d}", where=one) for number, one in enumerate(wheres, 1)]
    return JobFile(schema=1, address=address, job=job, sessions=sessions)


def _number(text: str | None, flag: str, default: float, least: float, most: float) -> float:
    if text is None:
        return default
    try:
        value = float(text)
        if least <= value <= most and (flag != "--count" or value == int(value)):
            return value
    except ValueError:
        pass
    also = f", or {ALL}" if flag == "--count" else ""
    raise UsageError("bad-value", f"{flag} {text[:40]} is not a number from {least:g} to {most:g}{also}", f"{flag} 5")


def _results(file: JobFile, session: Session) -> list[Result]:
    """The results of a session, by their places in the user's folder."""
    found = []
    for run in session.runs:
        folder = file.job.campaign.output / run
        try:
            found.append(store.read(folder).model_copy(update={"directory": str(folder)}))
        except OutputError as error:
            print(f"mlperf-mobile: {error.line()}", file=sys.stderr)
    return found


def _shown(file: JobFile, first_event_s: float | None, *, as_json: bool) -> int:
    """Print the results; returns the exit code."""
    code: int = ExitCode.OK
    for_json: list[dict[str, Any]] = []
    for session in file.sessions:
        found = _results(file, session)
        if session.error:
            code = code or int(session.error.get("exit_code", ExitCode.DEVICE))
        for result in found:
            failed = result.error.exit_code if result.error else ExitCode.OK if result.valid else ExitCode.NOT_VALID
            code = code or failed
        if as_json:
            for_json += [result.to_json() for result in found]
        else:
            print_sessions(session, found)
    if as_json:
        farm = {
            "job": file.job.id,
            "address": file.address,
            "file": str(file.path()),
            "first_event_s": first_event_s,
            "sessions": [session.model_dump(mode="json") for session in file.sessions],
        }
        print(json.dumps({"schema": 1, "results": for_json, "farm": farm}, indent=2))
    return code
