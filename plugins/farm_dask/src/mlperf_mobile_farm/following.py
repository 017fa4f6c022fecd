"""Follows one host: asks it again and again what happened to the sessions of a job, and passes that on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from mlperf_mobile_farm.connection import Farm, HostUnreachable
from mlperf_mobile_farm.work import SessionEnd

WAIT_S = 1.0
"""How long a host waits for something to happen before it answers."""
APART_S = 0.25
"""Least seconds between two questions to a host, so that what happens meanwhile comes in one answer."""
_ANSWER_S = 60.0

Take = Callable[[str, list[SessionEnd], set[int], bytes], Awaitable[None]]
"""Takes the ends of sessions on a host, the indices of those whose runs came along, and these as a tar file.

If it raises :class:`HostUnreachable`, the host is asked for them again.
"""


@dataclass
class Following:
    """A host, as it reports itself.

    Args:
        farm: The farm.
        host: The name of the host.
        job: The job.
        take: Takes the ends of sessions.
        fetch_all: Whether the ends of earlier commands come first; their runs may be here, and are not sent along.
    """

    farm: Farm
    host: str
    job: str
    take: Take
    fetch_all: bool = False
    devices: list[dict[str, Any]] = field(default_factory=list)
    running: list[dict[str, Any]] = field(default_factory=list)
    """The sessions of the job in progress there."""
    is_current: bool = False
    """Whether it has reported everything until a moment ago."""
    answers: bool = True
    """Whether it answered the last question."""

    async def run(self) -> None:
        """Follow it until it is cancelled.

        Raises:
            MobileError: A result cannot be kept here, or the host does not understand this program.
        """
        epoch, cursor, version = "", 0, -1
        while True:
            try:
                async with asyncio.timeout(_ANSWER_S):  # wait_for() of Python 3.11 may lose a cancellation
                    answer = await self.farm.ask(
                        self.host, "news", job=self.job, epoch=epoch, cursor=cursor, version=version, wait_s=WAIT_S,
                        runs=self.is_current or not self.fetch_all,
                    )  # fmt: skip
                self.answers = True
                self._look(answer)
                if ends := [SessionEnd.model_validate_json(text) for text in answer["ends"]]:
                    await self.take(self.host, ends, set(answer["packed"]), bytes(answer["data"]))
            except (HostUnreachable, TimeoutError):
                self.answers, self.running = False, []
                await asyncio.sleep(APART_S)
                continue
            epoch, cursor, version = answer["epoch"], answer["cursor"], answer["version"]
            self.is_current = not answer["more"]
            if self.is_current:
                await asyncio.sleep(APART_S)

    def _look(self, answer: dict[str, Any]) -> None:
        """What the host does now."""
        self.running = json.loads(answer["running"])
        if "devices" in answer:
            self.devices = [device | {"host": self.host} for device in json.loads(answer["devices"])]
