"""A client that follows a host: it stops whenever it is cancelled, and loses no end of a session."""

from __future__ import annotations

import asyncio
import json

import pytest

from mlperf_mobile.campaigns.campaign import Campaign
from mlperf_mobile.errors import OutputError
from mlperf_mobile_farm.carrying import Carrying
from mlperf_mobile_farm.connection import HostUnreachable
from mlperf_mobile_farm.following import Following
from mlperf_mobile_farm.job_file import JobFile, Session, State
from mlperf_mobile_farm.transfer import Transfer
from mlperf_mobile_farm.work import Job, SessionEnd

ENDED = SessionEnd(session="job-1", host="lab1", device="simulated:1", state="refused", attempt="attempt-001")
NEEDS = SessionEnd(session="job-1", host="lab1", device="simulated:1", state="needs", attempt="none", needs=["f" * 64])


class Answering:
    """A farm whose only host answers the questions for news with these ends, from the cursor on."""

    def __init__(self, *ends, unreachable=()):
        self.ends, self.unreachable = ends, list(unreachable)
        self.asked, self.cursors = [], []
        self.arrives: asyncio.Event | None = None

    async def ask(self, host, what, data=b"", **given):
        self.asked.append(what)
        if what in self.unreachable:
            self.unreachable.remove(what)
            raise HostUnreachable("host lab1 does not answer")
        if what != "news":
            return {"missing": []}
        self.cursors.append(given["cursor"])
        if self.arrives:
            await self.arrives.wait()
        new = self.ends[given["cursor"] :]
        return {
            "epoch": "1", "cursor": len(self.ends), "more": False, "packed": [], "data": b"", "version": 1,
            "ends": [end.model_dump_json() for end in new], "running": json.dumps([]),
        }  # fmt: skip


def job_of(tmp_path, **files):
    return Job(id="job", user="me", campaign=Campaign.of([], tmp_path, "performance", "fixed", None), files=files)


@pytest.mark.parametrize("steps", range(8))
def test_it_ends_when_it_is_cancelled_while_an_answer_arrives(steps):
    """``asyncio.wait_for()`` of Python 3.11 returns the answer then, as if nobody had cancelled it."""

    async def follow():
        farm = Answering()
        farm.arrives = asyncio.Event()
        task = asyncio.create_task(Following(farm, "lab1", "job", None).run())
        while not farm.asked:
            await asyncio.sleep(0)
        farm.arrives.set()
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=5)
        return done and task.cancelled()

    assert asyncio.run(follow())


def test_an_end_that_could_not_be_taken_is_asked_for_again(tmp_path):
    """The host needs a file, and could not be reached when it was sent; the ends after it are not held up."""
    file = JobFile(schema=1, address="tcp://lab:8786", job=job_of(tmp_path),
                   sessions=[Session(id="job-1", where={}), Session(id="job-2", where={})])  # fmt: skip
    other = ENDED.model_copy(update={"session": "job-2"})
    farm = Answering(NEEDS, other, unreachable=["has"])

    class Show:
        def ended(self, session, end):
            assert session.id == "job-2"

    carrying = Carrying(farm, file, 10, Show())
    lost = []
    carrying._submitting.lost = lambda session, end: lost.append(session.id)

    async def follow():
        task = asyncio.create_task(Following(farm, "lab1", "job", carrying._take).run())
        while not lost:
            assert not task.done(), task.exception()
            await asyncio.sleep(0.01)
        task.cancel()

    asyncio.run(asyncio.wait_for(follow(), 60))
    assert farm.cursors[:2] == [0, 0]
    assert lost == ["job-1"]
    assert file.sessions[1].state is State.FAILED
    assert len(file.sessions[1].attempts) == 1


def test_a_file_that_is_gone_ends_the_command(tmp_path):
    class Lacking(Answering):
        async def ask(self, host, what, data=b"", **given):
            return {"missing": given["digests"]}

    gone = tmp_path / "model.tflite"
    transfer = Transfer(Lacking(), job_of(tmp_path, **{str(gone): "f" * 64}), tmp_path)
    with pytest.raises(OutputError, match=r"cannot pack \S+model.tflite: No such file or directory"):
        asyncio.run(transfer.send("lab1", ["f" * 64]))


def test_a_command_ends_although_a_cancellation_was_lost(tmp_path):
    """A follower goes on after its first cancellation, as after a wait that swallowed it."""
    lost = []

    async def deaf():
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                lost.append(True)
                if len(lost) > 1:
                    raise

    async def stop():
        farm = Answering()
        farm.hosts, farm.publish = {}, lambda job, facts: asyncio.sleep(0)
        file = JobFile(schema=1, address="tcp://lab:8786", job=job_of(tmp_path), sessions=[])
        carrying = Carrying(farm, file, 10, None)
        carrying._tasks = {"lab1": asyncio.create_task(deaf())}
        await asyncio.sleep(0)
        await carrying._stop()

    asyncio.run(asyncio.wait_for(stop(), 60))
    assert len(lost) == 2
