"""What the driver knows about the device of a run, reported to the launcher as it grows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from mlperf_mobile.contracts.transport import DeviceFacts
from mlperf_mobile.results.measured import DevicePart
from mlperf_mobile.worker.channel import Channel


class Reported:
    """The ``device`` part of a result.

    Args:
        channel: Takes the events.
        is_here: It is this machine, which is no device in a result.
    """

    def __init__(self, channel: Channel, *, is_here: bool = False) -> None:
        self._channel, self._is_here = channel, is_here
        self.facts: DeviceFacts | None = None
        self._more: dict[str, Any] = {}
        self._libraries: list[str] = []

    def add(
        self, facts: DeviceFacts | None = None, more: Mapping[str, Any] | None = None, libraries: Iterable[str] = ()
    ) -> None:
        """Report everything that is known, with these news.

        Args:
            facts: What the device reports now.
            more: Further facts, by name.
            libraries: What the run had loaded.
        """
        self.facts = facts or self.facts
        self._more |= more or {}
        self._libraries = [*libraries] or self._libraries
        if self.facts and not self._is_here:
            known = asdict(self.facts)
            fields = {name: known[name] for name in DevicePart.model_fields if name in known}
            news = {"more": {**self.facts.more, **self._more}, "libraries": self._libraries}
            self._channel.measured("device", fields | news)
