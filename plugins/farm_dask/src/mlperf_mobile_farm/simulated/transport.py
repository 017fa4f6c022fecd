"""The transport of simulated devices, which only report facts: no program and no file can be on them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn, Self

from mlperf_mobile.contracts import DeviceError, DeviceFacts, Output, Transport
from mlperf_mobile.contracts.transport import Progress
from mlperf_mobile_farm.simulated.physics import Physics
from mlperf_mobile_farm.simulated.target import parse


class Simulated(Transport):
    """One simulated device: ``simulated:NAME?soc=SM8750&lasts=20&loss=0.01&seed=3``."""

    root = "/simulated"

    @classmethod
    def discover(cls) -> Iterable[DeviceFacts]:
        """None: a simulated device exists only when it is named."""
        return ()

    def __init__(self, target: str) -> None:
        self._address = f"simulated:{target}"
        self._device = Physics(parse(target), time.time)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        pass

    def facts(self) -> DeviceFacts:
        return replace(self._device.facts(), address=self._address)

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout_s: float = 60.0) -> Output:
        self._refuse()

    def push(self, source: Path, target: str, progress: Progress | None = None) -> None:
        self._refuse()

    def pull(self, source: str, target: Path, progress: Progress | None = None) -> None:
        self._refuse()

    def start(self, folder: str, argv: Sequence[str], environment: Mapping[str, str]) -> None:
        self._refuse()

    def read(self, path: str, offset: int, limit: int = 1 << 20) -> bytes:
        self._refuse()

    def signal(self, folder: str, name: str) -> bool:
        return False

    def remove(self, path: str) -> None:
        pass

    def _refuse(self) -> NoReturn:
        summary = f"{self._address} is simulated: no program can run on it, and no file can be on it"
        raise DeviceError("device-unusable", summary, "leave out --runner, or use a real device")
