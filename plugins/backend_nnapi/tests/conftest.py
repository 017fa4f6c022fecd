from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mlperf_mobile.contracts import CompileRequest
from mlperf_mobile_backend_nnapi.backend import NNAPIBackend
from mlperf_mobile_backend_nnapi.options import NNAPIOptions
from mlperf_mobile_neural_networks.session import NetworkSession
from mlperf_mobile_neural_networks_stand_in import build

StandIn = Callable[..., Path]
Backends = Callable[..., NNAPIBackend]
Load = Callable[..., NetworkSession]

COMMAND = Path(sys.executable).with_name("mlperf-mobile")


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


@pytest.fixture
def shared() -> Path:
    """Real models, where there are any."""
    if not (place := os.environ.get("MLPERF_MOBILE_SHARED")):
        pytest.skip("MLPERF_MOBILE_SHARED is not set")
    return Path(place) / "models"


class Command:
    """The installed command in a folder of its own, on a stand-in; calling it runs ``mlperf-mobile``."""

    def __init__(self, folder: Path, library: Path) -> None:
        self.folder, self.library = folder, library

    def __call__(self, *arguments: object, timeout: float = 240, **env: str) -> subprocess.CompletedProcess[str]:
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("MLPERF_MOBILE_", "PYTHON", "NN_STAND_IN_"))}
        clean |= {"XDG_CACHE_HOME": str(self.folder / "cache"), "COLUMNS": "200", "TERM": "dumb"}
        return subprocess.run(
            [COMMAND, *map(str, arguments)], cwd=self.folder, env=clean | env,
            capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip

    def run(self, *arguments: object, task: str = "image_classification", **env: str) -> tuple[dict[str, Any], int]:
        """One short run of a task's quickstart on the stand-in: its result, and the exit code."""
        common = ("--set", "min_duration_s=0.3", "--set", "warmup_s=0.05", "--quiet", "--json")
        ours = ("--backend", "nnapi", "--accelerator", "npu", "--set", f"library={self.library}")
        done = self("run", task, *common, *(arguments if "--backend" in arguments else (*ours, *arguments)), **env)
        assert done.stdout.strip(), done.stderr
        (result,) = json.loads(done.stdout)["results"]
        return result, done.returncode


@pytest.fixture
def command(tmp_path: Path, library: Path) -> Command:
    return Command(tmp_path, library)
