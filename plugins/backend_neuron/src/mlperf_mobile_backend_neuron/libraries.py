"""Finds NeuroPilot's libraries by MediaTek's file names."""

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
order; the adapter for one SoC comes first."""

RUNTIMES = ("libneuron_runtime.mtk.so", "libneuron_runtime.so", "libneuron_runtime.8.so", "libneuron_runtime.7.so")

FIX = (
    "NeuroPilot is on MediaTek devices, and in the packages of Genio's Linux images; "
    "elsewhere add the folder of the library to LD_LIBRARY_PATH"
)

_FOLDERS = (
    "/usr/lib", "/usr/lib64", "/usr/lib/aarch64-linux-gnu", "/usr/local/lib",
    "/vendor/lib64", "/system/lib64", "/system_ext/lib64", "/odm/lib64",
)  # fmt: skip


def adapter(name: str | None, soc: Soc | None) -> str:
    """The Neuron adapter to open.

    Args:
        name: The path or file name that the user selects, if any.
        soc: The device's SoC; the adapter for it comes first.

    Raises:
        BackendError: ``library-missing``; lists the file names tried.
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
    """The first library found: in the user's folders, by the dynamic loader, or in the usual folders.

    The usual folders come last for a library that exists but cannot be opened: opening it again gives the reason.
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
    raise BackendError("library-missing", f"{what} was not found (tried {', '.join(candidates)})", FIX)


def _present(folders: Iterable[Path], names: Sequence[str]) -> str | None:
    places = list(folders)
    return next((str(place / name) for name in names for place in places if (place / name).is_file()), None)
