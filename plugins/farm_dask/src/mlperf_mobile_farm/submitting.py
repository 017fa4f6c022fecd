"""Sessions with the scheduler: as many as there are devices for them, many in one message, and which are over."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from distributed import Future

from mlperf_mobile_farm import labels
from mlperf_mobile_farm.connection import Farm
from mlperf_mobile_farm.job_file import Session, State
from mlperf_mobile_farm.task import run_session
from mlperf_mobile_farm.work import Order, SessionEnd

FIRST = 32
"""Sessions in the first message; each later one has at most as many as are submitted already. So the first sessions
begin, and are seen, before hosts are busy with the beginning of hundreds."""
PREFIX = "session"
"""What the keys of all tasks begin with, so that Dask knows how long such a task takes."""


@dataclass
class Group:
    """The sessions with the same requirements."""

    where: dict[str, str]
    waiting: deque[Session] = field(default_factory=deque)
    submitted: int = 0
    served: float = field(default_factory=time.monotonic)
    """When a device last matched."""
    capacity: int = 0
    """The devices that match and can be used."""
    was_noted: bool = False

    def reason(self) -> str:
        """Why its sessions wait; empty if none waits."""
        count, where = len(self.waiting), labels.text(self.where)
        if not count:
            return ""
        if not self.capacity:
            return f"{count} for {where}: no device that can be used has these labels"
        devices = f"all {self.capacity} devices" if self.capacity > 1 else "the only device"
        with_them = " with these labels" if self.where else ""
        return f"{count} for {where}: {devices}{with_them} {'are' if self.capacity > 1 else 'is'} in use"

    def forget(self, session: Session) -> None:
        """A session that may be waiting is over: an attempt that was under way when it was queued again has ended."""
        self.waiting = deque(each for each in self.waiting if each is not session)


@dataclass
class Submitted:
    """A session with the scheduler."""

    session: Session
    group: Group
    future: Future[Any]
    is_over: bool = False
    """Whether no device has it any more; its end may still be on its way."""
    lost: float | None = None
    """When an attempt was reported that has to be repeated."""
    error: str = ""


class Submitting:
    """The sessions of a job that are with the scheduler.

    Args:
        farm: The farm.
        job: The job's name.
        spec: Its digest.
    """

    def __init__(self, farm: Farm, job: str, spec: str) -> None:
        self._farm, self._job, self._spec = farm, job, spec
        self._submitted: dict[str, Submitted] = {}

    def fill(self, groups: Iterable[Group]) -> None:
        """Submit sessions for which there are free devices; all of them after a few calls."""
        most = max(FIRST, len(self._submitted))
        for group in groups:
            count = min(len(group.waiting), group.capacity - group.submitted, most)
            if count > 0:
                most -= count
                self._submit(group, [group.waiting.popleft() for _ in range(count)])

    def _submit(self, group: Group, sessions: list[Session]) -> None:
        resources = {labels.resource(key, value): 1 for key, value in group.where.items()} | {labels.DEVICE: 1}
        for session in sessions:
            session.submissions += 1
            session.state = State.SUBMITTED
        futures = self._farm.client.map(
            run_session,
            [Order(job=self._job, spec=self._spec, session=each.id).model_dump_json() for each in sessions],
            key=[f"{PREFIX}-{each.id}-{each.submissions}" for each in sessions],
            resources=resources, pure=False, retries=0,
        )  # fmt: skip
        group.submitted += len(sessions)
        for session, future in zip(sessions, futures, strict=True):
            self._submitted[session.id] = Submitted(session, group, future)

    def look(self, elsewhere_s: float) -> Iterator[Submitted]:
        """Look which sessions are over; those that have to be submitted again.

        Args:
            elsewhere_s: Seconds after which a lost attempt whose session is still not over is forgotten.
        """
        now = time.monotonic()
        for each in list(self._submitted.values()):
            status = each.future.status
            if status in ("error", "cancelled"):  # the connection broke, or a host has a defect
                each.error = repr(each.future._state.exception)[:200] if status == "error" else ""
                self.release(each.session)
                yield each
                continue
            if (over := status == "finished") != each.is_over:  # again, if the host of a finished one is lost
                each.is_over = over
                each.group.submitted += -1 if over else 1
            if each.lost is not None:
                if over:
                    self.release(each.session)
                    yield each
                elif now - each.lost > elsewhere_s:
                    each.lost = None

    def lost(self, session: Session, end: SessionEnd) -> None:
        """An attempt has to be repeated, unless Dask does it already."""
        if found := self._submitted.get(session.id):
            found.lost = time.monotonic()

    def release(self, session: Session) -> None:
        """Forget a session, and let the scheduler forget it."""
        found = self._submitted.pop(session.id, None)
        if found:
            found.future.release()
            if not found.is_over:
                found.group.submitted -= 1

    def release_all(self) -> None:
        """Forget all sessions."""
        for each in list(self._submitted.values()):
            self.release(each.session)
