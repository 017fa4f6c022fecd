"""The contract of a transport, which reaches a device: its facts, files and processes.

To reach devices in a new way, write a transport. Commands name a device by an address, ``KIND:TARGET``: the name of a
:class:`~mlperf_mobile.plugin.TransportInfo`, and what the transport itself understands, as in ``ssh:board`` or
``adb:R5CT10``. Paths on a device are strings in POSIX form; paths on the host are :class:`~pathlib.Path`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, Self, runtime_checkable

from mlperf_mobile.errors import ExitCode, MobileError

Plain = str | int | float | bool

ENVIRONMENT = "env/bin/python"
"""The interpreter of the environment for the Python worker, below :attr:`Transport.root`."""


class DeviceError(MobileError):
    """A device cannot be used: it is unknown, refuses the connection, lacks storage, or a command there failed."""

    def __init__(self, code: str, summary: str, hint: str = "") -> None:
        super().__init__(code, summary, hint, ExitCode.DEVICE)


class DeviceLost(DeviceError):
    """The device cannot be reached at the moment; it may return, and its processes may still be running."""

    def __init__(self, summary: str, hint: str = "") -> None:
        super().__init__("device-lost", summary, hint)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceFacts:
    """What is known about a device; empty or None where it does not say.

    Everything comes from the device, so lengths are bounded and control characters removed by the transport.
    """

    address: str
    """``KIND:TARGET``, which reaches it again."""
    usable: bool = True
    """Whether runs can take place on it."""
    reason: str = ""
    """Why it cannot be used, in one line."""
    fix: str = ""
    """What to do about it."""
    manufacturer: str = ""
    """``Samsung``."""
    model: str = ""
    """The model's name, as the manufacturer writes it: ``SM-S931B``."""
    serial: str = ""
    """Its serial number."""
    soc: str = ""
    """The system on a chip, as its vendor names it: ``SM8750``."""
    os: str = ""
    """``Android 15``, ``Debian GNU/Linux 12``."""
    abi: str = ""
    """The machine type, as ``uname -m`` prints it: ``aarch64``."""
    boot_id: str = ""
    """Changes with every boot; ``/proc/sys/kernel/random/boot_id``."""
    temperature_c: float | None = None
    """The battery's temperature, or that of the hottest thermal zone, in degrees Celsius."""
    thermal_status: int | None = None
    """Android's thermal status: 0 (none) to 6 (shutdown)."""
    battery_percent: float | None = None
    """The charge of its battery, 0 to 100; None without a battery."""
    charging: bool | None = None
    """Whether a charger supplies it; None without a battery."""
    free_bytes: int | None = None
    """Free storage in the folder of :attr:`Transport.root`."""
    more: Mapping[str, Plain] = field(default_factory=dict[str, Plain])
    """Other facts for the result's environment, by names like ``battery.voltage_mv``.

    ``cpuN.mhz``, ``cpuN.cap_mhz``, ``cpuN.max_mhz`` and ``thermal.NAME_c`` are series of the telemetry of a run there.
    """


@dataclass(frozen=True, slots=True)
class Output:
    """How a short command on a device ended, and what it printed; each stream is at most 16 MiB."""

    returncode: int
    """The command's exit code; 128 and more after a signal."""
    stdout: bytes
    """What it wrote to standard output."""
    stderr: bytes
    """What it wrote to standard error."""


Progress = Callable[[int], None]
"""Called with the number of bytes transferred so far."""


class Transport(Protocol):
    """A connection to one device, opened by the ``with`` statement.

    All methods may raise :class:`DeviceLost` if the device cannot be reached now, and :class:`DeviceError` for
    everything else that is wrong with it. A method that raised :class:`DeviceLost` can be called again.
    """

    root: str
    """The folder for our files on the device, absolute; it may not exist yet."""

    @classmethod
    @abstractmethod
    def discover(cls) -> Iterable[DeviceFacts]:
        """The devices that can be discovered, including those that are not usable, with the reason."""
        ...

    @abstractmethod
    def __init__(self, target: str) -> None:
        """Keep the target, which follows the colon of the address; nothing is contacted.

        Args:
            target: Not empty, printable, at most 255 characters.

        Raises:
            UsageError: The target cannot be an address of this kind.
        """
        ...

    @abstractmethod
    def __enter__(self) -> Self: ...

    @abstractmethod
    def __exit__(self, *raised: object) -> None: ...

    @abstractmethod
    def facts(self) -> DeviceFacts:
        """What the device reports about itself now."""
        ...

    @abstractmethod
    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout_s: float = 60.0) -> Output:
        """Run one short command on the device, and wait for it; ``argv`` is passed without another interpretation."""
        ...

    @abstractmethod
    def push(self, source: Path, target: str, progress: Progress | None = None) -> None:
        """Copy a file to the device, into an existing folder; a copy that was cut off is continued or repeated."""
        ...

    @abstractmethod
    def pull(self, source: str, target: Path, progress: Progress | None = None) -> None:
        """Copy a file from the device; the target either is complete or does not exist."""
        ...

    @abstractmethod
    def start(self, folder: str, argv: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start a process in a session of its own that outlives the connection.

        It runs in ``folder``, an existing folder on the device, with standard input from its file ``stdin`` (empty
        without that file) and output to ``worker.log``. The folder gets ``pid`` and ``boot_id`` before this returns,
        and, when the process has ended, ``rc`` with its exit code, each written as a whole. ``stdin`` may be a named
        pipe, which is then opened for reading and writing, so that it waits for a writer and never ends.
        """
        ...

    @abstractmethod
    def read(self, path: str, offset: int, limit: int = 1 << 20) -> bytes:
        """At most ``limit`` bytes of a file from a byte offset; empty at its end, or if there is no such file."""
        ...

    @abstractmethod
    def signal(self, folder: str, name: str) -> bool:
        """Send a signal (``"INT"``, ``"KILL"``) to the session that :meth:`start` began in a folder.

        The signal ``"0"`` sends nothing and only asks whether the session is running.

        Returns:
            False if it is not running, also if the device was rebooted in the meantime.
        """
        ...

    @abstractmethod
    def remove(self, path: str) -> None:
        """Remove a file or a folder under :attr:`root`; one that does not exist is fine."""
        ...


@runtime_checkable
class HoldingTransport(Transport, Protocol):
    """A transport that can keep a device from sleeping during a run, and restores the settings that it changed."""

    def hold(self, *, run: str = "", airplane: bool = False) -> AbstractContextManager[Sequence[str]]:
        """Change settings for the duration of a ``with`` block, which gets warnings about those that did not change.

        Each is written down before it is changed. What a killed command left is restored by the next connection, but
        not as long as its run goes on.

        Args:
            run: The folder of a run on the device. What an earlier command holds for the same run is taken over.
            airplane: Whether to put the device into airplane mode too.

        Raises:
            DeviceError: Another command holds the settings, or airplane mode would cut the connection.
        """
        ...

    def restore(self) -> Sequence[str]:
        """Restore the settings that a command left behind, also one of another computer; their names."""
        ...
