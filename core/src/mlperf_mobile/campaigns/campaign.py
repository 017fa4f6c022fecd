"""The file of a campaign: its runs, which of them are done, and whether it was ever interrupted."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mlperf_mobile.errors import OutputError
from mlperf_mobile.plan import FileName, Plan, identity
from mlperf_mobile.results import store
from mlperf_mobile.results.journal import lock
from mlperf_mobile.terms import Cooldown, misfit

SUFFIX = ".session.json"
MAX_BYTES = 64 << 20
SUBMISSION_REST_S = 300.0
"""The app's cool-down in a submission (mobile_app_open, flutter/lib/benchmark/run_mode.dart)."""


def again(plan: Plan) -> Plan:
    """The same plan with a new run ID."""
    return plan.model_copy(update=identity(f"{plan.benchmark}-{plan.scenario}"))


class State(StrEnum):
    """The state of a run."""

    PENDING = "pending"
    DONE = "done"
    """It has a result, valid or invalid."""
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", protected_namespaces=())


class Step(_Part):
    """One run of a campaign."""

    plan: Plan
    state: State = State.PENDING
    result: FileName | None = None
    """The name of its result folder."""
    rested_s: float | None = None
    rested_until: str = ""
    """Why the rest before it ended: ``fixed``, ``baseline``, ``limit``, ``unknown``."""


class Campaign(_Part):
    """Runs in order, as kept in a file."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    id: FileName
    created: str
    """UTC, ISO 8601."""
    mode: str
    cooldown: Cooldown
    cooldown_s: float
    output: Path
    steps: list[Step]
    interruptions: int = 0

    @classmethod
    def of(cls, plans: list[Plan], output: Path, mode: str, cooldown: Cooldown, cooldown_s: float | None) -> Self:
        """A new campaign."""
        now = datetime.now(UTC)
        rest = cooldown_s if cooldown_s is not None else SUBMISSION_REST_S if mode == "submission" else 0.0
        return cls(
            schema=1,
            id=f"{now:%Y%m%dT%H%M%S}-{mode}-{uuid.uuid4().hex[:8]}",
            created=now.isoformat(timespec="seconds"),
            mode=mode,
            cooldown=cooldown,
            cooldown_s=rest,
            output=output.resolve(),
            steps=[Step(plan=plan) for plan in plans],
        )

    @property
    def path(self) -> Path:
        """Its file, by which it can be resumed."""
        return self.output / f"{self.id}{SUFFIX}"

    @property
    def pending(self) -> list[int]:
        """The indices of the remaining runs; those that failed or were interrupted are tried again."""
        return [place for place, step in enumerate(self.steps) if step.state is not State.DONE]

    @contextmanager
    def owned(self) -> Iterator[None]:
        """Lock it, so that no other process works on it.

        Raises:
            OutputError: ``session-busy``: another process works on it. Or its folder cannot be written.
        """
        path = self.output / f".{self.id}.lock"
        with store.output_errors(path):
            self.output.mkdir(parents=True, exist_ok=True)
            fd = self._locked(path)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
            os.close(fd)

    def _locked(self, path: Path) -> int:
        while True:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            if lock(fd) is False:
                os.close(fd)
                hint = "wait until it has ended; then the campaign can be resumed"
                raise OutputError("session-busy", f"another command is working on {self.path}", hint)
            with suppress(FileNotFoundError):  # its owner removed it between open and lock
                if os.path.samestat(path.stat(), os.fstat(fd)):
                    return fd
            os.close(fd)

    def save(self) -> None:
        """Write it atomically.

        Raises:
            OutputError: It cannot be written.
        """
        with store.output_errors(self.path):
            self.output.mkdir(parents=True, exist_ok=True)
            store.write_json(self.path, self.model_dump(mode="json", by_alias=True))


def read(place: Path) -> Campaign:
    """The campaign in a file.

    Raises:
        OutputError: The file does not exist, is damaged, or is of another version.
    """
    try:
        with place.open("rb") as file:
            return Campaign.model_validate_json(file.read(MAX_BYTES))
    except OSError as error:
        hint = f"give the {SUFFIX} file in the folder of the results"
        raise OutputError("no-session", f"cannot read {place}: {error.strerror}", hint) from error
    except ValidationError as error:
        hint = "it was changed by hand, or is of another version; start a new campaign"
        raise OutputError("session-damaged", f"{place}: {misfit(error)}", hint) from error
