"""Runs the adb client: bounded output, a deadline, and errors that say what to do.

The client's exit code alone never means success: it is 0 as well when the cable is pulled while a command runs. So a
command on the device ends with a marker, which carries its exit code.
"""

from __future__ import annotations

import os
import secrets
import selectors
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from mlperf_mobile.contracts.transport import DeviceError, DeviceLost, Output
from mlperf_mobile.printing import clean
from mlperf_mobile_device_adb import listing

MOST_OUTPUT = 16 << 20
"""Maximum bytes of each stream of a command."""
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


@dataclass(frozen=True, slots=True)
class Ended:
    """How a client of adb ended."""

    returncode: int
    stdout: bytes
    stderr: bytes
    timed_out: bool = False
    overflowed: bool = False

    @property
    def message(self) -> str:
        """The last words on standard error, for a message."""
        lines = (self.stderr or self.stdout)[-2000:].decode(errors="replace").split("\n")
        said = [clean(line.strip()) for line in lines if line.strip()]
        return (said[-1] if said else f"adb ended with exit code {self.returncode}").removeprefix("adb: ")[:_SHOWN]


def call(
    arguments: Sequence[str], *, stdin: bytes = b"", timeout_s: float = CLIENT_S, most: int = MOST_OUTPUT
) -> Ended:
    """Run the adb client, and end it at the deadline or when it prints too much.

    Raises:
        DeviceError: adb is not installed, or its server does not start.
    """
    try:
        process = subprocess.Popen(  # noqa: S603  adb of the user's PATH; no shell takes part
            ["adb", *arguments],  # noqa: S607
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
    except FileNotFoundError:
        raise DeviceError("device-unusable", "adb is not installed", _INSTALL) from None
    except OSError as error:
        raise DeviceError("device-unusable", f"adb cannot be started: {error}", _INSTALL) from error
    with process:
        try:
            ended = _communicate(process, stdin, time.monotonic() + timeout_s, most)
        except BaseException:
            process.kill()
            raise
    text = ended.stderr.decode(errors="replace")
    if ended.returncode != 0 and any(sign in text for sign in _NO_SERVER):
        hint = "run adb start-server, and see what it reports; $ANDROID_ADB_SERVER_PORT names another server's port"
        raise DeviceError("device-unusable", f"the adb server does not answer: {ended.message}", hint)
    return ended


def _communicate(process: subprocess.Popen[bytes], stdin: bytes, deadline: float, most: int) -> Ended:
    """Feed and drain a process; unlike ``Popen.communicate`` in bounded memory."""
    outputs = {process.stdout: bytearray(), process.stderr: bytearray()}
    left = memoryview(stdin)
    timed_out = overflowed = False
    with selectors.DefaultSelector() as selector:
        for stream in outputs:
            assert stream is not None
            selector.register(stream, selectors.EVENT_READ)
        if process.stdin is not None:
            os.set_blocking(process.stdin.fileno(), False)
            selector.register(process.stdin, selectors.EVENT_WRITE)
        while selector.get_map() and not overflowed:
            if (remaining := deadline - time.monotonic()) <= 0:
                timed_out = True
                break
            for key, _ in selector.select(remaining):
                if key.fileobj is process.stdin:
                    try:
                        left = left[os.write(key.fd, left[:65536]) :]
                    except BlockingIOError:
                        continue
                    except OSError:
                        left = left[:0]
                    if not left:
                        selector.unregister(process.stdin)
                        process.stdin.close()
                    continue
                kept = outputs[key.fileobj]  # type: ignore[index]  # only these two are registered for reading
                if data := os.read(key.fd, 65536):
                    kept += data
                    overflowed = len(kept) > most
                else:
                    selector.unregister(key.fileobj)
    if timed_out or overflowed:
        process.kill()
    else:
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, deadline - time.monotonic()))
        if process.poll() is None:
            timed_out = True
            process.kill()
    out, err = (bytes(kept[:most]) for kept in outputs.values())
    return Ended(process.wait(), out, err, timed_out, overflowed)


def devices() -> list[listing.Listed]:
    """The devices that the adb server knows.

    Raises:
        DeviceError: adb is not installed, or its server does not answer.
    """
    ended = call(["devices", "-l"])
    if ended.returncode != 0 or ended.timed_out:
        raise DeviceError("device-unusable", f"adb devices failed: {ended.message}", "run adb devices -l")
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


def refusal(serial: str, ended: Ended) -> DeviceError:
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
    return kind(f"{serial} cannot be reached: {ended.message}")


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
