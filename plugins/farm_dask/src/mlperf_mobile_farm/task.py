"""The task that Dask carries out on the worker of a device; its argument and result are JSON."""

from __future__ import annotations

from collections.abc import Callable

from distributed import get_worker

from mlperf_mobile_farm.work import Order, SessionEnd

Carry = Callable[[Order], SessionEnd]
SERVED: dict[str, Carry] = {}
"""What carries out sessions on the devices of this process, by the name of their Dask worker."""


def run_session(order: str) -> str:
    """Carry out a session on the device of the worker that this thread belongs to.

    Args:
        order: An :class:`Order` as JSON.

    Returns:
        A :class:`SessionEnd` as JSON.
    """
    return SERVED[str(get_worker().name)](Order.model_validate_json(order)).model_dump_json()
