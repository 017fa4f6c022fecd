"""Detects the MediaTek SoC and the version of its MDLA, MediaTek's deep learning accelerator."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from mlperf_mobile_native_libraries.android import property_of

MDLA = {
    # MediaTek, "Neuron SDK" of the IoT AI Hub and its tables of Genio platforms: Genio 1200, 700, 510, 720, 520.
    "mt8195": "2.0",
    "mt8395": "2.0",
    "mt8188": "3.0",
    "mt8390": "3.0",
    "mt8370": "3.0",
    "mt8189": "5.3",
    "mt8391": "5.3",
    "mt8371": "5.3",
    # MediaTek, "NeuroPilot introduction" on developer.mediatek.com: Dimensity 9000.
    "mt6983": "3.0",
    # ExecuTorch's MediaTek backend, preprocess.py: its default compile options are those of this SoC, Dimensity 9300.
    "mt6989": "5.1",
    # Values that public projects pass to ncc-tflite for Dimensity 8400, 9400 and 9500; MediaTek does not document them.
    "mt6899": "5.5",
    "mt6991": "5.5",
    "mt6993": "6.1",
}
"""MDLA versions by SoC, from public sources."""

PROPERTIES = ("ro.soc.model", "ro.hardware", "ro.board.platform")
"""Android's properties that may name the SoC; the reference app reads ``ro.hardware``."""

DEVICE_TREE = (Path("/proc/device-tree/compatible"), Path("/sys/firmware/devicetree/base/compatible"))
SOC_BUS = Path("/sys/devices/soc0/soc_id")

_NAME = re.compile(r"mt\d{4}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Soc:
    """A MediaTek SoC: ``Soc("mt6989", "5.1")``."""

    name: str
    """In lower case, without anything after the four digits."""
    mdla: str = ""
    """The version of its MDLA; empty if no public source has it."""


def named(text: str) -> Soc | None:
    """The SoC that ``text`` names, such as ``"MT6989"``, ``"mediatek,mt8395"`` or ``"MT6983Z/CZA"``."""
    if found := _NAME.search(text):
        name = found[0].lower()
        return Soc(name, MDLA.get(name, ""))
    return None


def detect() -> Soc | None:
    """The SoC of this device, or None if it is not known to be MediaTek's."""
    return next((soc for text in _texts() if (soc := named(text))), None)


def _texts() -> list[str]:
    """The names that this device reports, the most exact first."""
    return [*map(property_of, PROPERTIES), *map(_read, DEVICE_TREE), _read(SOC_BUS)]


def _read(path: Path) -> str:
    """A kernel file, such as NUL-separated names in a device tree; empty if it does not exist."""
    try:
        with path.open("rb") as file:
            return file.read(4096).replace(b"\0", b" ").decode("ascii", "replace")
    except OSError:
        return ""
