"""Copies files to and from a phone. A copy is complete when the device's own sha256 of it agrees, and only then there.

A large file is sent in segments, which the device appends to a part; after an interruption, the copy goes on behind
the segments that have arrived.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shlex
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from mlperf_mobile.contracts.transport import DeviceError, DeviceLost, Progress
from mlperf_mobile.printing import clean
from mlperf_mobile_device_adb.connection import Connection
from mlperf_mobile_device_adb.readings import free_bytes
from mlperf_mobile_devices.clients import Finished

SEGMENT = 32 << 20
"""Bytes of a segment: what is sent again at most after an interruption."""
ATTEMPTS = 5
"""How often a copy is continued by itself."""
RETURN_S = 10.0
"""How long an interrupted copy waits for the device."""
RESERVE = 1 << 20
"""Bytes of storage that a copy leaves free."""
_SLOWEST = 50_000
"""Bytes per second; a slower copy counts as one that has stopped."""
_REMOTE = re.compile(r"remote (?:object )?(.*)|failed to stat remote object (.*)")


def push(connection: Connection, source: Path, target: str, progress: Progress | None = None) -> None:
    """Copy a file to the device; ``target`` is in an existing folder, and either complete or as before.

    Raises:
        OSError: The source cannot be read.
        DeviceLost: The device is gone, and did not return soon. The next call continues.
        DeviceError: It has no room, or refuses.
    """
    size, digest = source.stat().st_size, _digest(source)
    part = f"{target}.{digest[:16]}.part"
    _persevere(lambda: _push(connection, source, size, digest, target, part, progress or _ignore))


def _push(
    connection: Connection, source: Path, size: int, digest: str, target: str, part: str, progress: Progress
) -> None:
    there = _size(connection, part)
    if there > size or there % SEGMENT:
        _shell(connection, f"rm -f {shlex.quote(part)}")  # an append that was cut off
        there = 0
    _check_room(connection, target, size - there + min(size, SEGMENT))
    progress(there)
    with source.open("rb") as file, tempfile.TemporaryDirectory(prefix="mlperf-mobile-") as folder:
        while there < size or there == size == 0:
            segment, count = source, size
            if size > SEGMENT:
                file.seek(there)
                segment = Path(folder) / "segment"
                segment.write_bytes(data := file.read(SEGMENT))
                count = len(data)
            _send(connection, segment, f"{part}.next", count)
            if count:
                there = _append(connection, part, there, count)
            else:
                _shell(connection, f"mv {shlex.quote(part)}.next {shlex.quote(part)}")
            progress(there)
            if not size:
                break
    mode = "755" if os.access(source, os.X_OK) else "644"
    p, t = shlex.quote(part), shlex.quote(target)
    check = f's=$(sha256sum < {p}) && [ "${{s%% *}}" = {digest} ] || {{ rm -f {p}; exit 9; }}'
    command = f"{check}\nchmod {mode} {p} && mv -f {p} {t}"
    code, said = _code(connection, command, 60 + size / 10_000_000)
    if code == 9:
        raise DeviceLost(f"{connection.target}: the copy of {source.name} arrived damaged")
    if code:
        raise _refused(connection, target, said)


def _send(connection: Connection, source: Path, target: str, count: int) -> None:
    ended = connection.call(["push", str(source.resolve()), target], timeout_s=60 + count / _SLOWEST)
    if ended.returncode != 0 or ended.timed_out:
        raise _failure(connection, target, ended)


def _append(connection: Connection, part: str, there: int, count: int) -> int:
    """Append the segment that has arrived to the part, and return the part's size."""
    p = shlex.quote(part)
    step = f"mv {p}.next {p}" if not there else f"cat {p}.next >> {p} && rm {p}.next"
    command = f'[ "$(stat -c %s {p}.next)" = {count} ] || {{ rm -f {p}.next; exit 9; }}\n{step}'
    code, said = _code(connection, command, 60 + count / 1_000_000)
    if code == 9:
        raise DeviceLost(f"{connection.target}: a segment did not arrive completely")
    if code:
        _shell(connection, f"rm -f {p} {p}.next")
        raise _refused(connection, part, said)
    return there + count


def pull(connection: Connection, source: str, target: Path, progress: Progress | None = None) -> None:
    """Copy a file from the device; the target either is complete or does not exist.

    Raises: As :func:`push`.
    """
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        _persevere(lambda: _pull(connection, source, part))
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    (progress or _ignore)(target.stat().st_size)


def _pull(connection: Connection, source: str, part: Path) -> None:
    size = _size(connection, source)
    if size < 0:
        raise DeviceError("device-command", f"{connection.target} has no file {clean(source)}", "")
    ended = connection.call(["pull", source, str(part.resolve())], timeout_s=60 + size / _SLOWEST)
    if ended.returncode != 0 or ended.timed_out:
        raise _failure(connection, source, ended)
    reported = _shell(connection, f"sha256sum < {shlex.quote(source)}", 60 + size / 10_000_000).split()
    if not reported or not part.is_file() or reported[0] != _digest(part):
        raise DeviceLost(f"{connection.target}: the copy of {clean(source)} arrived damaged, or the file was changed")


def _persevere(copy: Callable[[], None]) -> None:
    """Copy, and continue a few times if the device is lost and comes back."""
    for left in reversed(range(ATTEMPTS)):
        deadline = time.monotonic() + RETURN_S
        while True:
            try:
                copy()
            except DeviceLost:
                if time.monotonic() > deadline:
                    raise
                if left == 0:
                    raise
                time.sleep(0.2)
                break
            return


def _check_room(connection: Connection, target: str, needed: int) -> None:
    folder = shlex.quote(target.rpartition("/")[0] or "/")
    free = free_bytes(_shell(connection, f"df -k {folder}"))
    if free is not None and free < needed + RESERVE:
        raise _full(connection, f"{needed} bytes are needed, and {free} are free")


def _full(connection: Connection, why: str) -> DeviceError:
    hint = "free storage on the device; mlperf-mobile devices prune removes what earlier runs left there"
    return DeviceError("device-storage", f"{connection.target} has too little storage: {why}", hint)


def _failure(connection: Connection, path: str, ended: Finished) -> DeviceError:
    """The error for a copy that adb did not complete: what the device replied, or that it is lost."""
    text = (ended.stderr + b"\n" + ended.stdout)[-4000:].decode(errors="replace")
    match = None if ended.timed_out else _REMOTE.search(text)
    return _refused(connection, path, match[1] or match[2]) if match else connection.lost(ended)


def _refused(connection: Connection, path: str, said: str) -> DeviceError:
    said = clean(said.strip()[-200:])
    if "No space left" in said or "File too large" in said:
        return _full(connection, said)
    return DeviceError(
        "device-command", f"{connection.target} refuses {clean(path)}: {said}",
        "see whether adb shell can read and write that folder on the device",
    )  # fmt: skip


def _size(connection: Connection, path: str) -> int:
    """The size of a file on the device; 0 for a part that is not there, -1 for another file."""
    said = _shell(connection, f"stat -c %s {shlex.quote(path)} 2> /dev/null").strip()
    absent = 0 if path.endswith(".part") else -1
    return int(said) if re.fullmatch(r"[0-9]{1,18}", said, re.ASCII) else absent


def _shell(connection: Connection, command: str, timeout_s: float = 60.0) -> str:
    return connection.shell(command, timeout_s=timeout_s).stdout.decode(errors="replace")


def _code(connection: Connection, command: str, timeout_s: float) -> tuple[int, str]:
    output = connection.shell(command, timeout_s=timeout_s)
    return output.returncode, output.stderr.decode(errors="replace")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _ignore(count: int) -> None:
    """Report no progress."""
