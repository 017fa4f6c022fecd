"""A device's settings during a run: changed so that it does not sleep, and restored at its end."""

from __future__ import annotations

from contextlib import AbstractContextManager, suppress
from typing import Any

from mlperf_mobile.contracts import HoldingTransport, Transport
from mlperf_mobile.contracts.transport import DeviceError
from mlperf_mobile_devices.link import Link

RESTORE_S = 30.0
"""How long the end of a run waits for a device that is lost; otherwise the next connection restores the settings."""


_left: list[AbstractContextManager[Any]] = []


class Held:
    """The settings of one device.

    Args:
        link: The connection.
        folder: The run's folder, below the root.
    """

    def __init__(self, link: Link[Transport], folder: str) -> None:
        self._link, self._folder = link, folder
        self._context: AbstractContextManager[Any] | None = None

    def take(self, *, airplane: bool) -> dict[str, str]:
        """Change the settings of a device that has some; returns facts about it for the result.

        Raises:
            DeviceError: Another command holds them, or the connection needs the network that airplane mode ends.
        """

        def work(transport: Transport) -> list[str] | None:
            if not isinstance(transport, HoldingTransport):
                return None
            self._context = transport.hold(run=f"{transport.root}/{self._folder}", airplane=airplane)
            return list(self._context.__enter__())

        warnings = self._link.do(work)
        if warnings is None:
            if airplane:
                summary = f"{self._link.address} has no airplane mode that can be set"
                raise DeviceError("device-settings", summary, "leave out airplane_mode")
            return {}
        return {"settings.held": "yes"} | ({"settings.warnings": "; ".join(warnings)[:1000]} if warnings else {})

    def leave(self) -> None:
        """Restore nothing, whatever becomes of this process."""
        if self._context is not None:
            _left.append(self._context)  # its end would restore them
            self._context = None

    def give_back(self) -> None:
        """Restore them; if the device is lost, the next connection does."""
        context, self._context = self._context, None
        if context is not None:
            self._link.limit_s = min(self._link.limit_s, RESTORE_S)
            with suppress(DeviceError):
                self._link.do(lambda transport: context.__exit__(None, None, None))  # connecting again restores as well
