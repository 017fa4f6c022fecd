"""A transport to a device with a shell: everything of the contract, from nothing but running a short command there."""

from __future__ import annotations

import hashlib
import posixpath
import re
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn, Self

from mlperf_mobile.contracts.transport import DeviceError, DeviceFacts, Output, Progress
from mlperf_mobile.printing import clean
from mlperf_mobile_devices import scripts

CHUNK = 4 << 20
"""Bytes of a file that one command transfers."""
CHUNK_TIMEOUT_S = 600.0
_SIGNALS = ("0", "HUP", "INT", "QUIT", "KILL", "USR1", "USR2", "TERM", "CONT", "STOP")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_STALE = 91
"""The exit code of :data:`scripts.APPEND` if the file on the device has another size."""


class ShellTransport:
    """The base class of transports to devices with a POSIX shell.

    A transport implements :meth:`discover`, :meth:`facts` and :meth:`run`, and sets :attr:`address` and :attr:`root`.
    It may replace :meth:`push` and :meth:`pull` by something faster.
    """

    address: str
    """``KIND:TARGET``."""
    root: str

    @classmethod
    @abstractmethod
    def discover(cls) -> Iterable[DeviceFacts]:
        """See :meth:`mlperf_mobile.contracts.Transport.discover`."""
        ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        pass

    @abstractmethod
    def facts(self) -> DeviceFacts:
        """See :meth:`mlperf_mobile.contracts.Transport.facts`."""
        ...

    @abstractmethod
    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout_s: float = 60.0) -> Output:
        """See :meth:`mlperf_mobile.contracts.Transport.run`."""
        ...

    def script(self, text: str, *arguments: str, stdin: bytes = b"", timeout_s: float = 60.0) -> Output:
        """Run a script of :mod:`mlperf_mobile_devices.scripts` with positional parameters."""
        return self.run(["sh", "-c", text, "sh", *arguments], stdin=stdin, timeout_s=timeout_s)

    def answer(self, what: str, text: str, *arguments: str, stdin: bytes = b"", timeout_s: float = 60.0) -> bytes:
        """The output of a script that must succeed.

        Args:
            what: What it does, for the error: ``"read /a/file"``.
            text: The script.
            arguments: Its positional parameters.
            stdin: Its input.
            timeout_s: Seconds.

        Raises:
            DeviceError: ``device-storage`` if the device is full, else ``device-command``.
        """
        output = self.script(text, *arguments, stdin=stdin, timeout_s=timeout_s)
        if output.returncode:
            self.refuse(what, output)
        return output.stdout

    def refuse(self, what: str, output: Output) -> NoReturn:
        """Raise the error of a command that failed; see :meth:`answer`."""
        raise failed(self.address, what, output)

    def push(self, source: Path, target: str, progress: Progress | None = None) -> None:
        """Copy a file to the device in pieces; what an earlier call copied of the same file is kept."""
        size, stamp = _stamp(source)
        folder, name = posixpath.split(target)
        part = posixpath.join(folder, f".{name}.{stamp}.part")
        for _ in range(3):
            if self._push_pieces(source, part, size, progress):
                self.answer(f"write {target}", 'mv -f -- "$1" "$2"', part, target)
                return
            self.remove(part)
        raise DeviceError("device-command", f"{self.address}: {target} changes while it is written", "try again")

    def _push_pieces(self, source: Path, part: str, size: int, progress: Progress | None) -> bool:
        """Append what is missing of a file; False if the part on the device does not grow as expected."""
        done = max(0, self._size(part))
        if done > size:
            return False
        with source.open("rb") as file:
            file.seek(done)
            while done < size or not size:
                data = file.read(min(CHUNK, size - done))
                if not data and size:
                    return False
                output = self.script(scripts.APPEND, part, str(done), stdin=data, timeout_s=CHUNK_TIMEOUT_S)
                if output.returncode == _STALE:
                    return False
                if output.returncode:
                    self.refuse(f"write {part}", output)
                done += len(data)
                if progress:
                    progress(done)
                if not size:
                    break
        return self._size(part) == size

    def pull(self, source: str, target: Path, progress: Progress | None = None) -> None:
        """Copy a file from the device in pieces; what an earlier call copied is kept."""
        size = self._size(source)
        if size < 0:
            raise DeviceError("device-command", f"{self.address}: there is no file {source}", "")
        part = target.with_name(f".{target.name}.part")
        with part.open("ab") as file:
            done = file.tell()
            if done > size:
                file.truncate(done := 0)
            while done < size:
                data = self.read(source, done, min(CHUNK, size - done))
                if not data:
                    raise DeviceError("device-command", f"{self.address}: {source} shrinks while it is read", "")
                file.write(data)
                done += len(data)
                if progress:
                    progress(done)
        part.replace(target)

    def _size(self, path: str) -> int:
        text = self.answer(f"read {path}", scripts.SIZE, path).strip()
        if not re.fullmatch(rb"-1|\d{1,18}", text):
            raise DeviceError("device-command", f"{self.address}: {path} has no size: {_first(text)}", "")
        return int(text)

    def start(self, folder: str, argv: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start a process; a second call for a folder returns when the first has begun."""
        if wrong := [name for name in environment if not _NAME.fullmatch(name)]:
            raise ValueError(f"{wrong[0]!r} cannot be the name of a variable")
        variables = [f"{name}={value}" for name, value in environment.items()]
        self.answer(f"start a process in {folder}", scripts.START, folder, scripts.WRAPPER, *variables, "--", *argv)

    def read(self, path: str, offset: int, limit: int = 1 << 20) -> bytes:
        """At most ``limit`` bytes of a file from an offset; the device cannot send more."""
        data = self.answer(f"read {path}", scripts.READ, path, str(offset + 1), str(limit), timeout_s=CHUNK_TIMEOUT_S)
        return data[:limit]

    def signal(self, folder: str, name: str) -> bool:
        """Send a signal to all processes of the session; ``"0"`` sends none, and only asks whether it is running."""
        if name not in _SIGNALS:
            raise ValueError(f"unknown signal {name!r}")
        return self.answer(f"signal {folder}", scripts.SIGNAL, folder, name).strip() == b"alive"

    def remove(self, path: str) -> None:
        """Remove a file or a folder below the root."""
        if not is_below(path, self.root):
            raise ValueError(f"{path!r} is not below {self.root}")
        self.answer(f"remove {path}", scripts.REMOVE, path, timeout_s=CHUNK_TIMEOUT_S)


def is_below(path: str, root: str) -> bool:
    """Whether a path is below a folder, and written in its shortest form."""
    return posixpath.isabs(root) and posixpath.normpath(path) == path and path.startswith(root.rstrip("/") + "/")


def failed(address: str, what: str, output: Output) -> DeviceError:
    """The error of a command that failed on a device: ``device-storage`` or ``device-command``."""
    words = _first(output.stderr) or f"exit code {output.returncode}"
    if b"No space left" in output.stderr or b"Disk quota exceeded" in output.stderr:
        hint = f"free storage on the device, or remove old files: mlperf-mobile devices prune {address}"
        return DeviceError("device-storage", f"{address}: cannot {what}: {words}", hint)
    return DeviceError("device-command", f"{address}: cannot {what}: {words}", "see whether a shell there can do it")


def _first(text: bytes) -> str:
    """The last line of an output that is not empty, as one printable line."""
    lines = [line for line in text[-4096:].decode(errors="replace").splitlines() if line.strip()]
    return clean(lines[-1].strip())[:300] if lines else ""


def _stamp(source: Path) -> tuple[int, str]:
    """The size of a file, and a name for this state of it."""
    found = source.stat()
    state = f"{source.resolve()}\0{found.st_size}\0{found.st_mtime_ns}\0{found.st_ino}"
    return found.st_size, hashlib.sha256(state.encode(errors="surrogateescape")).hexdigest()[:16]
