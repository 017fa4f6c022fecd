"""Carries out a job on a farm: submits its sessions, follows the hosts, and tries sessions again that were lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from mlperf_mobile.errors import MobileError
from mlperf_mobile_farm import labels
from mlperf_mobile_farm.connection import LOST, Farm, FarmError, HostUnreachable
from mlperf_mobile_farm.following import Following
from mlperf_mobile_farm.job_file import JobFile, Session, Show, State
from mlperf_mobile_farm.submitting import Group, Submitted, Submitting
from mlperf_mobile_farm.transfer import Transfer
from mlperf_mobile_farm.work import SessionEnd

TICK_S = 0.05
"""Seconds between two looks at what ended."""
COUNT_S = 0.25
"""Seconds between two counts of devices."""
HOSTS_S = 2.0
"""Seconds between two looks for hosts."""
CURRENT_S = 30.0
"""How long the hosts may take to report what they have of a job that is resumed."""
SAVE_S = 2.0
RETRIES = 5
"""How often a session is tried again whose device or host was lost."""
ELSEWHERE_S = 10.0
"""If a session was lost, but is not over for Dask after so long, it is in progress elsewhere already."""


class Carrying:
    """One job on its way.

    Args:
        farm: The farm.
        file: The job.
        wait_s: How long a session waits for a device that matches.
        show: Shows the progress.
        is_resumed: Hosts may have results of it already.
    """

    def __init__(self, farm: Farm, file: JobFile, wait_s: float, show: Show, *, is_resumed: bool = False) -> None:
        self._farm, self._file, self._wait_s, self._show = farm, file, wait_s, show
        self._is_resumed = is_resumed
        self._transfer = Transfer(farm, file.job, file.job.campaign.output)
        self._submitting = Submitting(farm, file.job.id, self._transfer.spec)
        self._sessions = {session.id: session for session in file.sessions}
        self._groups: dict[tuple[tuple[str, str], ...], Group] = {}
        self._following: dict[str, Following] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._saved = self._found = self._counted = 0.0
        self._running = 0
        self.first_event_s: float | None = None
        self._started = time.monotonic()

    async def run(self) -> None:
        """Carry out all sessions that are not done; their states are in the file.

        Raises:
            MobileError: The farm is gone, or a result cannot be written.
        """
        await asyncio.to_thread(self._file.save)
        try:
            await self._find_hosts()
            await self._until_current()
            for session in self._file.open():
                self._group(session).waiting.append(session)
            self._count()
            await self._send_ahead()
            while self._file.is_open:
                self._move_on()
                if time.monotonic() - self._counted > COUNT_S:
                    self._count()
                self._submitting.fill(self._groups.values())
                self._give_up()
                if time.monotonic() - self._found > HOSTS_S:
                    await self._find_hosts()
                    await self._publish()
                    await self._save_sometimes()
                await asyncio.sleep(TICK_S)
                self._raise_failures()
        finally:
            await self._stop()
            await asyncio.to_thread(self._file.save)

    async def _find_hosts(self) -> None:
        await self._farm.find_hosts()
        self._found = time.monotonic()
        for host in self._farm.hosts.keys() - self._following.keys():
            following = Following(
                self._farm, host, self._file.job.id, self._take,
                fetch_all=self._is_resumed or self._started + HOSTS_S < self._found,
            )  # fmt: skip
            self._following[host] = following
            self._tasks[host] = asyncio.create_task(following.run())
        for host in self._following.keys() - self._farm.hosts.keys():
            self._show.note(f"host {host} is gone; its sessions are tried elsewhere")
            del self._following[host]
            self._tasks.pop(host).cancel()

    async def _until_current(self) -> None:
        """Wait until the hosts have reported, also what they have of a job that is resumed."""
        deadline = time.monotonic() + CURRENT_S
        while time.monotonic() < deadline:
            if all(each.is_current or not each.answers for each in self._following.values()):
                return
            self._raise_failures()
            await asyncio.sleep(TICK_S / 5)

    def _raise_failures(self) -> None:
        for task in self._tasks.values():
            if task.done() and not task.cancelled() and (error := task.exception()):
                raise error

    def _devices(self) -> Iterable[dict[str, Any]]:
        return (device for each in self._following.values() if each.answers for device in each.devices)

    def _count(self) -> None:
        """Count the devices for each group, and show what is in progress."""
        self._counted = time.monotonic()
        running = 0
        for host, each in self._following.items():
            for current in each.running:
                session = self._sessions.get(current["session"])
                if session and session.state is State.SUBMITTED:
                    running += 1
                    self._heard()
                    self._show.progress(session, current, host)
        devices = [device["labels"] for device in self._devices() if device["usable"]]
        for group in self._groups.values():
            group.capacity = sum(labels.match(each, group.where) for each in devices) if group.where else len(devices)
            if group.capacity or (group.submitted and running):
                group.served = time.monotonic()
        self._running = running
        self._show.tick(len(self._file.open()) - running, running, self._file.done, self._reasons())

    def _reasons(self) -> list[str]:
        """Why sessions wait."""
        return [reason for group in self._groups.values() if (reason := group.reason())][:10]

    def _heard(self) -> None:
        if self.first_event_s is None:
            self.first_event_s = time.monotonic() - self._started

    async def _take(self, host: str, ends: list[SessionEnd], packed: set[int], data: bytes) -> None:
        """Keep what attempts on a host left.

        Raises:
            HostUnreachable: Not all of it came; the same ends may be given again.
        """
        failure: HostUnreachable | None = None
        new = [(index, end) for index, end in enumerate(ends) if self._is_new(end)]
        if data and any(index in packed for index, _ in new):
            self._heard()
            runs = [run for index, end in new if index in packed for run in end.runs]
            await self._transfer.keep(data, runs, host)
        for index, end in new:
            try:
                if end.state == "needs":
                    await self._transfer.send(host, end.needs)
                elif index not in packed:
                    await self._transfer.fetch(end)
            except HostUnreachable as error:
                failure = error
                continue
            self._ended(self._sessions[end.session], end)
        if failure:
            raise failure

    def _is_new(self, end: SessionEnd) -> bool:
        session = self._sessions.get(end.session)
        return session is not None and not session.has(end)

    def _ended(self, session: Session, end: SessionEnd) -> None:
        """An attempt ended, and its runs are here."""
        if end.state == "needs":
            self._submitting.lost(session, end)
            return
        if end.state == "done" and session.state is State.DONE:
            end = end.model_copy(update={"state": "lost"})  # it was measured elsewhere, too, and that counts
        session.add(end)
        if session.state in (State.DONE, State.FAILED) and end.state != "done":
            return
        if end.state == "done":
            self._file.done += 1
            self._over(session, State.DONE, None)
        elif end.state == "refused" or session.losses > RETRIES:
            self._over(session, State.FAILED, end.error or _lost(end).record())
        elif not end.cut_off:
            self._submitting.lost(session, end)
        self._show.ended(session, end)

    def _over(self, session: Session, state: State, error: dict[str, Any] | None) -> None:
        """Nothing more is to do for a session, whether it is with the scheduler or waits to be tried again."""
        if session.state is State.WAITING:
            self._group(session).forget(session)
        session.state, session.error = state, error
        self._submitting.release(session)

    def _group(self, session: Session) -> Group:
        return self._groups.setdefault(tuple(sorted(session.where.items())), Group(session.where))

    def _move_on(self) -> None:
        """Look which sessions are over for Dask; those that were lost wait again."""
        for each in self._submitting.look(ELSEWHERE_S):
            self._again(each)

    def _again(self, submitted: Submitted) -> None:
        session = submitted.session
        if submitted.error and session.submissions > 2 * RETRIES:
            session.state = State.FAILED
            error = FarmError("farm-incomplete", f"the host cannot run it: {submitted.error}", "see its log")
            session.error = error.record()
            self._show.ended(session, None)
            return
        session.state = State.WAITING
        submitted.group.waiting.appendleft(session)

    def _give_up(self) -> None:
        """Give up sessions that no device of the farm matched for too long."""
        for group in self._groups.values():
            waited = time.monotonic() - group.served
            if group.capacity or not group.waiting:
                continue
            devices = list(self._devices())
            known = labels.listed((device["labels"] for device in devices), group.where)
            state = ", ".join(sorted({f"{each['address']} is {each['state']}" for each in devices
                              if labels.match(each["labels"], group.where)})[:5])  # fmt: skip
            text = f"no device can be used with {labels.text(group.where)}" + (f" ({state})" if state else "")
            if waited < self._wait_s:
                if not group.was_noted:
                    group.was_noted = True
                    self._show.note(f"{text}; waiting {self._wait_s:g} s for one; {known}")
                continue
            error = FarmError("farm-unserved", f"{text} for {self._wait_s:g} s", f"the farm has {known}")
            while group.waiting:
                session = group.waiting.popleft()
                session.state, session.error = State.FAILED, error.record()
                self._show.ended(session, None)

    async def _send_ahead(self) -> None:
        """Send the job's files to the hosts that have devices for it."""
        for host, following in list(self._following.items()):
            mine = [each["labels"] for each in following.devices if self._is_useful(each["labels"])]
            real = any(each.get("kind") != "simulated" for each in mine)
            digests = [self._transfer.spec, *(self._file.job.files.values() if real else ())]
            if mine:
                with suppress(HostUnreachable):
                    await self._transfer.send(host, dict.fromkeys(digests))

    def _is_useful(self, of_device: dict[str, str]) -> bool:
        return any(labels.match(of_device, group.where) for group in self._groups.values())

    async def _publish(self) -> None:
        done, waiting = self._file.done, len(self._file.open()) - self._running
        facts = {"user": self._file.job.user, "waiting": waiting, "running": self._running, "done": done}
        failed = len(self._sessions) - waiting - self._running - done
        await self._farm.publish(self._file.job.id, facts | {"failed": failed, "reasons": self._reasons()})

    async def _save_sometimes(self) -> None:
        if time.monotonic() - self._saved > SAVE_S * max(1, len(self._sessions) / 200):
            await asyncio.to_thread(self._file.save)
            self._saved = time.monotonic()

    async def _stop(self) -> None:
        """Interrupt what is in progress; nothing if all is done."""
        following = set(self._tasks.values())
        while following:  # again, because a library under it may lose a cancellation
            for task in following:
                task.cancel()
            _, following = await asyncio.wait(following, timeout=1)
        mine = [each.id for each in self._file.open() if each.state is State.SUBMITTED]
        self._submitting.release_all()
        if mine:
            asking = (self._farm.ask(host, "cancel", sessions=mine) for host in self._farm.hosts)
            with suppress(TimeoutError):
                async with asyncio.timeout(10):
                    await asyncio.gather(*asking, return_exceptions=True)
        for session in self._file.open():
            session.state = State.WAITING
        with suppress(MobileError, *LOST):
            async with asyncio.timeout(5):
                await self._farm.publish(self._file.job.id, None)


def _lost(end: SessionEnd) -> MobileError:
    return FarmError("device-lost", f"{end.device} was lost repeatedly", "check the device, and run it again")
