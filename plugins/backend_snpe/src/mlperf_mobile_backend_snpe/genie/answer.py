"""Takes the tokens of one answer as Genie reports them, and ends the answer where the task does."""

from __future__ import annotations

from collections.abc import Callable
from ctypes import c_void_p
from threading import get_ident
from typing import Any

from mlperf_mobile_backend_snpe.genie.abi import TokenCallback

_kept: list[Receiver] = []
"""A library may call after its session is closed, when the callback must still exist."""


class Answer:
    """One answer while it grows.

    Args:
        limit: Most tokens.
        stops: The ids that end it.
        vocabulary: Ids must be below it.
        first_token: Called when the first token is known.
        abort: Called when the answer is over and Genie would go on.
    """

    def __init__(
        self, limit: int, stops: frozenset[int], vocabulary: int, first_token: Callable[[], None],
        abort: Callable[[], None],
    ) -> None:  # fmt: skip
        self._limit, self._stops, self._vocabulary = limit, stops, vocabulary
        self._first_token, self._abort, self._thread = first_token, abort, get_ident()
        self.ids: list[int] = []
        self.over = False
        """Whether the limit or a stop id was reached, or nothing more is wanted."""
        self.aborted = False
        """Whether Genie was asked to end the query."""
        self.fault = ""
        """What is impossible about the answer."""
        self.error: BaseException | None = None
        """What ``first_token`` raised: nothing can be raised through the library."""

    def take(self, response: Any, count: int) -> None:
        """Take the ids of one call; a call without ids, such as the last one, means nothing."""
        if not count or self.fault or self.error:
            return
        if self.over:
            self._end(f"went on after the end of its answer of {len(self.ids)} tokens")
        elif get_ident() != self._thread:
            self._end("reports tokens in a thread of its own")
        elif not response or count > self._limit - len(self.ids):
            what = f"{count} tokens at once, where {self._limit - len(self.ids)} were left"
            self._end(f"reported {what if response else f'{count} tokens at NULL'}")
        else:
            self._add(response[:count])

    def _add(self, ids: list[int]) -> None:
        for token in ids:
            if token >= self._vocabulary:
                return self._end(f"reported the id {token}, but the configuration's n-vocab is {self._vocabulary}")
            if self.over:
                return self._end(f"reported tokens after the stop id {self.ids[-1]} in the same call")
            self.ids.append(token)
            if len(self.ids) == 1:
                try:
                    self._first_token()
                except BaseException as error:  # noqa: BLE001  raised again by the session
                    self.error = error
                    return self._end("")
            self.over = token in self._stops or len(self.ids) == self._limit
        if self.over and len(self.ids) < self._limit:  # at the limit, Genie ends by itself
            self._end("")
        return None

    def _end(self, fault: str) -> None:
        self.over, self.fault = True, fault
        if not self.aborted:
            self.aborted = True
            self._abort()


class Receiver:
    """The callback of one session's queries; each query has a number, which tells late calls apart."""

    def __init__(self) -> None:
        self.callback = TokenCallback(self._called)
        self.number = 0
        self.late = 0
        """Calls with tokens for queries that were over."""
        self._answer: Answer | None = None
        _kept.append(self)

    def start(self, answer: Answer) -> c_void_p:
        """Begin a query; returns the pointer to give to Genie with the callback."""
        self.number += 1
        self._answer = answer
        return c_void_p(self.number)

    def over(self) -> None:
        """End the query: calls are late from now on."""
        self._answer = None

    def _called(self, response: Any, count: int, code: int, number: int | None) -> None:
        if self._answer is None or number != self.number:
            self.late += bool(count)
        else:
            self._answer.take(response, count)
