"""Rates of queries that arrive on a schedule: the one of a run, and those that a search for the highest tried."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ArrivalRate:
    """The rate of queries that arrive on a schedule, in queries per second, and the latency bound they must meet."""

    target: float
    """The requested mean rate."""
    scheduled: float
    """The rate of the schedule, which is random."""
    completed: float
    """The rate at which queries were answered."""
    latency_bound_ns: int
    """The latency that the share ``percentile`` of the queries must not exceed, in nanoseconds."""
    percentile: float
    """The share of the queries that must meet the bound, between 0 and 1."""
    over_bound: int
    """Queries that took longer than the bound."""


@dataclass(frozen=True, slots=True)
class SearchStep:
    """One rate that a search tried, in queries per second."""

    target: float
    """The rate that was tried."""
    valid: bool
    """Whether all rules were met at this rate."""
    why: str
    """Why it is not valid; empty if it is."""
    scheduled: float
    """The rate of the schedule, which is random."""
    completed: float
    """The rate at which queries were answered."""
    queries: int
    """Answered queries."""
    over_bound: int
    """Queries that took longer than the latency bound."""
    duration_s: float
    """Seconds from the first query to the last response."""
    latency_ns: Mapping[str, float]
    """``p50 p90 p99 mean min max``."""
    full: bool = False
    """Whether it was a run by the run's own rules, and not a short trial."""
