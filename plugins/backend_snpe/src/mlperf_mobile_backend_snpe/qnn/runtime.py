"""ONNX Runtime with the QNN execution provider: found, registered once a process, and asked for its devices."""

from __future__ import annotations

import mmap
import os
import platform
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from threading import Lock
from typing import Any

from mlperf_mobile.errors import BackendError

FIX = "pip install 'mlperf-mobile-backend-snpe[qnn]'"
SIMULATOR = "htp-simulator"
LIBRARIES = {"htp": "QnnHtp", SIMULATOR: "QnnHtp", "gpu": "QnnGpu", "cpu": "QnnCpu"}
"""QNN's backend library of each accelerator."""
DSP_DEVICES = ("fastrpc-cdsp", "fastrpc-cdsp-secure", "adsprpc-smd", "adsprpc-smd-secure")
"""What the kernel's FastRPC driver shows in /dev, upstream's names and Android's."""
BUILD = re.compile(rb"v(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{6,16})")
"""QAIRT's build number, as libraries and context binaries hold it."""

DEVICES = Path("/dev")

_registration = Lock()


@dataclass(frozen=True, slots=True)
class Runtime:
    """A runtime that is registered, and the folder with QNN's own libraries."""

    ort: Any
    """The module ``onnxruntime``."""
    provider: str
    folder: Path
    versions: Mapping[str, str]

    def __str__(self) -> str:
        return f"onnxruntime {self.versions['onnxruntime']}, QNN {self.versions['qnn']}"

    def library(self, accelerator: str) -> Path:
        """The accelerator's backend library, which may be missing."""
        return self.folder / library_name(LIBRARIES[accelerator])

    def accelerators(self) -> tuple[str, ...]:
        """Those that this machine has the library and the hardware for; and the CPU, which needs none."""
        return (*(name for name in _hardware() if self.library(name).is_file()), "cpu")

    @property
    def has_qnn_cpu(self) -> bool:
        """Whether QNN's own library for the CPU is there; the wheels leave it out."""
        return self.library("cpu").is_file()

    def devices(self, accelerator: str) -> list[Any]:
        """ONNX Runtime's devices of the provider: those of the accelerator's kind, or all where none is."""
        every = [device for device in self.ort.get_ep_devices() if device.ep_name == self.provider]
        kind = {"htp": "NPU", "gpu": "GPU"}.get(accelerator, "CPU")
        return [device for device in every if device.device.type.name == kind] or every


def library_name(name: str) -> str:
    """The file name of one of QNN's libraries on this system."""
    return f"{name}.dll" if sys.platform == "win32" else f"lib{name}.so"


def is_simulator_host() -> bool:
    """Whether QNN's HTP library is the simulator here: it is on every x86-64 Linux."""
    return sys.platform == "linux" and platform.machine() == "x86_64"


def _hardware() -> tuple[str, ...]:
    if is_simulator_host():
        return (SIMULATOR,)
    if platform.machine().lower() not in {"aarch64", "arm64"}:
        return ()
    has_dsp = sys.platform == "win32" or any((DEVICES / name).exists() for name in DSP_DEVICES)
    has_gpu = sys.platform == "win32" or (DEVICES / "kgsl-3d0").exists()
    return (*(("htp",) if has_dsp else ()), *(("gpu",) if has_gpu else ()))


def load(libraries: str | None = None) -> Runtime:
    """The runtime, with the provider registered in this process; on a device, the DSP is told where its libraries are.

    Args:
        libraries: A folder with QNN's libraries; by default those of ``onnxruntime-qnn``.

    Raises:
        BackendError: ``no-runtime``, ``runtime-broken``, ``runtime-old`` or ``no-libraries``.
    """
    try:
        ort, qnn = import_module("onnxruntime"), import_module("onnxruntime_qnn")
    except ModuleNotFoundError as error:
        raise BackendError("no-runtime", f"the package {error.name} is not installed", FIX) from error
    except Exception as error:
        summary = f"onnxruntime and onnxruntime-qnn do not load: {type(error).__name__}: {error}"
        raise BackendError("runtime-broken", summary, f"reinstall them: {FIX}") from error
    if not hasattr(ort, "register_execution_provider_library"):
        summary = f"onnxruntime {ort.__version__} takes no provider libraries"
        raise BackendError("runtime-old", summary, "pip install 'onnxruntime>=1.27'")
    folder = Path(libraries).expanduser() if libraries else Path(qnn.LIB_DIR_FULL_PATH)
    if not folder.is_dir():
        raise BackendError(
            "no-libraries", f"the folder {folder} of QNN's libraries is not there", "check qnn_libraries"
        )
    if "htp" in _hardware() and sys.platform != "win32":
        os.environ.setdefault("ADSP_LIBRARY_PATH", str(folder))  # where FastRPC looks for the DSP's own libraries
    provider = str(qnn.get_ep_name())
    with _registration:
        if not any(device.ep_name == provider for device in ort.get_ep_devices()):
            _register(ort, provider, str(qnn.get_library_path()))
    versions = {name: _version(name) for name in ("onnxruntime", "onnxruntime-qnn")}
    versions["qnn"] = build(folder / library_name("QnnHtp")) or str(qnn.build_and_package_info.qnn_version)
    return Runtime(ort, provider, folder, versions)


def _register(ort: Any, provider: str, library: str) -> None:
    """The provider's library; the C++ exception is ``Fail``, ``EPFail`` or the like."""
    try:
        ort.register_execution_provider_library(provider, library)
    except Exception as error:
        summary = f"the QNN provider cannot be loaded: {' '.join(str(error).split())[:300]}"
        raise BackendError("runtime-broken", summary, f"reinstall it: {FIX}") from error


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"


@cache
def build(library: Path) -> str | None:
    """QAIRT's build number that a library holds, ``"2.51.0.260929181845"``."""
    try:
        with library.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            found = BUILD.search(data)
            return found[1].decode("ascii") if found else None
    except (OSError, ValueError):
        return None


def errors(ort: Any) -> tuple[type[Exception], ...]:
    """What ONNX Runtime raises: classes of its own, without a common base, and Python's for bad arguments."""
    state = ort.capi.onnxruntime_pybind11_state
    own = [each for each in vars(state).values() if isinstance(each, type) and issubclass(each, Exception)]
    return (*own, RuntimeError, ValueError, TypeError)


def told(error: Exception) -> str:
    """The text of one of ONNX Runtime's exceptions, without its prefix."""
    text = " ".join(str(error).split())
    return re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", text)[:500].rstrip(".") or type(error).__name__
