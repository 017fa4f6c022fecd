"""Runs stand-ins for phones: ``python -m mlperf_mobile_device_adb.testing --count 3``."""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import dataclasses
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

from mlperf_mobile_device_adb.testing.control import ACTIONS, reply, state
from mlperf_mobile_device_adb.testing.device import Device
from mlperf_mobile_device_adb.testing.keys import PublicKey
from mlperf_mobile_device_adb.testing.profile import Profile

_FIELDS = {field.name: field for field in dataclasses.fields(Profile)}


def main() -> int:
    """Serve stand-ins until standard input ends."""
    actions = "\n".join(f"  {name:12} {text}" for name, (_, text) in ACTIONS.items())
    parser = argparse.ArgumentParser(
        prog="python -m mlperf_mobile_device_adb.testing",
        description="Stand-ins for Android phones, for the adb client",
        epilog=f"Lines on standard input: DEVICE ACTION [VALUE...] [when push|pull|command [AFTER [REGEX]]]\n{actions}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--count", type=int, default=1, help="number of devices")
    parser.add_argument("--port", type=int, default=0, help="port of the first; the others follow; 0: free ones")
    parser.add_argument(
        "--folder", type=Path, help="where their files are kept while they run; default: a temporary one"
    )
    parser.add_argument(
        "--key", type=Path, action="append", help="public keys of hosts; default: ~/.android/adbkey.pub"
    )
    parser.add_argument("--toybox", action="store_true", help="use the installed toybox and mksh, as Android does")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help=f"of the profile: {', '.join(_FIELDS)}"
    )
    options = parser.parse_args()
    toybox, sh = (shutil.which("toybox"), shutil.which("mksh")) if options.toybox else (None, "sh")
    if options.toybox and not (toybox and sh):
        parser.error("toybox and mksh are not installed")
    try:
        keys = [PublicKey.read(path) for path in options.key or [Path.home() / ".android/adbkey.pub"]]
        profile = _profile(options.set)
    except (OSError, ValueError) as error:
        parser.error(f"{error}; `adb start-server` makes ~/.android/adbkey.pub")
    bind_permissions()
    os.umask(0o022)
    parent = options.folder or Path(tempfile.gettempdir())
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="stand-ins-", dir=parent)).resolve()
    devices = []
    for number in range(options.count):
        own = dataclasses.replace(
            profile, serial=f"{profile.serial[:-4]}{number + 1:04d}" if number else profile.serial
        )
        devices.append(Device(own, folder / f"device{number}", keys, toybox=toybox, sh=sh or "sh"))
    try:
        asyncio.run(_serve(devices, options.port))
    except KeyboardInterrupt:
        pass
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


async def _serve(devices: list[Device], port: int) -> None:
    try:
        for number, device in enumerate(devices):
            await device.start(port + number if port else 0)
        print(json.dumps({"stand_ins": [state(device) for device in devices]}), flush=True)
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            print(reply(devices, line.decode(errors="replace")), flush=True)
    finally:
        for device in devices:
            device.close()


def _profile(assignments: list[str]) -> Profile:
    values: dict[str, object] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals or name not in _FIELDS:
            raise ValueError(f"--set {assignment}: expected NAME=VALUE, with one of {', '.join(_FIELDS)}")
        value: object = text
        if not isinstance(_FIELDS[name].default, str):
            value = json.loads(text)
        values[name] = tuple(value) if isinstance(value, list) else value
    return Profile(**values)  # type: ignore[arg-type]


def bind_permissions() -> None:
    """Let the permissions of files hold for root too, in this process and its descendants: adbd's shell is not root."""
    if os.geteuid() != 0:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    override, read_search, drop_bound = 1, 2, 24
    for capability in (override, read_search):
        libc.prctl(drop_bound, capability, 0, 0, 0)
    head, held = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()  # version 3: capget(2)
    if libc.capget(head, held) == 0:
        mask = ~(1 << override | 1 << read_search)
        libc.capset(head, (ctypes.c_uint32 * 6)(held[0] & mask, held[1] & mask, *held[2:]))


if __name__ == "__main__":
    raise SystemExit(main())
