"""A device is withheld although the connection that Dask kept to its scheduler has just been closed."""

from __future__ import annotations

import asyncio

import pytest
from distributed.comm.core import CommClosedError

from mlperf_mobile_farm import labels
from mlperf_mobile_farm.host import withhold


class Worker:
    def __init__(self, failures):
        self.failures, self.given = failures, []

    async def set_resources(self, **resources):
        if self.failures:
            self.failures -= 1
            raise CommClosedError("in <TCP (closed) ConnectionPool.set_resources>: Stream is closed")
        self.given.append(resources)


@pytest.mark.parametrize("failures", [0, 1])
def test_once_more_over_another_connection(failures):
    worker = Worker(failures)
    asyncio.run(withhold(worker))
    assert worker.given == [{labels.DEVICE: 0}]


def test_a_scheduler_that_is_gone_is_an_error():
    with pytest.raises(CommClosedError):
        asyncio.run(withhold(Worker(2)))
