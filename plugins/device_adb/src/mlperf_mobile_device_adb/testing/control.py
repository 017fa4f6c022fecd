"""The lines that control stand-ins: ``DEVICE ACTION [VALUE…] [when push|pull|command [AFTER [REGEX]]]``."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Sequence
from typing import Any

from mlperf_mobile_device_adb.testing.device import Device
from mlperf_mobile_device_adb.testing.faults import Moment

_CHARGERS = ("usb", "ac", "wireless", "none")


def _charge(device: Device, kind: str) -> None:
    if kind not in _CHARGERS:
        raise ValueError(f"a charger is one of {', '.join(_CHARGERS)}")
    device.body.charger = kind
    device.system.refresh()


def _heat(device: Device, celsius: str) -> None:
    device.body.warmth_c = float(celsius) - device.profile.ambient_c
    device.system.refresh()


def _battery(device: Device, percent: str) -> None:
    device.body.battery_percent = min(100.0, max(0.0, float(percent)))
    device.system.refresh()


ACTIONS: dict[str, tuple[Callable[..., object], str]] = {
    "drop": (Device.drop, "cut the connection"),
    "unplug": (lambda device, seconds="1": device.unplug(float(seconds)), "[SECONDS]: out of reach, processes go on"),
    "reboot": (lambda device, seconds="1": device.reboot(float(seconds)), "[SECONDS]: processes end, another boot id"),
    "vanish": (Device.vanish, "gone for good"),
    "offline": (lambda device: device.set_offline(True), "connected, but never answers"),
    "online": (lambda device: device.set_offline(False), "undo offline"),
    "unauthorise": (lambda device: device.set_authorised(False), "refuse this computer's key"),
    "authorise": (lambda device: device.set_authorised(True), "accept it again"),
    "fill": (lambda device, free="0": device.fill(int(free)), "[FREE BYTES]: full storage"),
    "empty": (Device.empty, "undo fill"),
    "deny": (lambda device: device.deny(True), "/data/local/tmp is read-only"),
    "allow": (lambda device: device.deny(False), "undo deny"),
    "kill": (
        lambda device, matching="": device.kill(matching),
        "[REGEX]: kill its processes, or those whose command line matches",
    ),
    "lose-end": (Device.lose_end, "a run's journal loses its last event, but keeps its rc"),
    "slow": (lambda device, rate: device.slow(float(rate)), "BYTES PER SECOND: slow link; 0: full speed"),
    "charger": (_charge, "usb|ac|wireless|none"),
    "battery": (_battery, "PERCENT"),
    "heat": (_heat, "CELSIUS of the skin"),
    "property": (lambda device, name, value: device.system.set_property(name, value), "NAME VALUE"),
    "replace": (
        lambda device, name, behaviour: device.system.replace(name, behaviour),
        "COMMAND missing|denied|nothing|garbage|flood|hang",
    ),
    "remove": (lambda device, path: device.system.remove(path), "PATH of /sys or /proc"),
    "state": (lambda device: None, "report the device's state"),
}
"""What can happen to a device: a function, and its description."""


def state(device: Device) -> dict[str, Any]:
    """The state of a device, as JSON."""
    body = device.body
    return {
        "serial": device.profile.serial, "address": f"127.0.0.1:{device.port}", "folder": str(device.system.folder),
        "tmp": str(device.system.tmp), "skin_c": round(body.skin_c, 2), "thermal_status": body.status,
        "battery_percent": round(body.battery_percent, 2), "charger": body.charger, "free_bytes": device.system.room(),
        "processes": [*device.processes()], "commands": device.commands, "pushed_bytes": device.moved_bytes["push"],
        "pulled_bytes": device.moved_bytes["pull"], "waiting": len(device.moments),
    }  # fmt: skip


def execute(devices: Sequence[Device], line: str) -> dict[str, Any]:
    """Execute one line.

    Returns: The state of the device afterwards.
    Raises: ValueError: The line is not understood.
    """
    words = shlex.split(line)
    try:
        device = devices[int(words[0])]
        action, _ = ACTIONS[words[1]]
    except (IndexError, ValueError, KeyError):
        raise ValueError(f"expected DEVICE ACTION; actions: {', '.join(ACTIONS)}") from None
    place = words.index("when") if "when" in words else len(words)
    values, moment = words[2:place], words[place + 1 :]

    def happens() -> object:
        try:
            return action(device, *values)
        except TypeError:
            raise ValueError(f"{words[1]} {ACTIONS[words[1]][1]}") from None

    if place == len(words):
        happens()
    elif not 1 <= len(moment) <= 3:
        raise ValueError("expected: when push|pull|command [AFTER [REGEX]]")
    else:
        device.moments.add(Moment(moment[0], float(moment[1]) if len(moment) > 1 else 0, "".join(moment[2:])), happens)
    return state(device)


def reply(devices: Sequence[Device], line: str) -> str:
    """The answer to one line, as one line of JSON."""
    try:
        return json.dumps(execute(devices, line))
    except (ValueError, OSError) as error:
        return json.dumps({"error": str(error)})
