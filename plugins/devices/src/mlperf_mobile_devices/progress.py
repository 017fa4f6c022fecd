"""Reports the progress of what the host does for a run: copying files to its device, and encoding its samples."""

from __future__ import annotations

import time

from mlperf_mobile import events
from mlperf_mobile.worker.channel import Channel
from mlperf_mobile_devices.link import Control


class HostProgress:
    """Begins a phase, and reports its progress when it is called with what is done of its total.

    Args:
        channel: Takes the events.
        control: Is asked whether the run was cancelled.
        phase: The phase's name.
        total: Bytes or samples.
        every_s: Seconds between two reports, at least.
    """

    def __init__(self, channel: Channel, control: Control, phase: str, total: int, every_s: float = 0.0) -> None:
        self._channel, self._control, self._phase, self._total, self._every_s = channel, control, phase, total, every_s
        channel.phase(phase)
        self._began = self._last = time.monotonic()

    def __call__(self, done: int) -> None:
        """Report that so much is done.

        Raises:
            Cancelled: The run was cancelled.
        """
        self._control.check()
        now = time.monotonic()
        if now - self._last < self._every_s:
            return
        self._last = now
        elapsed, share = now - self._began, min(1.0, done / max(1, self._total))
        left = elapsed * (1 - share) / share if share else None
        self._channel.send(
            events.Progress(
                phase=self._phase, done=done, total=self._total, fraction=share, elapsed_s=elapsed, left_s=left
            )
        )
