"""Where NeuroPilot's libraries are, by the names that MediaTek gives them."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from mlperf_mobile.errors import BackendError
from mlperf_mobile_backend_neuron.soc import Soc

ADAPTERS = (
    "libneuronusdk_adapter.mtk.so",
    "libneuronusdk_adapter.10.mtk.so",
    "libneuronusdk_adapter.9.mtk.so",
    "libneuronusdk_adapter.so",
    "libneuron_adapter_mgvi.so",
    "libneuron_adapter.mtk.so",
    "libneuron_adapter.so",
)
"""From NeuronAdapterShim.h of mobile_app_open (2026-07-17) and LiteRT 2.3's compiler plugin for MediaTek, in their
order; those of one SoC come before."""

RUNTIMES = ("libneuron_runtime.mtk.so", "libneuron_runtime.so", "libneuron_runtime.8.so", "libneuron_runtime.7.so")

FIX = (
    "NeuroPilot is on MediaTek devices, and in the packages of Genio's Linux images; "
    "elsewhere put the folder that has the library on LD_LIBRARY_PATH"
)

_FOLDERS = (
    "/usr/lib", "/usr/lib64", "/usr/lib/aarch64-linux-gnu", "/usr/local/lib",
    "/vendor/lib64", "/system/lib64", "/system_ext/lib64", "/odm/lib64",
)  # fmt: skip


def adapter(name: str | None, soc: Soc | None) -> str:
    """The Neuron adapter to open.

    Args:
        name: What the user asks for, if anything: a path or a file name.
        soc: The device's SoC, whose own adapter comes first.

    Raises:
        BackendError: ``library-missing``; names what was looked for.
    """
    own = (f"libneuronusdk_adapter.mtk.{soc.name}.so",) if soc else ()
    return _find("the Neuron adapter", name, (*own, *ADAPTERS))


def runtime(name: str | None) -> str:
    """The Neuron runtime to open; as :func:`adapter`."""
    return _find("the Neuron runtime", name, RUNTIMES)


def stable_delegate(name: str) -> str:
    """The Neuron stable delegate to open; as :func:`adapter`."""
    return _find("the Neuron stable delegate", name, ())


def _find(what: str, name: str | None, names: Sequence[str]) -> str:
    """The first library that is there: where the user says, where the dynamic loader looks, or where it should look.

    The last of these is for a library that is there and cannot be opened: it is opened again, and the reason told.
    """
    if name and "/" in name:
        return name
    candidates = (name,) if name else names
    user = [Path(folder) for folder in os.environ.get("LD_LIBRARY_PATH", "").split(":") if folder]
    if found := _present(user, candidates):
        return found
    for candidate in candidates:
        try:
            ctypes.CDLL(candidate)
        except OSError:
            continue
        return candidate
    if found := _present(map(Path, _FOLDERS), candidates):
        return found
    raise BackendError("library-missing", f"{what} is not here (looked for {', '.join(candidates)})", FIX)


def _present(folders: Iterable[Path], names: Sequence[str]) -> str | None:
    places = list(folders)
    return next((str(place / name) for name in names for place in places if (place / name).is_file()), None)
