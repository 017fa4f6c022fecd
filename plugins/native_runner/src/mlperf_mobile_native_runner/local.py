"""This machine as a device: the same transport as for others, on files and processes of this machine."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from mlperf_mobile.contracts.transport import DeviceError, DeviceFacts, DeviceLost, Output, Progress
from mlperf_mobile_devices.shell import ShellTransport


class LocalTransport(ShellTransport):
    """This machine; ``root`` is a folder of one run."""

    def __init__(self, target: str) -> None:
        self.address, self.root = "this machine", target

    @classmethod
    def discover(cls) -> Iterable[DeviceFacts]:
        return ()

    def facts(self) -> DeviceFacts:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return DeviceFacts(address=self.address, os=platform.system(), abi=platform.machine(), boot_id=boot)

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout_s: float = 60.0) -> Output:
        try:
            done = subprocess.run(argv, input=stdin, capture_output=True, timeout=timeout_s, check=False)  # noqa: S603
        except subprocess.TimeoutExpired as error:
            raise DeviceLost(f"{argv[0]} did not end within {timeout_s:g} s") from error
        except OSError as error:
            raise DeviceError("device-command", f"cannot run {argv[0]}: {error.strerror}", "") from error
        return Output(done.returncode, done.stdout, done.stderr)

    def push(self, source: Path, target: str, progress: Progress | None = None) -> None:
        """Give a file a second name; it is copied only to another file system."""
        _second(source, Path(target))

    def pull(self, source: str, target: Path, progress: Progress | None = None) -> None:
        """Give a file a second name; see :meth:`push`."""
        _second(Path(source), target)

    def read(self, path: str, offset: int, limit: int = 1 << 20) -> bytes:
        """See the base class; no process is started, so that a timed run is not disturbed."""
        try:
            with Path(path).open("rb") as file:
                file.seek(offset)
                return file.read(limit)
        except FileNotFoundError:
            return b""


def _second(source: Path, target: Path) -> None:
    part = target.with_name(f".{target.name}.part")
    with suppress(FileNotFoundError):
        part.unlink()
    try:
        os.link(source, part)
    except OSError:
        shutil.copyfile(source, part)
    part.replace(target)
    part.unlink(missing_ok=True)  # which renaming leaves if both are names of one file already (rename(2))
