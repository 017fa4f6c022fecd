from __future__ import annotations

import ctypes
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mlperf_mobile.contracts import Artifact, CompileRequest, Session
from mlperf_mobile.testing.c_library import compile_c
from mlperf_mobile_backend_snpe.native.backend import NativeExecutor
from mlperf_mobile_backend_snpe.native.options import NativeOptions

HERE = Path(__file__).parent
HEAD = bytes.fromhex("d50a040000000000")

FLOAT = ("input x float32 0 0 1 4", "output y float32 0 0 1 4")
TF8 = ("input x tf8 0.5 100 1 4", "output y tf8 1.0 50 1 4")

Dlc = Callable[..., Path]
Build = Callable[..., Path]
Load = Callable[..., Session]


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """``build("-DName=Other")``: the stand-in library, compiled with more flags."""

    def build(*flags: str) -> Path:
        return compile_c(tmp_path_factory.mktemp("snpe") / "libSNPE.so", HERE / "snpe_stand_in.c", *flags, "-lm")

    return build


@pytest.fixture(scope="session")
def built(build: Build) -> Path:
    return build()


@pytest.fixture
def library(built: Path) -> Iterator[str]:
    """The stand-in library; at the end, all handles are given back, and none was misused."""
    stand_in = ctypes.CDLL(str(built))
    live, violations = stand_in.snpe_stand_in_live(), stand_in.snpe_stand_in_violations()
    yield str(built)
    assert stand_in.snpe_stand_in_violations() == violations
    assert stand_in.snpe_stand_in_live() == live


@pytest.fixture
def dlc(tmp_path: Path) -> Dlc:
    """``dlc("input x ...", "output y ...")``: a model of the stand-in; by default y = x + x on float32[1, 4]."""

    def dlc(*lines: str, name: str = "model.dlc") -> Path:
        path = tmp_path / name
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("model", HEAD + "\n".join(("stand-in 1", *(lines or FLOAT), "")).encode())
            archive.writestr("dlc.metadata", "converter-command=stand-in\nconverter-version=2.45.0\n")
        return path

    return dlc


@pytest.fixture
def quantised(dlc: Dlc) -> Path:
    """y = x + x, where x = 0.5 * (stored - 100) and y = 1.0 * (stored - 50)."""
    return dlc(*TF8, name="quantised.dlc")


@pytest.fixture
def load(library: str, dlc: Dlc) -> Iterator[Load]:
    """``load(model, "htp", batch=3, cpu_fallback=True)``: a session of the stand-in library, closed at the end."""
    sessions: list[Session] = []

    def load(model: Path | None = None, accelerator: str = "cpu", batch: int = 1, **options: object) -> Session:
        chosen = NativeOptions.model_validate({"library": library, **options})
        session = NativeExecutor(chosen).load(Artifact(model or dlc(), accelerator, batch))
        sessions.append(session)
        return session

    yield load
    for session in sessions:
        session.__exit__(None, None, None)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processes: None) -> Path:
    """A folder on ``PATH`` with the stand-in programs."""
    folder = tmp_path / "bin"
    folder.mkdir()
    source = f"#!{sys.executable} -IS\n" + (HERE / "stand_in_tools.py").read_text(encoding="utf-8")
    for name in ("snpe-net-run", "snpe-dlc-graph-prepare"):
        (folder / name).write_text(source, encoding="utf-8")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    return folder


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """What the stand-in library was called with, one line a call: ``"Snpe_RuntimeList_Add 2"``."""
    log = tmp_path / "calls.log"
    monkeypatch.setenv("SNPE_STAND_IN_LOG", str(log))
    return lambda: log.read_text(encoding="utf-8").splitlines() if log.exists() else []


@pytest.fixture
def request_for(tmp_path: Path) -> Callable[..., CompileRequest]:
    """``request_for(model, "htp")``: a compilation in an empty folder."""

    def request_for(model: Path, accelerator: str = "cpu", batch: int = 1) -> CompileRequest:
        folder = tmp_path / "compiled"
        folder.mkdir(exist_ok=True)
        return CompileRequest(model, accelerator, batch, folder)

    return request_for


@pytest.fixture(autouse=True)
def no_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests see the stand-ins alone, whatever this machine has."""
    for variable in ("QAIRT_SDK_ROOT", "QNN_SDK_ROOT", "SNPE_ROOT"):
        monkeypatch.delenv(variable, raising=False)
