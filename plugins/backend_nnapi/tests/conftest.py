from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mlperf_mobile.contracts import CompileRequest
from mlperf_mobile.testing.command import Command, Done
from mlperf_mobile_backend_nnapi.backend import NNAPIBackend
from mlperf_mobile_backend_nnapi.options import NNAPIOptions
from mlperf_mobile_neural_networks.session import NetworkSession
from mlperf_mobile_neural_networks_stand_in import build

StandIn = Callable[..., Path]
Backends = Callable[..., NNAPIBackend]
Load = Callable[..., NetworkSession]


@pytest.fixture
def double() -> Path:
    """``y = x + x`` on float32[1, 4]."""
    return Path(__file__).with_name("double.tflite")


@pytest.fixture(scope="session")
def stand_in(built: Path) -> StandIn:
    """``stand_in(feature_level=4)``: the stand-in, compiled, or as it was compiled before."""
    return partial(build, built, "neuralnetworks", flags=("-Werror",))


@pytest.fixture(scope="session")
def library(stand_in: StandIn) -> Path:
    """The stand-in: NNAPI's interface on the CPU."""
    return stand_in()


@pytest.fixture
def backend(library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Backends:
    """``backend(FAIL="…", device="…")``: the backend on a stand-in of its own, which reads NN_STAND_IN_* when loaded.

    A library that is loaded from another file is another one.
    """
    made = 0

    def backend(library: Path = library, **settings: object) -> NNAPIBackend:
        nonlocal made
        made += 1
        own = tmp_path / f"stand_in_{made}" / library.name
        own.parent.mkdir()
        shutil.copyfile(library, own)
        for name in [name for name in settings if name.isupper()]:
            monkeypatch.setenv(f"NN_STAND_IN_{name}", str(settings.pop(name)))
        made_of = NNAPIBackend(NNAPIOptions.model_validate({"library": str(own)} | settings))
        made_of.probe()  # loads it
        for name in [name for name in os.environ if name.startswith("NN_STAND_IN_")]:
            monkeypatch.delenv(name)
        return made_of

    return backend


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """``load(backend, model)``: compiled and loaded on the NPU."""
    made = 0

    def load(backend: NNAPIBackend, model: Path, accelerator: str = "npu") -> NetworkSession:
        nonlocal made
        made += 1
        folder = tmp_path / f"compiled_{made}"
        folder.mkdir()
        return backend.load(backend.compile(CompileRequest(model, accelerator, 1, folder)))

    return load


class NNAPICommand(Command):
    """The command on a stand-in."""

    def __init__(self, folder: Path, library: Path) -> None:
        super().__init__(folder)
        self.library = library

    def run(self, *arguments: object, task: str = "image_classification", **more: Any) -> tuple[dict[str, Any], Done]:
        """One short run of a task's quickstart on the stand-in: its result, and the process."""
        short = ("--set", "min_duration_s=0.3", "--set", "warmup_s=0.05")
        ours = ("--backend", "nnapi", "--accelerator", "npu", "--set", f"library={self.library}")
        return super().run(task, *short, *(() if "--backend" in arguments else ours), *arguments, **more)


@pytest.fixture
def command(tmp_path: Path, library: Path, processes: None) -> NNAPICommand:
    return NNAPICommand(tmp_path, library)
