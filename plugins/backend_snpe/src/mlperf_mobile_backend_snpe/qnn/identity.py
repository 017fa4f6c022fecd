"""Reads the build and the SoC from a context binary before QNN loads it: the simulator runs binaries of any SoC."""

from __future__ import annotations

import mmap
import re
from dataclasses import dataclass
from pathlib import Path

from mlperf_mobile.errors import BackendError, ModelError
from mlperf_mobile_backend_snpe import socs
from mlperf_mobile_backend_snpe.qnn.runtime import BUILD

_TARGET = re.compile(rb"soc_type=([A-Za-z0-9_]{1,24});arch=(\d{1,3});")
"""Precedes the SoC in the options that QNN's compiler writes into each graph (seen in binaries of QAIRT 2.51)."""

_RECOMPILE = "compile the model again, with this QAIRT and for this SoC"


@dataclass(frozen=True, slots=True)
class Identity:
    """The compiler and the target of a context binary; empty if unknown."""

    build: str
    """``"2.51.0.260929181845"``."""
    soc: str
    """``"SM8750"``."""


def read(data: bytes | mmap.mmap) -> Identity:
    """The identity of a context binary."""
    build, target = BUILD.search(data), _TARGET.search(data)
    return Identity(build[1].decode("ascii") if build else "", target[1].decode("ascii") if target else "")


def read_file(path: Path) -> Identity:
    """The identity of a context binary in a file.

    Raises:
        ModelError: ``model-missing`` or ``context-damaged``.
    """
    try:
        with path.open("rb") as file:
            if not file.read(1):
                raise ModelError("context-damaged", f"{path} is empty", _RECOMPILE)
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return read(data)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ModelError("model-missing", f"cannot read {path}: {reason}", "check the path of the model") from error


def check(identity: Identity, where: Path, runtime_build: str, soc: socs.Soc | None) -> None:
    """Require that a binary was compiled for this SoC, by a QAIRT that is not newer than the one here.

    Args:
        identity: The identity of the binary.
        where: Its file, for error messages.
        runtime_build: The build of QAIRT here.
        soc: This device's SoC, or the simulated one; None if unknown.

    Raises:
        ModelError: ``context-damaged``: it has no identity, so it is not a context binary for the HTP.
        BackendError: ``context-version`` or ``context-soc``.
    """
    if not identity.build:
        raise ModelError("context-damaged", f"{where} is not a QNN context binary, or it is damaged", _RECOMPILE)
    made, here = _numbers(identity.build), _numbers(runtime_build)
    if made[:1] != here[:1] or made[:3] > here[:3]:
        summary = f"the context binary {where} was made by QAIRT {identity.build}, but this is QAIRT {runtime_build}"
        raise BackendError("context-version", summary, _RECOMPILE)
    target = socs.SOCS.get(identity.soc)
    if soc is None or not identity.soc or (target and target.number == soc.number):
        return
    arch = f" (v{target.htp_arch})" if target else ""
    summary = f"the context binary {where} was made for {identity.soc}{arch}, not for {soc.name} (v{soc.htp_arch})"
    raise BackendError("context-soc", summary, f"{_RECOMPILE}, or name the SoC with --set soc_model={identity.soc}")


def _numbers(build: str) -> tuple[int, ...]:
    return tuple(int(part) for part in build.split(".") if part.isdecimal())
