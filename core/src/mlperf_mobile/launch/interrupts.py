"""Signals that stop a run: the first one interrupts it, later ones do not disturb the storing of the result."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Interrupts:
    """A context in which at most one ``KeyboardInterrupt`` is raised, and none after :meth:`hold`.

    If the first signal arrives after ``hold``, it is raised when the context ends. Signals that this process ignores,
    as under ``nohup``, stay ignored. Outside of the main thread, nothing changes.
    """

    def __init__(self) -> None:
        self._before: dict[int, Any] = {}
        self._held = self._raised = False
        self._late: int | None = None
        self._deferring = False
        self._pending: int | None = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                handler = signal.getsignal(number)
                if callable(handler) or (handler is signal.SIG_DFL and number == signal.SIGINT):
                    self._before[number] = signal.signal(number, self._signalled)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._late is not None and error is None:
            signal.raise_signal(self._late)

    def hold(self) -> None:
        """Raise no further ``KeyboardInterrupt``."""
        self._held = True
        self._late, self._pending = self._pending, None

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """A context at whose end, or within :meth:`raised`, an interrupt is raised that arrives meanwhile."""
        self._deferring = True
        try:
            yield
        finally:
            self._deferring = False
        self._raise_pending()

    @contextmanager
    def raised(self) -> Iterator[None]:
        """A context within :meth:`deferred` in which an interrupt is raised at once."""
        self._deferring = False
        try:
            self._raise_pending()
            yield
        finally:
            self._deferring = True

    def _raise_pending(self) -> None:
        if self._pending is not None:
            self._pending, self._raised = None, True
            raise KeyboardInterrupt

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        if self._raised:
            return
        if self._held:
            self._late = number
            return
        if self._deferring:
            self._pending = number
            return
        self._raised = True
        raise KeyboardInterrupt
