"""The SoCs that models are compiled for, by Qualcomm's names and numbers.

Sources: numbers in QNN from ``soc_table.h`` of LiteRT (litert/vendors/qualcomm/core/schema, commit da2c333, of QAIRT
2.47); HTP architectures from its ``supported_soc.csv``; VTCM as libQnnHtp of QAIRT 2.51 writes it into context
binaries; numbers in sysfs from Linux 6.17's ``dt-bindings/arm/qcom,ids.h`` and mobile_app_open v6.0's
``soc_utility.cc``. Only SoCs that libQnnHtp of QAIRT 2.51 compiles for are listed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from mlperf_mobile.errors import did_you_mean

SYSFS = (Path("/sys/devices/soc0/soc_id"), Path("/sys/devices/system/soc/soc0/id"))
"""Files with the kernel's number of the SoC."""

SIMULATED = "SM8750"
"""The simulator's SoC unless the options name another: Snapdragon 8 Elite."""


@dataclass(frozen=True, slots=True)
class Soc:
    """One SoC: ``Soc("SM8650", 57, 75, 8, (557,))``."""

    name: str
    number: int
    """``soc_model`` of QNN."""
    htp_arch: int
    """Version of the Hexagon architecture: 75 is v75."""
    vtcm_mb: int
    kernel_ids: tuple[int, ...] = ()
    """Its numbers in ``/sys/devices/soc0/soc_id``."""


SOCS: Mapping[str, Soc] = MappingProxyType({
    soc.name: soc
    for soc in (
        Soc("AIC100", 63, 68, 8),
        Soc("QCS8275", 82, 75, 8),
        Soc("QCS8300", 82, 75, 8, (674,)),
        Soc("QCS8550", 66, 73, 8, (603, 604)),
        Soc("QCS8625", 90, 75, 8),
        Soc("QCS9075", 77, 73, 8),
        Soc("QCS9100", 77, 73, 8, (667,)),
        Soc("SA7255", 67, 75, 8),
        Soc("SA8255", 52, 73, 8),
        Soc("SA8295", 39, 68, 8),
        Soc("SA8540", 62, 68, 8),
        Soc("SA8620P", 67, 75, 8),
        Soc("SA8650", 52, 73, 8),
        Soc("SA8775", 52, 73, 8, (534,)),
        Soc("SA8797", 72, 81, 16),
        Soc("SC8380XP", 60, 73, 8, (555,)),
        Soc("SC8480XP", 88, 81, 8),
        Soc("SM7450", 41, 69, 2),
        Soc("SM8350", 30, 68, 4, (439,)),
        Soc("SM8450", 36, 69, 8, (457, 480, 482)),
        Soc("SM8475", 42, 69, 8, (530,)),
        Soc("SM8550", 43, 73, 8, (519,)),
        Soc("SM8650", 57, 75, 8, (557,)),
        Soc("SM8750", 69, 79, 8, (618,)),
        Soc("SM8845", 97, 81, 8, (685,)),
        Soc("SM8850", 87, 81, 8, (660,)),
        Soc("SXR2230P", 53, 69, 8),
        Soc("SXR2330P", 75, 79, 8),
    )
})  # fmt: skip


def find(text: str) -> Soc:
    """The SoC with this name, in any case, or this QNN number.

    Raises:
        ValueError: It is unknown; suggests the closest name.
    """
    word = text.strip().upper()
    if word in SOCS:
        return SOCS[word]
    for soc in SOCS.values():
        if word == str(soc.number):
            return soc
    raise ValueError(f"unknown SoC {text[:40]!r}: {did_you_mean(word[:40], SOCS)}")


def kernel_id() -> int | None:
    """The kernel's number of this device's SoC, if any."""
    for path in SYSFS:
        try:
            text = path.read_text(encoding="ascii", errors="replace")[:16].strip()
        except OSError:
            continue
        if text.isdecimal():
            return int(text)
    return None


def detect() -> Soc | None:
    """This device's SoC, or None if it is unknown."""
    number = kernel_id()
    return next((soc for soc in SOCS.values() if number in soc.kernel_ids), None)
