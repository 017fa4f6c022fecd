"""Shared fixtures and helpers of the tests of a backend."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlperf_mobile.backend_checks import Shapes
from mlperf_mobile.contracts import (
    Artifact,
    Backend,
    CompileRequest,
    Session,
    Tensors,
    TextSession,
    TokenSession,
    VaryingSession,
)
from mlperf_mobile.plugin import BackendInfo
from mlperf_mobile.testing.checked import CheckedBackend, checked
from mlperf_mobile.testing.kit import Conformance, lacks
from mlperf_mobile.testing.models import beside, packaged
from mlperf_mobile.worker import returned


class BackendKit(Conformance):
    """Fixtures of the tests of a backend, and how they compile and load."""

    tolerance = 1e-2
    """Relative tolerance; accelerators compute in half precision."""

    @pytest.fixture
    def info(self) -> BackendInfo:
        raise NotImplementedError

    @pytest.fixture
    def model(self, info: BackendInfo) -> Path:
        """A model of ``y = x + x`` on float32[1, 4]; by default the kit's, in the first format that it has."""
        found = next(filter(None, (packaged("double", form) for form in info.model_formats)), None)
        if found is None:
            forms = ", ".join(info.model_formats)
            lacks("model", f"the kit has no model of the format {forms}; define the fixture 'model'")
        return found

    @pytest.fixture
    def quantized_model(self, model: Path) -> Path | None:
        """The same model with uint8 or int8 tensors, or None; by default the kit's, if ``model`` is."""
        return beside(model, "double_int8")

    @pytest.fixture
    def open_model(self, model: Path) -> Path | None:
        """The same model with an open second dimension, float32[1, ?], or None; by default the kit's."""
        return beside(model, "double_open")

    @pytest.fixture
    def two_outputs_model(self, model: Path) -> Path | None:
        """A model of ``y = x + x`` and ``z = y + x`` on float32[1, 4], or None; by default the kit's."""
        return beside(model, "two_outputs")

    @pytest.fixture
    def language_model(self, info: BackendInfo) -> Path:
        """A language model of at least 16 tokens of context; by default the kit's, in the first format that it has."""
        found = next(filter(None, (packaged("language_model", form) for form in info.model_formats)), None)
        if found is None:
            lacks("tokens", "the kit has no language model in a format of the backend; define 'language_model'")
        return found

    @pytest.fixture
    def backend(self, info: BackendInfo, options: Any) -> Backend:
        """The backend with its default options; the tests are skipped if it is not usable."""
        backend = CheckedBackend(info.name, info.backend.load()(options))
        probe = backend.probe()
        if not probe.usable:
            lacks("usable", f"{info.name}: {probe.reason}")
        return backend

    @pytest.fixture
    def session(self, backend: Backend, info: BackendInfo, model: Path, tmp_path: Path) -> Iterator[Session]:
        """The model, loaded on the first accelerator that is present."""
        with self.load(backend, model, tmp_path) as session:
            checked(returned.session, info.name, session, "__enter__")
            checked(returned.specs, info.name, session)
            yield session

    @pytest.fixture
    def artifact(self, backend: Backend, model: Path, tmp_path: Path) -> Artifact:
        """The model, compiled into a separate folder."""
        return self.compile(backend, model, tmp_path / "compiled")

    @staticmethod
    def compile(
        backend: Backend,
        model: Path,
        folder: Path,
        batch: int = 1,
        input_shapes: Shapes | None = None,
        *,
        tokens: bool = False,
    ) -> Artifact:
        """Compile ``model`` for the first accelerator that is present, into a new folder below ``folder``."""
        folder.mkdir(exist_ok=True)
        place = folder / str(len(list(folder.iterdir())))
        place.mkdir()
        accelerator = backend.probe().accelerators[0]
        request = CompileRequest(model, accelerator, batch, place, input_shapes=input_shapes or {}, tokens=tokens)
        return backend.compile(request)

    @classmethod
    def load(
        cls, backend: Backend, model: Path, folder: Path, batch: int = 1, input_shapes: Shapes | None = None
    ) -> Session:
        """Compile and load ``model`` on the first accelerator that is present."""
        return backend.load(cls.compile(backend, model, folder, batch, input_shapes))

    @classmethod
    def load_tokens(cls, backend: Backend, model: Path, folder: Path) -> TokenSession:
        """Compile and load a language model on the first accelerator that is present."""
        session = backend.load(cls.compile(backend, model, folder, tokens=True))
        assert isinstance(session, TokenSession)
        return session

    @staticmethod
    def tensors(*values: float) -> Tensors:
        """One sample of the model."""
        return (np.array([values], np.float32),)

    @classmethod
    def load_text(cls, backend: Backend, model: Path, folder: Path) -> TextSession:
        """Compile and load a language model of an engine that takes text, as :meth:`load_tokens`."""
        session = backend.load(cls.compile(backend, model, folder, tokens=True))
        assert isinstance(session, TextSession)
        return session


def without_variation(session: TokenSession | TextSession) -> None:
    """Skip a test for a session whose answers may differ between runs."""
    if isinstance(session, VaryingSession):
        pytest.skip("the session declares that its outputs vary, and one token may change all later ones")
