"""Shared fixtures and helpers of the tests of a backend."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlperf_mobile.backend_checks import Shapes
from mlperf_mobile.contracts import Artifact, Backend, CompileRequest, Session, Tensors
from mlperf_mobile.plugin import BackendInfo
from mlperf_mobile.testing.kit import Conformance


class BackendKit(Conformance):
    """Fixtures of the tests of a backend, and how they compile and load."""

    tolerance = 1e-2
    """Relative tolerance; accelerators compute in half precision."""

    @pytest.fixture
    def info(self) -> BackendInfo:
        raise NotImplementedError

    @pytest.fixture
    def model(self) -> Path:
        """A model of ``y = x + x`` on float32[1, 4], in a format that the backend reads."""
        raise NotImplementedError

    @pytest.fixture
    def quantized_model(self) -> Path | None:
        """The same model with uint8 or int8 tensors, or None."""
        return None

    @pytest.fixture
    def open_model(self) -> Path | None:
        """The same model with an open second dimension, float32[1, ?], or None."""
        return None

    @pytest.fixture
    def backend(self, info: BackendInfo, options: Any) -> Backend:
        """The backend with its default options; the tests are skipped if it is not usable."""
        backend = info.backend.load()(options)
        probe = backend.probe()
        if not probe.usable:
            pytest.skip(f"{info.name}: {probe.reason}")
        return backend

    @pytest.fixture
    def session(self, backend: Backend, model: Path, tmp_path: Path) -> Iterator[Session]:
        """The model, loaded on the first accelerator that is present."""
        with self.load(backend, model, tmp_path) as session:
            yield session

    @pytest.fixture
    def artifact(self, backend: Backend, model: Path, tmp_path: Path) -> Artifact:
        """The model, compiled into a separate folder."""
        return self.compile(backend, model, tmp_path / "compiled")

    @staticmethod
    def compile(
        backend: Backend, model: Path, folder: Path, batch: int = 1, input_shapes: Shapes | None = None
    ) -> Artifact:
        """Compile ``model`` for the first accelerator that is present, into a new folder below ``folder``."""
        folder.mkdir(exist_ok=True)
        place = folder / str(len(list(folder.iterdir())))
        place.mkdir()
        accelerator = backend.probe().accelerators[0]
        return backend.compile(CompileRequest(model, accelerator, batch, place, input_shapes=input_shapes or {}))

    @classmethod
    def load(
        cls, backend: Backend, model: Path, folder: Path, batch: int = 1, input_shapes: Shapes | None = None
    ) -> Session:
        """Compile and load ``model`` on the first accelerator that is present."""
        return backend.load(cls.compile(backend, model, folder, batch, input_shapes))

    @staticmethod
    def tensors(*values: float) -> Tensors:
        """One sample of the model."""
        return (np.array([values], np.float32),)
