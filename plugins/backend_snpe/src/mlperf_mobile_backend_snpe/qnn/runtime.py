"""ONNX Runtime with the QNN execution provider: finds it, registers it once per process, and lists its devices."""

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

from mlperf_mobile.errors import BackendError, described

FIX = "pip install 'mlperf-mobile-backend-snpe[qnn]'"
SIMULATOR = "htp-simulator"
LIBRARIES = {"htp": "QnnHtp", SIMULATOR: "QnnHtp", "gpu": "QnnGpu", "cpu": "QnnCpu"}
"""QNN's backend library of each accelerator."""
DSP_DEVICES = ("fastrpc-cdsp", "fastrpc-cdsp-secure", "adsprpc-smd", "adsprpc-smd-secure")
"""Devices of the kernel's FastRPC driver, by their upstream and Android names."""
BUILD = re.compile(rb"v(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{6,16})")
"""QAIRT's build number in libraries and context binaries."""

DEVICES = Path("/dev")

_registration = Lock()


@dataclass(frozen=True, slots=True)
class Runtime:
    """A registered runtime, and the folder of QNN's libraries."""

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
        """The accelerators whose library and hardware are present, and the CPU, which needs neither."""
        return (*(name for name in _hardware() if self.library(name).is_file()), "cpu")

    @property
    def has_qnn_cpu(self) -> bool:
        """Whether QNN's own library for the CPU is present; the wheels do not contain it."""
        return self.library("cpu").is_file()

    def devices(self, accelerator: str) -> list[Any]:
        """ONNX Runtime's devices of the provider: those of the accelerator's kind, or all if there are none."""
        every = [device for device in self.ort.get_ep_devices() if device.ep_name == self.provider]
        kind = {"htp": "NPU", "gpu": "GPU"}.get(accelerator, "CPU")
        return [device for device in every if device.device.type.name == kind] or every


def library_name(name: str) -> str:
    """The file name of one of QNN's libraries on this system."""
    return f"{name}.dll" if sys.platform == "win32" else f"lib{name}.so"


def is_simulator_host() -> bool:
    """Whether QNN's HTP library is the simulator, as on every x86-64 Linux."""
    return sys.platform == "linux" and platform.machine() == "x86_64"


def _hardware() -> tuple[str, ...]:
    if is_simulator_host():
        return (SIMULATOR,)
    if platform.machine().lower() not in {"aarch64", "arm64"}:
        return ()
    has_dsp = sys.platform == "win32" or any((DEVICES / name).exists() for name in DSP_DEVICES)
    has_gpu = sys.platform == "win32" or (DEVICES / "kgsl-3d0").exists()
    return (*(("htp",) if has_dsp else ()), *(("gpu",) if has_gpu else ()))


def load(libraries: Path | None = None) -> Runtime:
    """The runtime, with the provider registered in this process and, on a device, the DSP's libraries in its path.

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
        summary = f"onnxruntime and onnxruntime-qnn do not load: {described(error)}"
        raise BackendError("runtime-broken", summary, f"reinstall them: {FIX}") from error
    if not hasattr(ort, "register_execution_provider_library"):
        summary = f"onnxruntime {ort.__version__} cannot load provider libraries"
        raise BackendError("runtime-old", summary, "pip install 'onnxruntime>=1.27'")
    folder = libraries or Path(qnn.LIB_DIR_FULL_PATH)
    if not folder.is_dir():
        raise BackendError(
            "no-libraries", f"the folder {folder} of QNN's libraries is not there", "check qnn_libraries"
        )
    if "htp" in _hardware() and sys.platform != "win32":
        os.environ.setdefault("ADSP_LIBRARY_PATH", str(folder))  # FastRPC looks for the DSP's libraries there
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
    """QAIRT's build number in a library, ``"2.51.0.260929181845"``."""
    try:
        with library.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            found = BUILD.search(data)
            return found[1].decode("ascii") if found else None
    except (OSError, ValueError):
        return None


def errors(ort: Any) -> tuple[type[Exception], ...]:
    """What ONNX Runtime raises: its own classes, which have no common base, and Python's for bad arguments."""
    state = ort.capi.onnxruntime_pybind11_state
    own = [each for each in vars(state).values() if isinstance(each, type) and issubclass(each, Exception)]
    return (*own, RuntimeError, ValueError, TypeError)


def message(error: Exception) -> str:
    """The text of one of ONNX Runtime's exceptions, without its prefix."""
    text = " ".join(str(error).split())
    return re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", text)[:500].rstrip(".") or type(error).__name__
