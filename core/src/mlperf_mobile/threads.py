"""Work on all sessions in parallel, each in its own thread."""

from __future__ import annotations

import threading
from collections.abc import Callable


def in_threads(work: Callable[[int, list[BaseException]], None], sessions: int) -> None:
    """Call ``work(0, failures) … work(sessions - 1, failures)`` in parallel; they stop once ``failures`` is not empty.

    The first failure is raised here.
    """
    failures: list[BaseException] = []

    def guarded(session: int) -> None:
        try:
            work(session, failures)
        except BaseException as error:  # noqa: BLE001  raised in the caller's thread
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(n,), daemon=True) for n in range(1, sessions)]
    for thread in threads:
        thread.start()
    guarded(0)
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
