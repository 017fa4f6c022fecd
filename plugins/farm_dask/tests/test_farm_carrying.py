"""A session that is over is not submitted again, in whatever order Dask and the hosts say so."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from mlperf_mobile.campaigns.campaign import Campaign
from mlperf_mobile_farm.carrying import Carrying
from mlperf_mobile_farm.job_file import JobFile, Session, State
from mlperf_mobile_farm.work import Job, SessionEnd


class Client:
    """Dask's client: what was submitted, and futures whose states a test sets."""

    def __init__(self):
        self.futures = []

    def map(self, function, orders, **given):
        made = [SimpleNamespace(status="pending", release=lambda: None) for _ in orders]
        self.futures += made
        return made


@pytest.fixture
def job(tmp_path):
    campaign = Campaign.of([], tmp_path, "performance", "fixed", None)
    session = Session(id="job-1", where={"soc": "SM8750"})
    job = Job(id="job", user="me", campaign=campaign)
    file = JobFile(schema=1, address="tcp://lab:8786", job=job, sessions=[session])
    client, show = Client(), SimpleNamespace(ended=lambda session, end: None)
    carrying = Carrying(SimpleNamespace(client=client), file, 10, show)
    group = carrying._group(session)
    group.waiting.append(session)
    group.capacity = 1
    return SimpleNamespace(file=file, session=session, client=client, carrying=carrying, group=group)


def end(attempt, state):
    return SessionEnd(session="job-1", host="lab1", device="simulated:1", state=state, attempt=attempt)


def submit(job):
    job.carrying._submitting.fill([job.group])
    return len(job.client.futures)


def test_one_that_was_lost_is_submitted_again(job):
    assert submit(job) == 1
    job.carrying._ended(job.session, end("attempt-001", "lost"))
    job.client.futures[0].status = "finished"
    job.carrying._move_on()
    assert submit(job) == 2


@pytest.mark.parametrize("state", ["done", "refused"])
def test_one_whose_end_comes_while_it_waits_again_is_over(job, state):
    """Dask repeats what its worker had when a device was withdrawn, and may be done before the host reports it."""
    submit(job)
    job.carrying._ended(job.session, end("attempt-001", "lost"))
    job.client.futures[0].status = "finished"
    job.carrying._move_on()
    assert job.session.state is State.WAITING
    job.carrying._ended(job.session, end("attempt-002", state))
    assert submit(job) == 1
    assert job.session.state is (State.DONE if state == "done" else State.FAILED)
    assert not job.file.is_open
    assert job.group.reason() == ""


def test_hundreds_are_submitted_a_few_at_first(job):
    """So that hosts report the first ones before they are busy with the others; soon all of them are submitted."""
    job.group.waiting.extend(Session(id=f"more-{number}", where={}) for number in range(600))
    job.group.capacity = 500
    assert [submit(job) for _ in range(6)] == [32, 64, 128, 256, 500, 500]
