"""The backend passes the conformance kit on the stand-in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mlperf_mobile.backend_checks import Shapes
from mlperf_mobile.config.model_folder import files_of
from mlperf_mobile.contracts import Artifact, Backend, CompileRequest
from mlperf_mobile.plugin import BackendInfo
from mlperf_mobile.testing.backend import BackendConformance
from mlperf_mobile_backend_snpe import plugin
from mlperf_mobile_backend_snpe.genie.options import GenieOptions


class TestGenie(BackendConformance):
    plugin_module = "mlperf_mobile_backend_snpe.plugin"

    @pytest.fixture
    def info(self) -> BackendInfo:
        return next(each for each in plugin.mlperf_mobile_backends() if each.name == "genie")

    @pytest.fixture
    def options(self, library: Path) -> GenieOptions:
        return GenieOptions(library=str(library))

    @pytest.fixture
    def model(self) -> Path:
        pytest.skip("the backend runs language models only")

    @pytest.fixture
    def language_model(self, bundle: object) -> Path:
        assert callable(bundle)
        folder: Path = bundle()
        return folder / "genie_config.json"

    @staticmethod
    def compile(
        backend: Backend, model: Path, folder: Path, batch: int = 1, input_shapes: Shapes | None = None, *,
        tokens: bool = False,
    ) -> Artifact:  # fmt: skip
        """Compile a model of several files, as the core does."""
        folder.mkdir(exist_ok=True)
        files = files_of(model.parent, "the kit") if model.exists() else {}
        request = CompileRequest(model, "htp", batch, folder, tokens=tokens, files=files, format="genie_config.json")
        return replace(backend.compile(request), files=files)
