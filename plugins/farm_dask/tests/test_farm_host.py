"""A host announces each device once, whoever looks for devices at the same time."""

from __future__ import annotations

import asyncio

import pytest

from mlperf_mobile_farm import dask_settings
from mlperf_mobile_farm.answers import Answers
from mlperf_mobile_farm.host import Host
from mlperf_mobile_farm.scheduler import FarmScheduler

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::ResourceWarning")]
DEVICE = "simulated:phone?lasts=0.2"


@pytest.fixture
def on_a_farm(tmp_path):
    """``on_a_farm(tried)``: what ``await tried(host, scheduler)`` returned, and the lines that the host logged."""

    async def carry_out(tried):
        lines = []
        async with FarmScheduler(host="127.0.0.1", port=0, protocol="tcp", dashboard=False) as scheduler:
            host = Host("lab1", scheduler.address, None, tmp_path, {}, [DEVICE], False, lines.append)
            host.answer = Answers(host).answer
            await host.start()
            try:
                return await tried(host, scheduler), lines
            finally:
                await host.close()

    dask_settings.configure()
    return lambda tried: asyncio.run(carry_out(tried))


def names(scheduler):
    return sorted(str(each.name) for each in scheduler.workers.values())


def test_two_looks_at_once_announce_a_device_once(on_a_farm):
    """The host's own, and that of somebody who takes a drained device back."""

    async def tried(host, scheduler):
        await asyncio.gather(*(host.look() for _ in range(4)))
        return names(scheduler)

    found, lines = on_a_farm(tried)
    assert len(found) == 2
    assert sum("is offered" in line for line in lines) == 1
    assert not any("again" in line for line in lines)


class Refused:
    """A worker that the scheduler refuses, as it does while it still knows another one of that name."""

    name = f"lab1/{DEVICE}"

    def __await__(self):
        raise RuntimeError("Worker failed to start.")


def test_a_device_that_the_scheduler_refuses_is_offered_at_the_next_look(on_a_farm, monkeypatch):
    async def tried(host, scheduler):
        with monkeypatch.context() as patch:
            patch.setattr(host, "_worker", lambda name, resources: Refused())
            await host.look()
        before = names(scheduler)
        assert host.is_connected
        await host.look()
        return before, names(scheduler)

    (before, after), lines = on_a_farm(tried)
    assert len(before) == 1
    assert len(after) == 2
    assert any("cannot be offered now" in line for line in lines)
