"""The file of a job in the user's folder of results: its sessions, their attempts, and what is still to do."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mlperf_mobile.errors import OutputError
from mlperf_mobile.plan import FileName
from mlperf_mobile.results import store
from mlperf_mobile.terms import misfit
from mlperf_mobile_farm.work import NO_ATTEMPT, Job, SessionEnd

SUFFIX = ".farm.json"
_MOST = 256 << 20


class State(StrEnum):
    """The state of a session."""

    WAITING = "waiting"
    SUBMITTED = "submitted"
    DONE = "done"
    """Its results are in the user's folder, valid or not."""
    FAILED = "failed"
    """It has no results, and is not tried again."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Attempt(_Part):
    """One try of a session."""

    host: str
    name: str
    """The name of its folder on the host."""
    device: str
    state: str
    runs: list[FileName] = Field(default_factory=list)
    error: dict[str, Any] | None = None


class Session(_Part):
    """One session of a job."""

    id: FileName
    where: dict[str, str]
    state: State = State.WAITING
    attempts: list[Attempt] = Field(default_factory=list)
    error: dict[str, Any] | None = None
    submissions: int = Field(default=0, exclude=True)
    """How often it was submitted."""

    def add(self, end: SessionEnd) -> None:
        """Add an attempt that has ended."""
        self.attempts.append(
            Attempt(host=end.host, name=end.attempt, device=end.device, state=end.state, runs=end.runs, error=end.error)
        )

    def has(self, end: SessionEnd) -> bool:
        """Whether an attempt is known."""
        return end.attempt != NO_ATTEMPT and any(
            each.host == end.host and each.name == end.attempt for each in self.attempts
        )

    @property
    def losses(self) -> int:
        """How many attempts were lost."""
        return sum(each.state == "lost" for each in self.attempts)

    @property
    def runs(self) -> list[str]:
        """The runs of the attempt that counts, the last one that is done."""
        return next((each.runs for each in reversed(self.attempts) if each.state == "done"), [])


class JobFile(_Part):
    """A job, and how far it is."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    address: str
    job: Job
    sessions: list[Session]
    done: int = Field(default=0, exclude=True)
    """How many sessions are done."""

    @property
    def is_open(self) -> bool:
        """Whether any session is not over."""
        return any(each.state in (State.WAITING, State.SUBMITTED) for each in self.sessions)

    def open(self) -> list[Session]:
        """The sessions that are not over."""
        return [each for each in self.sessions if each.state in (State.WAITING, State.SUBMITTED)]

    def path(self) -> Path:
        """Where it is kept."""
        return self.job.campaign.output / f"{self.job.id}{SUFFIX}"

    def save(self) -> None:
        """Write it atomically.

        Raises:
            OutputError: It cannot be written.
        """
        path = self.path()
        with store.output_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            store.write_json(path, self.model_dump(mode="json", by_alias=True))


def read(path: Path) -> JobFile:
    """The job in a file.

    Raises:
        OutputError: It cannot be read, or is damaged.
    """
    try:
        with path.open("rb") as file:
            found = JobFile.model_validate_json(file.read(_MOST))
    except OSError as error:
        hint = f"give the {SUFFIX} file in the folder of the results"
        raise OutputError("no-session", f"cannot read {path}: {error.strerror}", hint) from error
    except ValidationError as error:
        hint = "it was changed by hand, or is of another version; start a new job"
        raise OutputError("session-damaged", f"{path}: {misfit(error)}", hint) from error
    found.done = sum(session.state is State.DONE for session in found.sessions)
    for session in found.sessions:
        if session.state is not State.DONE:
            session.state, session.error = State.WAITING, None
    campaign = found.job.campaign.model_copy(update={"output": path.resolve().parent})
    found.job = found.job.model_copy(update={"campaign": campaign})
    return found


class Show(Protocol):
    """Shows the progress of a job."""

    def progress(self, session: Session, where: dict[str, Any], host: str) -> None:
        """A session is in progress on a device of a host."""

    def ended(self, session: Session, end: SessionEnd | None) -> None:
        """An attempt at a session ended; None if the session was given up without one."""

    def tick(self, waiting: int, running: int, done: int, reasons: list[str]) -> None:
        """Called at each look at the hosts, with why sessions wait."""

    def note(self, text: str) -> None:
        """Something else happened."""
