"""The worker's way of saying things: a file descriptor that nothing else writes to."""

from __future__ import annotations

import os
import select
import threading

from mlperf_mobile import events


class Channel:
    """Sends events, whole lines at a time, from any thread."""

    def __init__(self, fd: int) -> None:
        os.set_inheritable(fd, False)
        self._fd = fd
        self._lock = threading.Lock()

    def send(self, event: events.Event) -> None:
        """Write one event; when nobody listens any more, the run has no purpose and the process ends."""
        data = events.encode(event)
        with self._lock:
            try:
                while data:
                    data = data[os.write(self._fd, data) :]
            except BrokenPipeError:
                os._exit(0)

    def is_heard(self) -> bool:
        """Whether anybody still has the other end open."""
        poll = select.poll()
        poll.register(self._fd, 0)
        return not poll.poll(0)

    def phase(self, name: str) -> None:
        self.send(events.Phase(name=name))

    def measured(self, part: str, value: object) -> None:
        self.send(events.Measured(part=part, value=value))
