"""The transport ``ssh:TARGET``: a machine with a shell, over the OpenSSH client.

One client holds the connection; the others share it, so that a command costs a round trip and no login. The holding
client ends with this process, because the command that it runs reads from it.
"""

from __future__ import annotations

import posixpath
import re
import secrets
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Self

from mlperf_mobile.contracts.transport import DeviceError, DeviceFacts, DeviceLost, Output
from mlperf_mobile_device_ssh.diagnosis import explained
from mlperf_mobile_device_ssh.target import parse
from mlperf_mobile_devices import linux
from mlperf_mobile_devices.clients import MOST_OUTPUT, Finished, call
from mlperf_mobile_devices.shell import ShellTransport

CONNECT_S = 30.0
"""Maximum seconds to connect and to log in."""
ALIVE_S = 10
"""Seconds without an answer after which the client asks the server; three times, then the connection is lost."""
ROOT = ".cache/mlperf-mobile-device"
"""Below the user's home folder on the device."""
_OPTIONS = (
    "BatchMode=yes", f"ConnectTimeout={CONNECT_S:.0f}", f"ServerAliveInterval={ALIVE_S}", "ServerAliveCountMax=3",
    "RequestTTY=no", "RemoteCommand=none", "PermitLocalCommand=no", "ClearAllForwardings=yes", "ForwardAgent=no",
    "ForwardX11=no", "LogLevel=ERROR", "SendEnv=-*", "StdinNull=no",
)  # fmt: skip
_NOT_ANEW = ("ControlMaster=no", "ProxyJump=none", "ProxyCommand=false")
"""A client without the shared connection ends at once."""
_HOLD = 'sh -c \'printf "%s\\n" "$1$HOME"; exec cat >/dev/null\' sh '
_COMMAND = "\"$@\"; printf '\\n%s%s\\n' {marker} $? >&2"


class Ssh(ShellTransport):
    """One machine."""

    def __init__(self, target: str) -> None:
        self._target = parse(target)
        self.address = f"ssh:{target}"
        self.root = ""
        """Known when connected."""
        self._marker = secrets.token_hex(8)
        self._folder: Path | None = None
        self._holder: subprocess.Popen[bytes] | None = None
        self._words: IO[bytes] | None = None

    @classmethod
    def discover(cls) -> Iterable[DeviceFacts]:
        """Nothing: a network is not searched."""
        return ()

    def __enter__(self) -> Self:
        """Connect.

        Raises:
            DeviceError: The machine refuses, or has no shell.
            DeviceLost: It cannot be reached now.
        """
        self._folder = Path(tempfile.mkdtemp(prefix="mm-ssh-", dir="/tmp"))
        try:
            self._words = tempfile.TemporaryFile()
            options = (*_OPTIONS, "ControlMaster=yes", f"ControlPath={self._socket}", "ControlPersist=no")
            self._holder = subprocess.Popen(  # noqa: S603  the client of the user's PATH; no shell takes part
                [*_client(options), *self._target.arguments, _HOLD + self._marker],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._words,
            )  # fmt: skip
            self.root = self._home()
        except BaseException as error:
            self._disconnect()
            if isinstance(error, OSError):
                raise DeviceError("device-unusable", f"ssh cannot be started: {error}", "install OpenSSH") from error
            raise
        return self

    def __exit__(self, *raised: object) -> None:
        self._disconnect()

    def facts(self) -> DeviceFacts:
        return linux.facts(self.address, self.answer("read its facts", linux.SCRIPT, self.root))

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout_s: float = 60.0) -> Output:
        remote = shlex.join(["sh", "-c", _COMMAND.format(marker=self._marker), "sh", *argv])
        options = (*_OPTIONS, *_NOT_ANEW, f"ControlPath={self._socket}")
        done = call(
            [*_client(options), *self._target.arguments, remote], stdin=stdin, timeout_s=timeout_s,
            most=MOST_OUTPUT + 64,
        )  # fmt: skip
        words, found, code = done.stderr.rpartition(f"\n{self._marker}".encode())
        if found and re.fullmatch(rb"\d{1,3}\n", code):
            return Output(int(code), done.stdout, words)
        raise self._unfinished(done, timeout_s)

    def _unfinished(self, done: Finished, timeout_s: float) -> DeviceError:
        """The error for a command whose end was not reported."""
        if done.overflowed:
            return DeviceError("device-command", f"a command on {self.address} printed too much", "report it")
        if done.timed_out:
            return DeviceLost(f"{self.address} did not answer within {timeout_s:g} s")
        said = self._said() + done.stderr
        return DeviceLost(explained(*self._names, said, "the connection was lost").summary)

    @property
    def _names(self) -> tuple[str, str, str]:
        target = self._target
        login = f"{target.user}@{target.host}" if target.user else target.host
        return self.address, f"-p {target.port} {login}" if target.port else login, target.host

    @property
    def _socket(self) -> str:
        if self._folder is None:
            raise DeviceLost(f"{self.address} is not connected")
        return str(self._folder / "s")

    def _home(self) -> str:
        """The root on the device, from the first line of the holding client."""
        assert self._holder is not None
        line = _first_line(self._holder, CONNECT_S)
        home = line.decode(errors="replace").removeprefix(self._marker)
        if not line.startswith(self._marker.encode()):
            ended = self._ended()
            said = self._said()
            if line or (ended is not None and ended != 255):
                hint = "the user's login shell has to be a POSIX shell that prints nothing"
                raise DeviceError("device-unusable", f"{self.address} runs no commands", hint)
            raise explained(*self._names, said, f"it did not answer within {CONNECT_S:g} s")
        if not posixpath.isabs(home) or not home.isprintable() or len(home) > 1000:
            raise DeviceError("device-unusable", f"{self.address}: the user has no home folder", "set its HOME")
        return posixpath.join(posixpath.normpath(home), ROOT)

    def _ended(self) -> int | None:
        """The exit code of the holding client; None if it is still running."""
        assert self._holder is not None
        with suppress(subprocess.TimeoutExpired):
            return self._holder.wait(1)
        return None

    def _said(self) -> bytes:
        """The last words of the holding client."""
        if self._words is None or self._words.closed:
            return b""
        self._words.seek(0)
        return self._words.read(1 << 16)

    def _disconnect(self) -> None:
        if self._holder is not None:
            for stream in (self._holder.stdin, self._holder.stdout):
                if stream:
                    with suppress(OSError):
                        stream.close()
            try:
                self._holder.wait(2)
            except subprocess.TimeoutExpired:
                self._holder.kill()
                self._holder.wait()
            self._holder = None
        if self._words is not None:
            self._words.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


def _client(options: Iterable[str]) -> list[str]:
    """The client with options, which win over its configuration."""
    return ["ssh", "-T", *(word for option in options for word in ("-o", option))]


def _first_line(process: subprocess.Popen[bytes], seconds: float) -> bytes:
    """The first line of its output, without the end; what there is of it if it ends or takes too long."""
    import select

    assert process.stdout is not None
    line, end = bytearray(), time.monotonic() + seconds
    fd = process.stdout.fileno()
    while len(line) < 8192 and (left := end - time.monotonic()) > 0 and select.select([fd], [], [], left)[0]:
        data = process.stdout.raw.read(1)  # type: ignore[attr-defined]  # nothing of what follows is taken
        if not data or data == b"\n":
            break
        line += data
    return bytes(line)
