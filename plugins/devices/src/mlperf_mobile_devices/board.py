"""``python -m mlperf_mobile_devices.board``: drives the Python worker on a board, for the launcher."""

from __future__ import annotations

from mlperf_mobile_devices.detached import Detached
from mlperf_mobile_devices.driver import drive
from mlperf_mobile_devices.hello import PYTHON, check
from mlperf_mobile_devices.travelling import digested, for_device

_WORKER = 'exec 3>>events.jsonl; cat plan.json >stdin & exec "$@"'
"""Events go to a file, so that the worker does not end when nobody listens; the plan and ``cancel`` come by a pipe."""


def main() -> int:
    """Carry out a plan on its device."""
    return drive(_prepare, Detached)


def _prepare(run: Detached) -> None:
    """Push what the plan names, and start the worker."""
    check(run.link, run.plan)
    items = digested(run.plan, run.directory.parent)
    run.provide(items)
    places = {str(item.path): run.store.place(run.root, item) for item in items}
    run.write("plan.json", for_device(run.plan, places, run.root))
    python = f"{run.root}/{PYTHON}"
    worker = [python, "-P", "-m", "mlperf_mobile.worker", "--events-fd", "3", "--directory", run.folder_there]
    run.start(["sh", "-c", _WORKER, "sh", *worker], {"LC_ALL": "C.UTF-8", "PYTHONNOUSERSITE": "1"}, pipe=True)


if __name__ == "__main__":
    from mlperf_mobile.worker.surroundings import leave

    leave(main())
