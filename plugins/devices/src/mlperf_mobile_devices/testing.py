"""A stand-in for a device: a folder of this machine, reached by a shell; with faults, for tests of what uses it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from textwrap import dedent
from typing import Any

from mlperf_mobile.contracts.transport import ENVIRONMENT, DeviceFacts, DeviceLost, Output
from mlperf_mobile.launch.process import MARK
from mlperf_mobile.testing.command import Command, Done
from mlperf_mobile_devices.shell import ShellTransport

Fault = Callable[[Sequence[str]], Output | None]
"""Called with every command before it runs: raises, answers in place of the device, or returns None."""


class StandInTransport(ShellTransport):
    """A device that is a folder of this machine, for tests.

    As long as the folder has a file ``unplugged``, the device cannot be reached.

    Args:
        target: The folder, absolute.
    """

    shell: tuple[str, ...] = ("sh",)
    """What runs scripts, such as ``("busybox", "sh")``."""
    path: str | None = None
    """``PATH`` on the device."""
    machine: str = os.uname().machine
    """What the device says it is, as ``uname -m`` prints it."""

    def __init__(self, target: str) -> None:
        self.address = f"stand-in:{target}"
        self.root = f"{target}/mlperf-mobile"
        self._unplugged = Path(target) / "unplugged"
        self.faults: list[Fault] = []
        self.commands = 0
        self.sent = self.received = 0
        """Bytes to and from the device."""

    @classmethod
    def discover(cls) -> Iterable[DeviceFacts]:
        return ()

    def facts(self) -> DeviceFacts:
        boot = self.answer("read its boot id", "cat /proc/sys/kernel/random/boot_id").decode().strip()
        return DeviceFacts(address=self.address, model="stand-in", boot_id=boot, abi=self.machine)

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout_s: float = 60.0) -> Output:
        self.commands += 1
        if self._unplugged.exists():
            raise DeviceLost(f"{self.address} is unplugged")
        for fault in self.faults:
            if (answer := fault(argv)) is not None:
                return answer
        command = [*self.shell, *argv[1:]] if argv[0] == "sh" else [*argv]
        environment = os.environ | {MARK: self.address}  # the host's command must not take these processes for its own
        environment |= {"PATH": self.path} if self.path else {}
        try:
            done = subprocess.run(  # noqa: S603  a test's own commands
                command, input=stdin, capture_output=True, timeout=timeout_s, env=environment, cwd="/", check=False
            )
        except subprocess.TimeoutExpired as error:
            raise DeviceLost(f"{self.address} did not answer within {timeout_s:g} s") from error
        self.sent += len(stdin)
        self.received += len(done.stdout)
        return Output(done.returncode, done.stdout, done.stderr)


def applets(folder: Path, program: str, names: Iterable[str]) -> str:
    """A ``PATH`` on which a multi-call program such as toybox is all there is.

    Args:
        folder: An empty folder for its links.
        program: The program, absolute.
        names: The commands that it has.
    """
    for name in names:
        (folder / name).symlink_to(program)
    return str(folder)


_PLUGIN = """
    from mlperf_mobile.plugin import Ref, TransportInfo, hookimpl

    @hookimpl
    def mlperf_mobile_transports():
        yield TransportInfo(name="stand-in", summary="a stand-in for a device", runner="RUNNER", hook_api=(2, 1),
                            transport=Ref("mlperf_mobile_devices.testing:StandInTransport"))
"""


def set_up(root: Path) -> Path:
    """Give a device that is a folder of this machine an environment for the Python worker, which is this process's.

    Args:
        root: The transport's root.

    Returns:
        The interpreter of the environment, a script.
    """
    python = root / ENVIRONMENT
    python.parent.mkdir(parents=True, exist_ok=True)
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    return python


class StandInBoard:
    """A stand-in for a board, and the command with a plugin that offers its transport.

    Args:
        folder: An empty folder.
        runner: The runner that is used on it by default.
        more: Further code of the plugin.
        env: Further environment variables of the command.
    """

    def __init__(self, folder: Path, runner: str, more: str = "", env: Mapping[str, str] | None = None) -> None:
        site = folder / "site"
        info = site / "folder_stand_in-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: folder-stand-in\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[mlperf_mobile]\nfolder = folder_stand_in\n")
        (site / "folder_stand_in.py").write_text(dedent(_PLUGIN).replace("RUNNER", runner) + dedent(more))
        self.command = Command(folder, {**(env or {}), "PYTHONPATH": str(site)})
        self.root = folder / "board" / "mlperf-mobile"
        self.address = f"stand-in:{folder / 'board'}"
        self.root.mkdir(parents=True)

    def run(self, task: str, *arguments: object, **more: Any) -> tuple[dict[str, Any], Done]:
        """Run one benchmark on it; as :meth:`mlperf_mobile.testing.command.Command.run`."""
        return self.command.run(task, *arguments, "--device", self.address, **more)

    @property
    def unplugged(self) -> Path:
        """A file; while it exists, the device cannot be reached."""
        return self.root.parent / "unplugged"

    @property
    def runs(self) -> list[Path]:
        """The run folders that are on it."""
        folder = self.root / "runs"
        return sorted(folder.iterdir()) if folder.exists() else []
