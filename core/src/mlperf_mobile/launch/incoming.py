"""The lines that a worker writes, as they arrive: what has arrived stays here if an interrupt ends the waiting."""

from __future__ import annotations

import os
import selectors
from collections import deque
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from mlperf_mobile import events
from mlperf_mobile.launch.interrupts import Interrupts

_TICK_S = 0.5


class Incoming:
    """A pipe from a worker. Memory is bounded: a line that is longer than an event can be is dropped.

    Args:
        fd: Its end for reading, which is closed with the context.
    """

    def __init__(self, fd: int) -> None:
        self._pipe = os.fdopen(fd, "rb", buffering=0)
        self._held = bytearray()
        self._whole: deque[bytes] = deque()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._pipe, selectors.EVENT_READ)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._selector.close()
        self._pipe.close()

    def lines(
        self, left_s: Callable[[], float], is_over: Callable[[], bool], interrupts: Interrupts
    ) -> Iterator[bytes | None]:
        """Whole lines as they arrive, and None about twice a second if there are none.

        Ends with the pipe, or when it is empty and ``is_over()``, because a child of the worker may hold it open. An
        interrupt is raised only while it waits, so each line is handled as a whole, or is still here.

        Args:
            left_s: How long there may be no line.
            is_over: Whether the worker has exited.
            interrupts: The enclosing context.
        """
        with interrupts.deferred():
            while True:
                while self._whole:
                    yield self._whole.popleft()
                over, left = is_over(), left_s()
                with interrupts.raised():
                    ready = self._selector.select(0 if over else min(max(0.0, left), _TICK_S))
                if ready:
                    if not (data := self._pipe.read(65536)):
                        return
                    self._add(data)
                elif over:
                    return
                else:
                    yield None

    def _add(self, data: bytes) -> None:
        self._held += data
        *lines, rest = self._held.split(b"\n")
        self._held = bytearray(rest) if len(rest) <= events.MAX_LINE else bytearray()
        self._whole.extend(map(bytes, lines))
