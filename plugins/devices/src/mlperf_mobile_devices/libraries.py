"""A process's shared libraries on a device: where they are looked for, and which were really loaded."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from mlperf_mobile.contracts import Transport
from mlperf_mobile.printing import clean

MOST_LIBRARIES = 256
MOST_BYTES = 1 << 20
"""Maximum bytes that are read of ``/proc/PID/maps``."""
MOST_PATH = 512
DSP_FOLDERS = ("/vendor/dsp/cdsp", "/vendor/lib/rfsa/adsp", "/system/lib/rfsa/adsp", "/vendor/dsp", "/dsp")
"""Where Qualcomm's FastRPC finds the DSP's own libraries; setting ``ADSP_LIBRARY_PATH`` replaces its list."""
_MAPS = """
for each in "$1" $(cat "/proc/$1/task/$1/children" 2>/dev/null); do
    cat "/proc/$each/maps" 2>/dev/null
done | head -c "$2"
"""
_MAPPING = re.compile(r"[0-9a-f]+-[0-9a-f]+ ..x. [0-9a-f]+ [0-9a-f:]+ [0-9]+ +(/.*\.so(?:\.[0-9.]+)?)( \(deleted\))?")


def environment(folders: Iterable[str], dsp_folders: Iterable[str] = ()) -> dict[str, str]:
    """The variables that make a process look into folders on the device before the system's.

    Args:
        folders: With libraries of the processor: ``LD_LIBRARY_PATH``.
        dsp_folders: With libraries of the DSP, such as Qualcomm's skeletons: ``ADSP_LIBRARY_PATH``.
    """
    found: dict[str, str] = {}
    if listed := ":".join(folders):
        found["LD_LIBRARY_PATH"] = listed
    if listed := ";".join([*dsp_folders]):
        found["ADSP_LIBRARY_PATH"] = ";".join([listed, *DSP_FOLDERS])
    return found


def parse(maps: str) -> tuple[str, ...]:
    """The paths of the libraries that a process has loaded, from ``/proc/PID/maps``, sorted; at most 256.

    A library that was replaced or removed since then ends with `` (deleted)``.
    """
    found = set()
    for line in maps.splitlines():
        if (match := _MAPPING.fullmatch(line.strip())) and len(match[1]) <= MOST_PATH:
            found.add(clean(match[1] + (match[2] or "")))
            if len(found) == MOST_LIBRARIES:
                break
    return tuple(sorted(found))


def loaded(transport: Transport, pid: int) -> tuple[str, ...]:
    """The libraries that a running process on a device has loaded; empty if it has ended or is another user's.

    A run's ``pid`` file names the process that waits for it; its own is a child of that one.

    Raises:
        DeviceLost, DeviceError: The device is gone, or refuses.
    """
    output = transport.run(["sh", "-c", _MAPS, "sh", str(int(pid)), str(MOST_BYTES)])
    return parse(output.stdout.decode(errors="replace"))


def folders(paths: Iterable[str]) -> Mapping[str, str]:
    """The folder of each library by its file name, to see which copy of it was taken."""
    return {path.rpartition("/")[2].removesuffix(" (deleted)"): path.rpartition("/")[0] for path in paths}
