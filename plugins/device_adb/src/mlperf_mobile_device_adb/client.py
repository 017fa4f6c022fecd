"""Runs the adb client: bounded output, a deadline, and errors that say what to do.

The client's exit code alone never means success: it is 0 as well when the cable is pulled while a command runs. So a
command on the device ends with a marker, which carries its exit code.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from mlperf_mobile.contracts.transport import DeviceError, DeviceLost, Output
from mlperf_mobile.printing import clean
from mlperf_mobile_device_adb import listing
from mlperf_mobile_devices import clients
from mlperf_mobile_devices.clients import MOST_OUTPUT, Finished

CLIENT_S = 20.0
"""Maximum seconds for a command of adb that only its server answers."""
OLD_ANDROID = "use a device with Android 8.0 or later, whose shell reports exit codes and has sha256sum"
_SIGNS = {
    "unauthorized": ("device unauthorized", "device still authorizing"), "offline": ("device offline",),
    "no permissions": ("insufficient permissions", "no permissions"), "connecting": ("device still connecting",),
}  # fmt: skip
"""How the client says that a device is in a state."""
_SHOWN = 300
_INSTALL = "install the platform tools of the Android SDK (Debian, Ubuntu: apt-get install adb), and put adb on PATH"
_NO_SERVER = (
    "cannot connect to daemon",
    "failed to start daemon",
    "failed to check server version",
    "ADB server didn't",
)


class NotStarted(DeviceLost):
    """The device was not connected, so that nothing was started there."""


def message(ended: Finished) -> str:
    """The last words of a client on standard error, for an error."""
    lines = (ended.stderr or ended.stdout)[-2000:].decode(errors="replace").split("\n")
    said = [clean(line.strip()) for line in lines if line.strip()]
    return (said[-1] if said else f"adb ended with exit code {ended.returncode}").removeprefix("adb: ")[:_SHOWN]


def call(
    arguments: Sequence[str], *, stdin: bytes = b"", timeout_s: float = CLIENT_S, most: int = MOST_OUTPUT
) -> Finished:
    """Run the adb client, and end it at the deadline or when it prints too much.

    Raises:
        DeviceError: adb is not installed, or its server does not start.
    """
    try:
        ended = clients.call(["adb", *arguments], stdin=stdin, timeout_s=timeout_s, most=most)
    except FileNotFoundError:
        raise DeviceError("device-unusable", "adb is not installed", _INSTALL) from None
    except OSError as error:
        raise DeviceError("device-unusable", f"adb cannot be started: {error}", _INSTALL) from error
    text = ended.stderr.decode(errors="replace")
    if ended.returncode != 0 and any(sign in text for sign in _NO_SERVER):
        hint = "run adb start-server, and see what it reports; $ANDROID_ADB_SERVER_PORT names another server's port"
        raise DeviceError("device-unusable", f"the adb server does not answer: {message(ended)}", hint)
    return ended


def devices() -> list[listing.Listed]:
    """The devices that the adb server knows.

    Raises:
        DeviceError: adb is not installed, or its server does not answer.
    """
    ended = call(["devices", "-l"])
    if ended.returncode != 0 or ended.timed_out:
        raise DeviceError("device-unusable", f"adb devices failed: {message(ended)}", "run adb devices -l")
    return listing.parse(ended.stdout.decode(errors="replace"))


def shell(serial: str, command: str, *, stdin: bytes = b"", timeout_s: float, most: int = MOST_OUTPUT) -> Output:
    """Run a command line on the device, and wait for its end.

    Raises:
        DeviceLost: Its end was not reported: the device is gone, or did not answer in time.
        DeviceError: The device refuses, or the command printed more than ``most`` bytes.
    """
    marker = secrets.token_hex(8)
    # In a subshell, an exit in the command does not skip the marker.
    line = f"({command}\n)\nprintf '\\n{marker} %d\\n' $?"
    ended = call(["-s", serial, "shell", "-T", line], stdin=stdin, timeout_s=timeout_s, most=most + 64)
    stdout, found, code = ended.stdout.rpartition(f"\n{marker} ".encode())
    if found and code.strip().isdigit():
        return Output(int(code), stdout, ended.stderr)
    if ended.overflowed:
        raise DeviceError("device-command", f"a command on {serial} printed more than {most} bytes", "report it")
    if ended.timed_out:
        raise DeviceLost(f"{serial} did not answer within {timeout_s:g} s")
    raise refusal(serial, ended)


def refusal(serial: str, ended: Finished) -> DeviceError:
    """The error for a client that ended without success."""
    text = (ended.stderr + ended.stdout[-2000:]).decode(errors="replace")
    for state, signs in _SIGNS.items():
        if any(sign in text for sign in signs):
            return unusable(serial, state)
    if "more than one device" in text:
        return ambiguous(serial)
    if "only supports allocating a pty" in text:
        return DeviceError("device-unusable", f"{serial} has an Android older than 7.0", OLD_ANDROID)
    kind = NotStarted if "not found" in text and not ended.stdout else DeviceLost
    return kind(f"{serial} cannot be reached: {message(ended)}")


def unusable(serial: str, state: str) -> DeviceError:
    """The error for a device in a state other than ``device``; an offline one may return by itself."""
    why, fix = listing.Listed(serial, state).trouble or ("", "")
    if state in ("offline", "connecting"):
        return NotStarted(f"{serial} {why}", fix)
    return DeviceError("device-unusable", f"{serial} {why}", fix)


def ambiguous(serial: str) -> DeviceError:
    """The error for a serial that several devices have."""
    hint = "disconnect all but one, or name one by its USB port: adb:usb:PORT, as adb devices -l lists it"
    return DeviceError("device-ambiguous", f"several connected devices are called {serial}", hint)
