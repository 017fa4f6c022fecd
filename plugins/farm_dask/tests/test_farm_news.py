"""The news of a host: each attempt that ended once, whatever is asked for again."""

from __future__ import annotations

import asyncio
from pathlib import Path

from mlperf_mobile_farm.news import News
from mlperf_mobile_farm.work import SessionEnd


def end(session, attempt, state="done"):
    return SessionEnd(session=session, host="lab1", device="simulated:1", state=state, attempt=attempt)


def told(adds, kept=()):
    async def gather():
        news = News(lambda job: list(kept), lambda session, attempt: Path())
        for each in adds:
            news.add("job", each)
        return news.after("job", 0, with_runs=False).ends

    return asyncio.run(gather())


def test_an_attempt_that_is_asked_for_again_is_told_once():
    """A command that is resumed asks for a session that is still in progress for the one that was killed."""
    one, other = end("job-1", "attempt-001"), end("job-2", "attempt-001")
    assert told([one, other, one]) == [one, other]


def test_an_attempt_on_the_disk_is_told_once():
    one, other = end("job-1", "attempt-001"), end("job-1", "attempt-002")
    assert told([one, other], kept=[one]) == [one, other]


def test_what_was_no_attempt_is_told_each_time():
    """Such as that a file is missing, which the client sends."""
    needs = end("job-1", "none", "needs")
    assert told([needs, needs]) == [needs, needs]
