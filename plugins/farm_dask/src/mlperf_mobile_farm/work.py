"""What client and hosts exchange, as JSON: jobs, the orders of their sessions, and how those ended."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from mlperf_mobile.campaigns.campaign import Campaign
from mlperf_mobile.plan import FileName
from mlperf_mobile.terms import Strict

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
PREFIX = "host:"
"""The name of the Dask worker that answers for a host, and has no device, begins with it."""
OPERATION = "mlperf_mobile_farm"
"""The name of the handler of that worker."""
NO_ATTEMPT = "none"
"""The name of the attempt of an end without one."""
PROTOCOL: Literal[2] = 2
"""Hosts and clients with another number do not understand each other."""


class Job(Strict):
    """One command ``run --farm``: what each of its sessions runs."""

    protocol: Literal[2] = PROTOCOL
    id: FileName
    user: str
    campaign: Campaign
    files: dict[str, Digest] = Field(default_factory=dict)
    """The files and folders that the plans name, by their paths on the client."""


class Order(Strict):
    """One session of a job: the runs of a campaign in order, on one device."""

    job: FileName
    spec: Digest
    """SHA-256 of the job as JSON."""
    session: FileName


class SessionEnd(Strict):
    """How an attempt at a session ended on a host."""

    session: FileName
    host: str
    device: str
    state: Literal["done", "lost", "needs", "refused"]
    """``done`` whether its results are valid or not; ``lost``: the device or the host was lost, so that it is tried
    again; ``needs``: the host lacks files; ``refused``: it cannot be carried out there at all."""
    attempt: FileName = NO_ATTEMPT
    runs: list[FileName] = Field(default_factory=list)
    needs: list[Digest] = Field(default_factory=list)
    cut_off: bool = False
    """Whether the host stopped during the attempt, and found it when it started again."""
    error: dict[str, Any] | None = None
