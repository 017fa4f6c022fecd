"""What ``adb devices -l`` prints: the devices that an adb server knows, and what a user does about their states."""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType

from mlperf_mobile.printing import clean

MOST_DEVICES = 1000
_MOST_SERIAL = 255
_LINE = re.compile(
    r"(?P<serial>\S+|\(no serial number\))\s+"
    r"(?P<state>device|offline|unauthorized|authorizing|connecting|bootloader|host|recovery|rescue|sideload|detached"
    r"|unknown|no permissions(?:\s*\(.*?\))?(?:; see \[\S*\])?|no device)"
    r"(?P<rest>(?:\s+\S+)*)"
)
_PAIR = re.compile(r"(usb|product|model|device|transport_id):(\S+)")

REMEDIES = MappingProxyType(
    {
        "offline": ("does not answer", "unlock it, reconnect the cable or Wi-Fi, and wait until it has booted"),
        "unauthorized": (
            "has not authorised this computer",
            "unlock it and accept the key of this computer in its dialog; if no dialog appears, revoke USB debugging "
            "authorisations in its developer options and reconnect",
        ),
        "authorizing": ("is being authorised", "unlock it and accept the key of this computer in its dialog"),
        "connecting": ("is being connected", "try again in a few seconds"),
        "no permissions": (
            "cannot be opened by this user",
            "install the udev rules for Android (Debian: apt-get install android-sdk-platform-tools-common), join the "
            "group plugdev and reconnect",
        ),
        "bootloader": ("is in its bootloader", "start Android on it"),
        "recovery": ("is in its recovery system", "start Android on it"),
        "rescue": ("is in its rescue system", "start Android on it"),
        "sideload": ("is installing an update", "wait until it has started Android"),
        "host": ("is not a device", "reconnect it"),
        "detached": ("was detached from the adb server", "run adb attach, or reconnect it"),
    }
)
"""Why a device in this state cannot be used, and what to do about it. ``device`` is the state that can be used."""
_UNKNOWN = ("is in an unknown state", "reconnect it, and restart it if that does not help")


@dataclass(frozen=True, slots=True)
class Listed:
    """One device, as the adb server lists it."""

    serial: str
    """What ``adb -s`` takes: a serial number, or ``HOST:PORT``."""
    state: str
    """``device`` if it can be used; see :data:`REMEDIES`."""
    model: str = ""
    usb: str = ""
    """The USB port, which ``adb -s usb:PORT`` takes: ``1-4.2``."""

    @property
    def trouble(self) -> tuple[str, str] | None:
        """Why it cannot be used, and what to do; None if it can."""
        return None if self.state == "device" else REMEDIES.get(self.state, _UNKNOWN)


def parse(text: str) -> list[Listed]:
    """The devices in the output of ``adb devices -l``; lines of another form are messages of adb."""
    _, header, lines = text.rpartition("List of devices attached")
    found: list[Listed] = []
    for line in lines.splitlines() if header else ():
        if len(found) == MOST_DEVICES:
            break
        if (match := _LINE.fullmatch(line.strip())) and len(match["serial"]) <= _MOST_SERIAL:
            named = dict(_PAIR.findall(match["rest"]))
            state = "no permissions" if match["state"].startswith("no permissions") else match["state"]
            model = clean(named.get("model", "")[:_MOST_SERIAL])
            found.append(Listed(clean(match["serial"]), state, model, clean(named.get("usb", ""))))
    return found


def matching(devices: list[Listed], target: str) -> list[Listed]:
    """The devices that a target names: by serial, or by ``usb:PORT``."""
    return [each for each in devices if target == each.serial or (each.usb and target == f"usb:{each.usb}")]


def is_network(serial: str) -> bool:
    """Whether a serial is an address that ``adb connect`` takes: ``192.168.1.5:5555``."""
    host, colon, port = serial.rpartition(":")
    return bool(colon and host and host != "usb" and port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536)


def is_wireless(serial: str) -> bool:
    """Whether a device is reached over a network, so that its connection needs one."""
    return is_network(serial) or "._adb" in serial
