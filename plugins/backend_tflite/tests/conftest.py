from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from mlperf_mobile.contracts import Artifact
from mlperf_mobile.testing.c_library import compile_c
from mlperf_mobile_backend_tflite import runtime
from mlperf_mobile_backend_tflite.backend import TFLiteBackend
from mlperf_mobile_backend_tflite.options import TFLiteOptions
from mlperf_mobile_backend_tflite.session import TFLiteBatchSession, TFLiteSession

HERE = Path(__file__).parent

Load = Callable[..., AbstractContextManager[TFLiteSession | TFLiteBatchSession]]


@pytest.fixture
def models() -> Path:
    """The small models of these tests; ``tools/make_models.py`` says what each computes."""
    return HERE / "models"


@pytest.fixture(scope="session")
def is_litert() -> bool:
    return runtime.load().name == "litert"


@pytest.fixture(scope="session")
def delegate(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The test delegate, compiled: it takes float additions."""
    return str(compile_c(tmp_path_factory.mktemp("delegate") / "libtest_delegate.so", HERE / "test_delegate.c"))


@pytest.fixture
def load(models: Path) -> Load:
    """``load("add", batch=3, threads=1)``: a session of one of the small models, or of a path."""

    def load(
        model: str | Path, batch: int = 1, accelerator: str = "cpu", **options: object
    ) -> TFLiteSession | TFLiteBatchSession:
        path = models / f"{model}.tflite" if isinstance(model, str) else model
        backend = TFLiteBackend(TFLiteOptions.model_validate(options))
        return backend.load(Artifact(path, accelerator, batch))

    return load
