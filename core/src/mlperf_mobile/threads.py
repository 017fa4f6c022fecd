"""Work on all sessions side by side, in threads of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable


def in_threads(work: Callable[[int, list[BaseException]], None], sessions: int) -> None:
    """Call ``work(0, failures) … work(sessions - 1, failures)`` side by side; they stop once ``failures`` is not empty.

    The first failure of any is raised here.
    """
    failures: list[BaseException] = []

    def guarded(session: int) -> None:
        try:
            work(session, failures)
        except BaseException as error:  # noqa: BLE001  carried to the caller's thread
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(n,), daemon=True) for n in range(1, sessions)]
    for thread in threads:
        thread.start()
    guarded(0)
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
