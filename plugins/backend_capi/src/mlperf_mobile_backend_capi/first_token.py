"""Receives a library's report of the first token, and runs a query so that it is passed on in the caller's thread."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from queue import SimpleQueue
from threading import get_ident

from mlperf_mobile_backend_capi.abi import FirstToken

_MARKS = 4096
_kept: list[Bell] = []
"""A library may call after its session is closed, when the callback must still exist."""


class Bell:
    """The callback of one session's queries. Each query has a context of its own, which tells late calls apart."""

    def __init__(self) -> None:
        self.callback = FirstToken(self._called)
        self._marks = ctypes.create_string_buffer(_MARKS)
        self._query, self._context = 0, 0
        self._tell: Callable[[], None] | None = None
        self._thread: int | None = None
        self.calls, self.late = 0, 0
        """Calls for the current query; calls for queries that were over."""
        self.foreign = False
        """Whether the first call for the current query came in another thread than it may be passed on in."""
        self.error: BaseException | None = None
        """What passing the call on raised: nothing can be raised through the library."""
        _kept.append(self)

    def start(self, tell: Callable[[], None], thread: int | None) -> int:
        """Begin a query; returns its context, an address.

        Args:
            tell: Called for the first call.
            thread: The thread that ``tell`` must be called in; None for any.
        """
        self._query += 1
        self._context = ctypes.addressof(self._marks) + self._query % _MARKS
        self.calls, self.foreign, self.error, self._thread = 0, False, None, thread
        self._tell = tell
        return self._context

    def over(self) -> None:
        """End the query: calls are late from now on."""
        self._tell = None

    def _called(self, context: int | None) -> None:
        tell = self._tell
        if tell is None or context != self._context:
            self.late += 1
            return
        self.calls += 1
        if self.calls > 1:
            return
        if self._thread not in (None, get_ident()):
            self.foreign = True
            return
        self.pass_on(tell)

    def pass_on(self, tell: Callable[[], None]) -> None:
        """Call ``tell``, and keep what it raises in :attr:`error` until the query is over."""
        try:
            tell()
        except BaseException as error:  # noqa: BLE001  raised again by the session
            self.error = error


class Issuer:
    """Runs queries in a thread of its own, for libraries that report the first token in one of theirs."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, "capi-query")

    def run(self, issue: Callable[[Callable[[], None]], int], first_token: Callable[[], None]) -> int:
        """Issue a query, and call ``first_token`` in this thread when ``issue``'s argument is called in any.

        Returns:
            The status that ``issue`` returned.
        """
        events: SimpleQueue[Future[int] | None] = SimpleQueue()
        self._pool.submit(issue, partial(events.put, None)).add_done_callback(events.put)
        while (event := events.get()) is None:
            first_token()
        return event.result()

    def close(self) -> None:
        """End the thread."""
        self._pool.shutdown()
