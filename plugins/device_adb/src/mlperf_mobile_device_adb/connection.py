"""The connection to one phone: found by its serial, connected again when it is lost, and its commands."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence

from mlperf_mobile.contracts.transport import DeviceError, DeviceLost, Output
from mlperf_mobile.errors import UsageError, did_you_mean
from mlperf_mobile_device_adb import client, listing
from mlperf_mobile_devices.clients import Finished

TMP = "/data/local/tmp"
"""The only folder that adb's user may write and execute files in."""
FOLDER = "mlperf-mobile"
"""Our folder in it."""
RECORD = "settings.json"
"""The file there in which changed settings are written down."""
SETTLE_S = 3.0
"""How long a device may take to become usable after it was connected; one that asks its user is not waited for."""
RECONNECT_S = 0.5
"""How long the server has to connect an offline device by itself."""
CONNECT_S = 10.0
_POLL_S = 0.1
_PASSING = ("", "offline", "connecting", "unauthorized", "authorizing")
"""States that a device may leave by itself."""
_TARGET = re.compile(r"[A-Za-z0-9._:@\[\]%()-]{1,255}")
_FIRST = f"""printf '%s\\n' "$TMPDIR"
head -c 65536 "${{TMPDIR:-{TMP}}}/{FOLDER}/{RECORD}" 2> /dev/null"""
_TMPDIR = re.compile(r"(?:/[A-Za-z0-9._-]{1,64}){0,20}/data/local/tmp")


class Connection:
    """One phone, as ``adb -s`` names it.

    Args:
        target: A serial number, ``HOST:PORT``, or ``usb:PORT``.
    """

    def __init__(self, target: str) -> None:
        """Raises: UsageError: The target has another form."""
        if not _TARGET.fullmatch(target) or target.startswith("-"):
            hint = "write adb:SERIAL, adb:HOST:PORT or adb:usb:PORT, as adb devices -l lists them"
            raise UsageError("bad-device", f"{target!r} is not an adb serial", hint)
        self.target = target
        self.tmp = TMP
        self.left_behind = ""
        """The file of changed settings on the device, when it was connected."""
        self._is_found = self._was_found = False

    @property
    def root(self) -> str:
        """Our folder on the device."""
        return f"{self.tmp}/{FOLDER}"

    @property
    def is_wireless(self) -> bool:
        """Whether it needs a network."""
        return listing.is_wireless(self.target)

    def open(self) -> None:
        """Find the device, and connect to it if it has a network address.

        Raises:
            DeviceLost: It is offline, or was there before.
            DeviceError: It cannot be used, or no device or several have this serial.
        """
        if self._is_found:
            return
        self._find()
        output = client.shell(self.target, _FIRST, timeout_s=CONNECT_S)
        found, _, self.left_behind = output.stdout.decode(errors="replace").partition("\n")
        self.tmp = found if _TMPDIR.fullmatch(found) else TMP
        self._is_found = self._was_found = True

    def reopen(self) -> None:
        """Find the device again, and read anew what is written down there; raises as :meth:`open`."""
        self._is_found = False
        self.open()

    def shell(self, command: str, *, stdin: bytes = b"", timeout_s: float = 60.0) -> Output:
        """Run a command line; see :func:`mlperf_mobile_device_adb.client.shell`."""
        self.open()
        try:
            return client.shell(self.target, command, stdin=stdin, timeout_s=timeout_s)
        except client.NotStarted:
            self.reopen()
            return client.shell(self.target, command, stdin=stdin, timeout_s=timeout_s)
        except DeviceError:
            self._is_found = False
            raise

    def partial(self, command: str, *, timeout_s: float, most: int) -> bytes:
        """What a command prints until the deadline, or until it has printed ``most`` bytes.

        Raises: DeviceLost, DeviceError: It printed nothing at all.
        """
        self.open()
        ended = client.call(["-s", self.target, "shell", "-T", command], timeout_s=timeout_s, most=most)
        if not ended.stdout:
            self._is_found = False
            raise client.refusal(self.target, ended)
        return ended.stdout

    def call(self, arguments: Sequence[str], *, timeout_s: float) -> Finished:
        """Run a command of adb for this device, such as ``push``. Its exit code 0 proves nothing."""
        self.open()
        return client.call(["-s", self.target, *arguments], timeout_s=timeout_s)

    def lost(self, ended: Finished) -> DeviceError:
        """The error for a command of adb that ended because the device is not reached."""
        self._is_found = False
        if ended.timed_out:
            return DeviceLost(f"{self.target} did not answer in time")
        return client.refusal(self.target, ended)

    def _find(self) -> None:
        began = time.monotonic()
        said = ""
        while True:
            seen = client.devices()
            found = listing.matching(seen, self.target)
            if len(found) > 1:
                raise client.ambiguous(self.target)
            state = found[0].state if found else ""
            if state == "device":
                return
            waited = time.monotonic() - began
            if listing.is_network(self.target) and (not state or (state == "offline" and waited > RECONNECT_S)):
                if state:  # the server tries again by itself only after ten seconds
                    client.call(["disconnect", self.target])
                said = client.message(client.call(["connect", self.target], timeout_s=CONNECT_S))
                found = found or listing.matching(client.devices(), self.target)
            may_return = bool(found) or (listing.is_network(self.target) and self._was_found)
            limit = SETTLE_S / 2 if state.startswith("un") else SETTLE_S
            if not may_return or state not in _PASSING or waited > limit:
                break
            time.sleep(_POLL_S)
        if found:
            raise client.unusable(self.target, state or found[0].state)
        raise self._absent([each.serial for each in seen], said)

    def _absent(self, seen: list[str], said: str) -> DeviceError:
        because = f": {said}" if said else ""
        if self._was_found:
            return DeviceLost(f"{self.target} is no longer connected{because}", "reconnect it")
        hint = (
            did_you_mean(self.target, seen) if seen else "connect it, and enable USB debugging in its developer options"
        )
        return DeviceError("device-unknown", f"adb sees no device {self.target}{because}", hint)
