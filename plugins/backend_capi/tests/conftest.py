from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mlperf_mobile.contracts import Artifact
from mlperf_mobile.testing.c_library import compile_c
from mlperf_mobile_backend_capi.backend import CBackend
from mlperf_mobile_backend_capi.options import COptions
from mlperf_mobile_backend_capi.session import CBatchSession, CSession

HERE = Path(__file__).parent

Build = Callable[..., Path]


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """``build("WITH_BUFFERS")``: the test library, compiled with such definitions; each kind once."""
    folder = tmp_path_factory.mktemp("libraries")

    def build(*definitions: str) -> Path:
        library = folder / f"lib{'_'.join(['test', *definitions]).lower()}.so"
        if not library.exists():
            compile_c(library, HERE / "test_vendor.c", *(f"-D{name}" for name in definitions))
        return library

    return build


@pytest.fixture
def library(build: Build) -> Path:
    """The test library without any of the optional functions."""
    return build()


@pytest.fixture
def model(tmp_path: Path) -> Callable[..., Path]:
    """``model("double", "float32", 4)``: a model file of the test library."""

    def write(kind: str = "double", dtype: str = "float32", size: int = 4) -> Path:
        path = tmp_path / f"{kind}_{dtype}_{size}.bin"
        path.write_text(f"CAPITEST {kind} {dtype} {size} end\n")
        return path

    return write


@pytest.fixture
def load(library: Path, model: Callable[..., Path]) -> Callable[..., CSession | CBatchSession]:
    """``load(defect="create:null", batch=2)``: a session; other settings, options and models as wanted."""

    def load(
        path: Path | None = None, batch: int = 1, defect: str = "", accelerator: str = "npu", **options: object
    ) -> CSession | CBatchSession:
        own = dict(options.pop("custom_settings", {})) | ({"defect": defect} if defect else {})  # type: ignore[call-overload]
        told = {"library": library, "custom_settings": own, "device_model": "a phone", "device_manufacturer": "us"}
        return CBackend(COptions.model_validate(told | options)).load(Artifact(path or model(), accelerator, batch))

    return load


@pytest.fixture
def native() -> tuple[str, ...]:
    """The flags of a run with the native runner, where it is built."""
    runner = pytest.importorskip("mlperf_mobile_runner")
    pytest.importorskip("mlperf_mobile_native_runner")
    try:
        runner.binary(os.uname().machine)
    except FileNotFoundError as error:
        pytest.skip(str(error))
    return ("--runner", "native")
