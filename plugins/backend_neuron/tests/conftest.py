from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mlperf_mobile.contracts import Artifact, CompileRequest, Session
from mlperf_mobile.testing.c_library import compile_c
from mlperf_mobile.testing.command import Command, Done
from mlperf_mobile_backend_neuron import compiled as store
from mlperf_mobile_backend_neuron import soc
from mlperf_mobile_backend_neuron.backend import NeuronBackend
from mlperf_mobile_backend_neuron.options import NeuronOptions
from mlperf_mobile_neural_networks_stand_in import build

Backends = Callable[..., NeuronBackend]
Load = Callable[..., Session]

RESULTS = [
    "NO_ERROR",
    "OUT_OF_MEMORY",
    "INCOMPLETE",
    "UNEXPECTED_NULL",
    "BAD_DATA",
    "OP_FAILED",
    "UNMAPPABLE",
    "BAD_STATE",
    "BAD_VERSION",
    "OUTPUT_INSUFFICIENT_SIZE",
    "UNAVAILABLE_DEVICE",
    "MISSED_DEADLINE_TRANSIENT",
    "MISSED_DEADLINE_PERSISTENT",
    "RESOURCE_EXHAUSTED_TRANSIENT",
    "RESOURCE_EXHAUSTED_PERSISTENT",
    "DEAD_OBJECT",
]
"""NEURON_* of NeuronAdapter.h; faults are told to the stand-ins by number, as they have names of their own."""


@pytest.fixture
def double() -> Path:
    """``y = x + x`` on float32[1, 4]."""
    return Path(__file__).with_name("double.tflite")


@pytest.fixture(scope="session")
def libraries(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the stand-ins, compiled: NeuroPilot's interfaces on the CPU."""
    folder = tmp_path_factory.mktemp("stand_in")
    for library in ("neuron_adapter", "neuron_runtime"):
        shutil.copy(build(built, library, flags=("-Werror",)), folder)
    return folder


@pytest.fixture(scope="session")
def build_delegate() -> Callable[..., Path]:
    """``build_delegate(folder, "-DABI_VERSION=…")``: the stand-in for the stable delegate, compiled."""
    here = Path(__file__).parent
    others = here.parent.parent / "backend_tflite" / "tests"
    if not (others / "test_delegate.c").is_file():
        pytest.skip("the workspace is not complete")

    def build_delegate(folder: Path, *flags: str) -> Path:
        return compile_c(folder / "libneuron_stable_delegate.so", here / "stable_delegate.c", f"-I{others}", *flags)

    return build_delegate


@pytest.fixture(scope="session")
def stable_delegate(build_delegate: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_delegate(tmp_path_factory.mktemp("stable"))


@pytest.fixture
def dla(libraries: Path, double: Path, tmp_path: Path) -> Path:
    """A .dla file of ``y = x + x``: a network that the stand-in stored."""
    file = tmp_path / "files" / "net.dla"
    file.parent.mkdir()
    adapter = NeuronBackend(NeuronOptions.model_validate({"adapter": str(libraries / "libneuron_adapter.so")}))
    artifact = adapter.compile(CompileRequest(double, "npu", directory=file.parent))
    shutil.copy(artifact.path.parent / store.NETWORK, file)
    return file


@pytest.fixture
def backend(libraries: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Backends:
    """``backend(FAIL="…", boost=100)``: the backend on stand-ins of its own, which read NN_STAND_IN_*: some when
    they are loaded, and some until the next backend is made.

    A library that is loaded from another file is another one.
    """
    made = 0

    def backend(**settings: object) -> NeuronBackend:
        nonlocal made
        made += 1
        own = tmp_path / f"stand_in_{made}"
        shutil.copytree(libraries, own)
        for name in [name for name in os.environ if name.startswith("NN_STAND_IN_")]:
            monkeypatch.delenv(name)
        for name in [name for name in settings if name.isupper()]:
            symbol, _, result = str(value := settings.pop(name)).rpartition("=")
            told = f"{symbol}={RESULTS.index(result)}" if name == "FAIL" and result in RESULTS else str(value)
            monkeypatch.setenv(f"NN_STAND_IN_{name}", told)
        places = {"adapter": str(own / "libneuron_adapter.so"), "runtime": str(own / "libneuron_runtime.so")}
        made_of = NeuronBackend(NeuronOptions.model_validate(places | settings))
        made_of.probe()  # loads them
        return made_of

    return backend


@pytest.fixture
def compile_model(tmp_path: Path) -> Callable[..., Artifact]:
    """``compile_model(backend, model)``: compiled for the NPU, in a folder of its own."""
    made = 0

    def compile_model(backend: NeuronBackend, model: Path, accelerator: str = "npu", **request: Any) -> Artifact:
        nonlocal made
        made += 1
        folder = tmp_path / f"compiled_{made}"
        folder.mkdir()
        return backend.compile(CompileRequest(model, accelerator, directory=folder, **request))

    return compile_model


@pytest.fixture
def load(compile_model: Callable[..., Artifact]) -> Load:
    """``load(backend, model)``: compiled and loaded on the NPU."""

    def load(backend: NeuronBackend, model: Path, accelerator: str = "npu") -> Session:
        return backend.load(compile_model(backend, model, accelerator))

    return load


@pytest.fixture
def on_soc(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], object]:
    """``with on_soc("mt6989"):``: this machine says that it has that SoC."""

    @contextmanager
    def on_soc(name: str) -> Iterator[None]:
        with monkeypatch.context() as patch:
            patch.setattr(soc, "detect", lambda: soc.named(name))
            yield

    return on_soc


class NeuronCommand(Command):
    """The command on the stand-ins."""

    def __init__(self, folder: Path, libraries: Path) -> None:
        super().__init__(folder, {"LD_LIBRARY_PATH": str(libraries)})
        self.libraries = libraries

    def run(self, *arguments: object, task: str = "image_classification", **more: Any) -> tuple[dict[str, Any], Done]:
        """One short run of a task's quickstart on the stand-in: its result, and the process."""
        short = ("--set", "min_duration_s=0.3", "--set", "warmup_s=0.05")
        ours = () if "--backend" in arguments else ("--backend", "neuron")
        return super().run(task, *ours, *short, *arguments, **more)


@pytest.fixture
def command(tmp_path: Path, libraries: Path, processes: None) -> NeuronCommand:
    return NeuronCommand(tmp_path, libraries)
