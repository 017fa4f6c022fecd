"""Tests of a backend with model files: damaged, compiled, and with open dimensions."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mlperf_mobile.backend_checks import OpenShapes
from mlperf_mobile.contracts import Artifact, Backend, CompileRequest, Purpose
from mlperf_mobile.errors import BackendError, ModelError
from mlperf_mobile.plugin import BackendInfo, Capability
from mlperf_mobile.testing.backend_kit import BackendKit
from mlperf_mobile.testing.checked import run
from mlperf_mobile.testing.kit import lacks

PURPOSES = (Purpose("one-by-one", cores=1), Purpose("all-at-once", parallel=True, sessions=2, cores=4))


class ModelTests(BackendKit):
    """Files in, artifacts out."""

    def test_missing_model_is_a_model_error(self, backend: Backend, model: Path, tmp_path: Path) -> None:
        """A missing file is reported as a model error."""
        with pytest.raises(ModelError):
            self.load(backend, tmp_path / f"absent{model.suffix}", tmp_path)

    def test_damaged_model_is_a_model_error(self, backend: Backend, model: Path, tmp_path: Path) -> None:
        """A file that is not a model, or half of one, is reported as a model error, without a crash."""
        folder = tmp_path / "work"
        folder.mkdir()
        for data in (b"", b"not a model", model.read_bytes()[: model.stat().st_size // 2]):
            damaged = tmp_path / f"damaged{model.suffix}"
            damaged.write_bytes(data)
            with pytest.raises(ModelError):
                self.load(backend, damaged, folder)

    def test_accelerators_that_are_not_there_are_refused(self, backend: Backend, artifact: Artifact) -> None:
        """An unknown accelerator is not replaced by another one."""
        with pytest.raises(BackendError):
            backend.load(Artifact(artifact.path, "no-such-accelerator", artifact.batch, artifact.facts))

    def test_compiles_into_its_folder_only(
        self, backend: Backend, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The artifact is the model itself, or in the requested folder; nothing is written elsewhere."""
        model, here = model.absolute(), tmp_path / "here"
        here.mkdir()
        monkeypatch.chdir(here)
        before = model.stat().st_mtime_ns
        artifact = self.compile(backend, model, tmp_path / "compiled")
        assert artifact.path == model or artifact.path.is_relative_to(tmp_path / "compiled" / "0")
        assert artifact.path.exists()
        assert model.stat().st_mtime_ns == before
        assert not list(here.iterdir())
        assert (artifact.accelerator, artifact.batch) == (backend.probe().accelerators[0], 1)
        json.dumps(dict(artifact.facts))

    def test_every_purpose_computes_the_model(
        self, backend: Backend, info: BackendInfo, model: Path, tmp_path: Path
    ) -> None:
        """``Capability.PURPOSE``: compiled for latency or for throughput, the model computes the same."""
        if Capability.PURPOSE not in info.capabilities:
            lacks("purpose", "the backend compiles alike for all purposes")
        (x,) = self.tensors(1, -2, 0.5, 4)
        for number, purpose in enumerate(PURPOSES):
            folder = tmp_path / str(number)
            folder.mkdir()
            artifact = backend.compile(CompileRequest(model, backend.probe().accelerators[0], 1, folder,
                                                      purpose=purpose))  # fmt: skip
            with backend.load(replace(artifact, purpose=purpose)) as session:
                np.testing.assert_allclose(run(session, (x,))[0], x + x, rtol=self.tolerance)

    def test_artifacts_may_be_moved(self, backend: Backend, artifact: Artifact, model: Path, tmp_path: Path) -> None:
        """The core stores artifacts in another folder, and loads them in another process."""
        if artifact.path == model:
            lacks("compiled", "the backend compiles nothing")
        (tmp_path / "compiled" / "0").rename(tmp_path / "kept")
        path = tmp_path / "kept" / artifact.path.relative_to(tmp_path / "compiled" / "0")
        with backend.load(Artifact(path, artifact.accelerator, artifact.batch, artifact.facts)) as session:
            np.testing.assert_allclose(run(session, self.tensors(1, 2, 3, 4))[0], [[2, 4, 6, 8]], rtol=self.tolerance)

    def test_damaged_artifacts_are_refused(
        self, backend: Backend, artifact: Artifact, model: Path, tmp_path: Path
    ) -> None:
        """An empty or truncated artifact is refused, without a crash."""
        if artifact.path == model:
            lacks("compiled", "the backend compiles nothing")
        for number, share in enumerate((0.0, 0.5)):
            shutil.copytree(tmp_path / "compiled" / "0", tmp_path / f"damaged{number}")
            path = tmp_path / f"damaged{number}" / artifact.path.relative_to(tmp_path / "compiled" / "0")
            for file in [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]:
                file.write_bytes(file.read_bytes()[: int(file.stat().st_size * share)])
            with pytest.raises((BackendError, ModelError)):
                backend.load(Artifact(path, artifact.accelerator, artifact.batch, artifact.facts))

    def test_open_inputs_are_reported(self, backend: Backend, open_model: Path | None, tmp_path: Path) -> None:
        """A model with an open input is refused, or its session reports it, so that it is not measured at size 1."""
        if open_model is None:
            lacks("open-shapes", "no fixture for a model with an open input")
        try:
            session = self.load(backend, open_model, tmp_path / "compiled")
        except ModelError:
            return
        with session:
            assert any(spec.is_open for spec in session.inputs)

    def test_open_inputs_take_the_requested_size(
        self, backend: Backend, open_model: Path | None, tmp_path: Path
    ) -> None:
        """With ``input_shapes``, a backend that reports open inputs has a session of that shape."""
        if open_model is None:
            lacks("open-shapes", "no fixture for a model with an open input")
        try:
            with self.load(backend, open_model, tmp_path / "open") as session:
                name = session.inputs[0].name
        except OpenShapes as error:
            name = error.inputs[0].name
        except ModelError:
            lacks("open-shapes", "the backend supports fixed shapes only")
        for size in (6, 3):
            with self.load(backend, open_model, tmp_path / "sized", 1, {name: (1, size)}) as session:
                assert [(spec.shape, spec.is_open) for spec in session.inputs] == [((1, size), False)]
                assert session.outputs[0].shape == (1, size)
                x = self.tensors(*range(1, size + 1))
                np.testing.assert_allclose(run(session, x)[0], x[0] + x[0], rtol=self.tolerance)

    def test_other_shapes_than_the_models_are_refused(self, backend: Backend, model: Path, tmp_path: Path) -> None:
        """``input_shapes`` cannot change a fixed input: it is refused, or the session reports the real shape."""
        with self.load(backend, model, tmp_path / "plain") as session:
            name = session.inputs[0].name
        for requested in ({name: (1, 5)}, {name: (4,)}, {"no such input": (1, 4)}):
            try:
                session = self.load(backend, model, tmp_path / "other", 1, requested)
            except ModelError:
                continue
            with session:
                assert session.inputs[0].shape == (1, 4)
                x = self.tensors(1, 2, 3, 4)
                np.testing.assert_allclose(run(session, x)[0], x[0] + x[0], rtol=self.tolerance)
