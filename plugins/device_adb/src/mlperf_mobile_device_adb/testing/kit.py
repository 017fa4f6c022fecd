"""Stand-ins as a fixture of tests: a process with the devices, and a server of adb that knows no others."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

STARTED_S = 60
"""Maximum time until a server of adb answers."""


class StandIns:
    """Stand-ins that are connected to an own server of adb; a context manager.

    The server has its own port and its own key, and looks for no emulators: another server on this machine, as that of
    a lab, is not disturbed. (It does look at USB: run such tests where no phone is attached.)

    Args:
        count: Number of devices.
        adb: The adb client.
        toybox: Whether commands are those of the installed toybox and mksh, as on Android.
        profile: Fields of :class:`mlperf_mobile_device_adb.testing.profile.Profile`, for all devices.
    """

    def __init__(self, count: int = 1, *, adb: str = "adb", toybox: bool = False, **profile: object) -> None:
        self.count, self.adb = count, adb
        self.serials: list[str] = []
        """What adb calls the devices: ``127.0.0.1:PORT``."""
        self.env: dict[str, str] = {}
        """Environment variables that make a client of adb use this server."""
        self._options = [*(["--toybox"] if toybox else []), *(f"--set={n}={_text(v)}" for n, v in profile.items())]
        self._folder = Path()
        self._server: subprocess.Popen[bytes] | None = None
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        """Raises: RuntimeError: There is no adb, or it or the stand-ins do not start."""
        if shutil.which(self.adb) is None:
            raise RuntimeError(f"{self.adb} is not installed")
        self._folder = Path(tempfile.mkdtemp(prefix="stand-ins-kit-"))
        try:
            self._start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in (self._process, self._server):
            if process is not None:
                if process.stdin is not None:
                    with suppress(OSError):
                        process.stdin.close()
                else:
                    process.terminate()
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
                if process.stdout is not None:
                    process.stdout.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def control(self, line: str) -> dict[str, Any]:
        """Execute a line such as ``0 reboot when push 1000000``; the state of the device afterwards.

        Raises: ValueError: The line is not understood.
        Raises: RuntimeError: The stand-ins ended.
        """
        assert self._process is not None
        answer = self._exchange(line)
        if "error" in answer:
            raise ValueError(answer["error"])
        return answer

    def state(self, device: int = 0) -> dict[str, Any]:
        """The state of a device."""
        return self.control(f"{device} state")

    def run(self, *arguments: str, timeout: float = 60, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run the adb client with these arguments."""
        env = {**os.environ, **self.env}
        command = [self.adb, *arguments]
        return subprocess.run(  # noqa: PLW1510  the caller looks at the exit code
            command, env=env, timeout=timeout, text=True, capture_output=True, **options
        )

    def connect(self, timeout: float = STARTED_S) -> None:
        """Connect the server to all devices, and wait until they answer.

        Raises: RuntimeError: They do not within ``timeout`` seconds.
        """
        deadline = time.monotonic() + timeout
        for serial in self.serials:
            while self.run("-s", serial, "shell", "echo here").stdout.strip() != "here":
                self.run("disconnect", serial)  # else the server tries again only after ten seconds
                self.run("connect", serial)
                if time.monotonic() > deadline:
                    raise RuntimeError(f"{serial} does not answer")
                time.sleep(0.02)

    def _start(self) -> None:
        key = self._folder / "key"
        env = {**os.environ, "HOME": str(self._folder), "ADB_LOCAL_TRANSPORT_MAX_PORT": "5553"}
        subprocess.run([self.adb, "keygen", str(key)], env=env, check=True, capture_output=True, timeout=STARTED_S)
        port = free_port()
        self.env = {"ANDROID_ADB_SERVER_PORT": str(port)}
        env |= {**self.env, "ADB_VENDOR_KEYS": str(key)}
        self._server = subprocess.Popen(
            [self.adb, "nodaemon", "server"], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        self._process = subprocess.Popen(
            [
                sys.executable, "-P", "-m", "mlperf_mobile_device_adb.testing", f"--count={self.count}",
                f"--folder={self._folder}", f"--key={key}.pub", *self._options,
            ],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        self.serials = [device["address"] for device in self._exchange(None)["stand_ins"]]
        deadline = time.monotonic() + STARTED_S
        while time.monotonic() < deadline:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.02)
        else:
            raise RuntimeError(f"the server of {self.adb} did not start")
        self.connect()

    def _exchange(self, line: str | None) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            if line is not None:
                self._process.stdin.write(line.replace("\n", " ") + "\n")
                self._process.stdin.flush()
            answer = self._process.stdout.readline()
            return dict(json.loads(answer))
        except (OSError, ValueError):
            raise RuntimeError("the stand-ins ended") from None


def free_port() -> int:
    """A port of 127.0.0.1 that nothing uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
