"""The transport ``adb:SERIAL``: a phone, over the adb binary."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Self

from mlperf_mobile.contracts.transport import DeviceError, DeviceFacts, Output, Progress
from mlperf_mobile_device_adb import client, copying, facts, holding, listing, probes, settings
from mlperf_mobile_device_adb.connection import Connection
from mlperf_mobile_devices.shell import ShellTransport

MOST_PROBED = 4 << 20
"""Maximum bytes of all probes together."""
PROBES_S = 60.0
"""Maximum seconds of all probes together."""
_AT_A_TIME = 8


class Adb(ShellTransport):
    """One phone."""

    def __init__(self, target: str) -> None:
        self.connection = Connection(target)
        self.address = f"adb:{target}"

    @property
    def root(self) -> str:  # type: ignore[override]  # known when the device is connected
        return self.connection.root

    @classmethod
    def discover(cls) -> Iterable[DeviceFacts]:
        listed = client.devices()
        serials = [each.serial for each in listed]
        with ThreadPoolExecutor(_AT_A_TIME) as pool:
            yield from pool.map(lambda each: _known(each, serials.count(each.serial) > 1), listed)

    def __enter__(self) -> Self:
        """Connect, and restore settings that an earlier command changed and did not restore."""
        left = holding.left_behind(self.connection)
        if left is not None and not holding.is_held(self.connection, left):
            holding.restore(self.connection, left)
        return self

    def __exit__(self, *raised: object) -> None:
        """Nothing is held: each command is a client of its own."""

    def hold(
        self, names: Iterable[str] = settings.USUAL, *, run: str = "", airplane: bool = False
    ) -> AbstractContextManager[list[str]]:
        """Change settings for a run; see :func:`mlperf_mobile_device_adb.holding.hold`."""
        return holding.hold(self.connection, [*names, *(["airplane"] if airplane else [])], run)

    def restore(self) -> tuple[str, ...]:
        """Restore the settings that a command changed and did not restore, even if it runs on another computer.

        Returns: Their names.
        """
        left = holding.left_behind(self.connection)
        if left is None:
            return ()
        holding.restore(self.connection, left)
        return tuple(left.previous)

    def facts(self) -> DeviceFacts:
        outputs = probes.read(lambda script: self.connection.partial(script, timeout_s=PROBES_S, most=MOST_PROBED))
        return facts.compose(self.address, outputs, self.root)

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout_s: float = 60.0) -> Output:
        return self.connection.shell(shlex.join(argv), stdin=stdin, timeout_s=timeout_s)

    def push(self, source: Path, target: str, progress: Progress | None = None) -> None:
        copying.push(self.connection, source, target, progress)

    def pull(self, source: str, target: Path, progress: Progress | None = None) -> None:
        copying.pull(self.connection, source, target, progress)


def _known(listed: listing.Listed, is_ambiguous: bool) -> DeviceFacts:
    """The facts of a listed device, or why it cannot be used."""
    target = f"usb:{listed.usb}" if is_ambiguous and listed.usb else listed.serial
    if listed.trouble:
        why, fix = listed.trouble
        return DeviceFacts(
            address=f"adb:{target}", usable=False, reason=why, fix=fix, model=listed.model, serial=listed.serial
        )
    try:
        with Adb(target) as phone:
            return phone.facts()
    except DeviceError as error:
        return DeviceFacts(
            address=f"adb:{target}", usable=False, reason=error.summary, fix=error.hint, model=listed.model,
            serial=listed.serial,
        )  # fmt: skip
