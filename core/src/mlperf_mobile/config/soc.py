"""The system on a chip that a run takes place on, asked for only if a tuning depends on it."""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from mlperf_mobile.config.document import Layer
from mlperf_mobile.config.placing import Placed, transport_of
from mlperf_mobile.plan import CHOSEN_LATER
from mlperf_mobile.printing import clean
from mlperf_mobile.registry import Registry

_MACHINE = Path("/sys/devices/soc0/machine")
"""Its name by the kernel's driver of the SoC (Documentation/ABI/testing/sysfs-devices-soc): ``SM8650``."""
_COMPATIBLE = Path("/proc/device-tree/compatible")
"""NUL-terminated ``VENDOR,NAME`` from the board to its SoC, which is last: ``rockchip,rk3588``."""
_LONGEST = 100


def soc_of(registry: Registry, placed: Placed, layer: Layer) -> str:
    """The SoC: as the user set it, as the device reports it, or this machine's; empty if it is not known.

    Args:
        registry: The installed plugins.
        placed: Where the run takes place.
        layer: The settings.

    Raises:
        DeviceError: The device cannot be reached.
    """
    if "soc" in layer and layer["soc"].value is not None:
        return str(layer["soc"].value)
    if placed.device == CHOSEN_LATER:
        return ""
    return _of_device(registry, placed.device) if placed.device else of_this_machine()


@lru_cache(maxsize=64)  # a command plans several runs for one device
def _of_device(registry: Registry, address: str) -> str:
    transport = transport_of(registry, address, "device").info.transport.load()
    with transport(address.partition(":")[2]) as device:
        return device.facts().soc


def of_this_machine(machine: Path = _MACHINE, compatible: Path = _COMPATIBLE) -> str:
    """This machine's SoC by the kernel; empty if it does not say, as on PCs.

    Args:
        machine: The file with its name.
        compatible: The device tree's list of what the machine is compatible with.
    """
    with suppress(OSError):
        if name := clean(machine.read_text(errors="replace")).strip()[:_LONGEST]:
            return name
    with suppress(OSError):
        names = [name for name in compatible.read_bytes()[:4096].split(b"\0") if name]
        return clean(names[-1].decode(errors="replace").rpartition(",")[2])[:_LONGEST] if names else ""
    return ""
