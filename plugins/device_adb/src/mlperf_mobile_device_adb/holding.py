"""Holds a phone's settings for the duration of a run, and restores what an earlier command left behind."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from mlperf_mobile.contracts.transport import DeviceError
from mlperf_mobile.errors import UsageError, did_you_mean
from mlperf_mobile.processes import is_alive
from mlperf_mobile.whole_files import writing
from mlperf_mobile_device_adb import probes
from mlperf_mobile_device_adb.connection import RECORD, Connection
from mlperf_mobile_device_adb.settings import READ, SETTINGS, USUAL, Changed
from mlperf_mobile_devices import scripts

_MOST_RECORD = 1 << 16
_READ_S = 30.0
_CHANGE_S = 60.0
_held_here: set[str] = set()
"""The devices whose settings this process holds now."""


@contextmanager
def hold(connection: Connection, names: Iterable[str] = USUAL, run: str = "") -> Iterator[list[str]]:
    """Change settings for the duration of a ``with`` block.

    Args:
        connection: The device.
        names: The settings.
        run: The folder of the run for which they are changed. What a command that has ended changed for the same run
            is taken over: it is neither restored nor changed again meanwhile.

    Yields:
        Warnings: settings that could not be read, which are left alone, or that did not change.

    Raises:
        UsageError: A setting is unknown.
        DeviceError: Another command holds the device's settings; or airplane mode would cut the connection.
        DeviceLost: The device is gone. If that happens at the end, the next command restores them.
    """
    chosen = _chosen(connection, names)
    below = run.removeprefix(f"{connection.root}/")
    left = left_behind(connection)
    taken_over: Mapping[str, str] = {}
    if left is not None:
        if below and left.run == below and not _is_owned(connection, left):
            taken_over = left.previous
        elif is_held(connection, left):
            raise DeviceError(
                "device-busy", f"{connection.target} is in use by process {left.pid} on {left.host}",
                "wait until it has ended",
            )  # fmt: skip
        else:
            restore(connection, left)
    before = _words(connection)
    to_set = {name: word for name in chosen if (word := before[name]) is not None and not SETTINGS[name].is_set(word)}
    previous = {**to_set, **taken_over}
    changed = Changed(platform.node(), os.getpid(), psutil.Process().create_time(), previous, below)
    _write_down(connection, changed)
    _held_here.add(connection.target)
    try:
        if to_set:
            _run(connection, "\n".join(SETTINGS[name].change for name in SETTINGS if name in to_set))
        after = _words(connection) if to_set else before
        yield [
            f"{name} cannot be read on the device, and was left as it is"
            if (word := after[name]) is None
            else f"{name} is {word} on the device, and could not be changed"
            for name in chosen
            if (word := after[name]) is None or not SETTINGS[name].is_set(word)
        ]
    finally:
        _held_here.discard(connection.target)
        restore(connection, changed)


def left_behind(connection: Connection) -> Changed | None:
    """What an earlier command changed and did not restore, as written down here or on the device."""
    connection.reopen()
    texts = [connection.left_behind]
    with suppress(OSError):
        texts.append(_place(connection).read_text()[:_MOST_RECORD])
    for text in texts:
        with suppress(ValueError, RecursionError):
            if (changed := Changed.of(json.loads(text))) is not None:
                return changed
    return None


def is_held(connection: Connection, changed: Changed) -> bool:
    """Whether settings are still needed: the command that changed them still runs, or the run for which it did."""
    return _is_owned(connection, changed) or _goes_on(connection, changed.run)


def _goes_on(connection: Connection, run: str) -> bool:
    if not run:
        return False
    command = shlex.join(["sh", "-c", scripts.SIGNAL, "sh", f"{connection.root}/{run}", "0"])
    return connection.shell(command, timeout_s=_READ_S).stdout.strip() == b"alive"


def _is_owned(connection: Connection, changed: Changed) -> bool:
    """Whether the command that changed settings still runs. One on another computer may."""
    if changed.host != platform.node():
        return True
    if changed.pid == os.getpid():
        return connection.target in _held_here
    return is_alive(changed.pid, changed.started)


def restore(connection: Connection, changed: Changed) -> None:
    """Restore settings, and forget that they were changed.

    Raises: DeviceLost, DeviceError: The device is gone or refuses; what was written down stays.
    """
    if commands := changed.commands():
        _run(connection, commands)
    connection.shell(f"rm -f {shlex.quote(_device_place(connection))}", timeout_s=_READ_S)
    connection.left_behind = ""
    _place(connection).unlink(missing_ok=True)


def _chosen(connection: Connection, names: Iterable[str]) -> list[str]:
    chosen = list(dict.fromkeys(names))
    for name in chosen:
        if name not in SETTINGS:
            raise UsageError("bad-device", f"no setting {name!r} is known for phones", did_you_mean(name, SETTINGS))
    if "airplane" in chosen and connection.is_wireless:
        raise DeviceError(
            "device-settings", f"airplane mode would cut the connection to {connection.target}", "connect it by USB"
        )
    return chosen


def _words(connection: Connection) -> dict[str, str | None]:
    outputs = probes.read(
        lambda script: connection.partial(script, timeout_s=_READ_S, most=len(READ) * 2 * probes.MOST_BYTES), READ
    )
    return {name: setting.previous(outputs) for name, setting in SETTINGS.items()}


def _run(connection: Connection, commands: str) -> None:
    """Execute commands, each even if one before failed."""
    connection.shell(f"{{ {commands}\n}} > /dev/null 2>&1 < /dev/null", timeout_s=_CHANGE_S)


def _write_down(connection: Connection, changed: Changed) -> None:
    text = json.dumps(changed.record())
    place = _place(connection)
    place.parent.mkdir(parents=True, exist_ok=True)
    with writing(place) as file:
        file.write(text)
    there = _device_place(connection)
    folder, p = (shlex.quote(part) for part in (there.rpartition("/")[0], there))
    output = connection.shell(f"mkdir -p {folder} && cat > {p}.new && mv {p}.new {p}", stdin=text.encode())
    if output.returncode != 0:
        place.unlink(missing_ok=True)
        said = output.stderr.decode(errors="replace").strip()[-200:]
        raise DeviceError(
            "device-command", f"{connection.target}: {there} cannot be written: {said}", "free storage on the device"
        )
    connection.left_behind = text


def _device_place(connection: Connection) -> str:
    return f"{connection.root}/{RECORD}"


def _place(connection: Connection) -> Path:
    parent = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state")
    name = re.sub(r"[^A-Za-z0-9.-]", "_", connection.target)[:64]
    digest = hashlib.sha256(connection.target.encode()).hexdigest()[:8]
    return parent / "mlperf-mobile/devices" / f"adb-{name}-{digest}.json"
