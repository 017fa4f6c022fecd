"""What a worker reports while it runs: one JSON object per line, each an event of one of these kinds."""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

LATEST = 253_402_300_799
"""The last second of the year 9999, the largest that ``datetime`` supports."""
MAX_LINE = 16 << 20
"""Maximum bytes of one event; a longer line is not one."""


class _Event(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)
    time: float = Field(default_factory=time.time, ge=0, le=LATEST, allow_inf_nan=False)
    """Seconds since 1970, UTC."""


class Phase(_Event):
    """A phase begins: ``load``, ``compile``, ``encode``, ``warm-up``, ``performance``, ``accuracy``."""

    event: Literal["phase"] = "phase"
    name: str
    step: str = ""
    """The current step, if the phase reports one."""


class Progress(_Event):
    """The progress of a phase; sent only when it has advanced, or to say how long a phase to come will take."""

    event: Literal["progress"] = "progress"
    phase: str
    done: int
    total: int
    fraction: float | None = Field(allow_inf_nan=False)
    """None if only the time is known."""
    elapsed_s: float = Field(allow_inf_nan=False)
    left_s: float | None = Field(default=None, allow_inf_nan=False)


PartName = Literal[
    "environment", "versions", "files", "model", "backend", "compiled", "placement", "warnings", "system", "device",
    "samples_per_query",
    "performance", "interruptions", "stops", "observed", "report", "repeated", "accuracy", "rescued", "left_behind",
]  # fmt: skip
"""The parts of a result; :class:`mlperf_mobile.results.measured.Parts` has the type of each."""


class Measured(_Event):
    """A part of the result; it is kept even if the worker dies afterwards."""

    event: Literal["measured"] = "measured"
    part: str
    value: Any


class Failed(_Event):
    """The run cannot go on."""

    event: Literal["failed"] = "failed"
    code: str
    summary: str
    hint: str = ""
    exit_code: int
    trace: str = ""


class Ended(_Event):
    """The run is over; only the parts of observers may follow."""

    event: Literal["ended"] = "ended"


class Started(_Event):
    """The first line of a journal, written by the launcher: who works on the run. A worker cannot report this."""

    event: Literal["started"] = "started"
    pid: int
    """The worker's."""
    created: float
    """When that process was created, in seconds since the epoch: a later process may get the same id."""
    launcher: int
    launcher_created: float


class Concluded(_Event):
    """The last line of a journal, written by the launcher: how the run ended. A worker cannot report this."""

    event: Literal["concluded"] = "concluded"
    status: str
    error: dict[str, Any] | None
    directory: str
    """The folder of the result."""
    program: str
    """The version that composed the result."""


Event = Annotated[Phase | Progress | Measured | Failed | Ended, Field(discriminator="event")]

_ADAPTER: TypeAdapter[Event] = TypeAdapter(Event, config=ConfigDict(defer_build=True))


def encode(event: Event | Started | Concluded) -> bytes:
    """One line."""
    return event.model_dump_json().encode() + b"\n"


def decode(line: bytes) -> Event:
    """The event in a line.

    Raises:
        ValueError: It is not an event.
    """
    return _ADAPTER.validate_json(line)
