"""Every backend passes these tests to be called conformant."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from mlperf_mobile.backend_checks import OpenShapes, Shapes, outputs_apart, wrong_outputs
from mlperf_mobile.contracts import (
    Artifact,
    Backend,
    BatchSession,
    CompileRequest,
    ReportingSession,
    Session,
    Tensors,
    VaryingSession,
)
from mlperf_mobile.errors import BackendError, ModelError
from mlperf_mobile.plugin import BackendInfo, Capability
from mlperf_mobile.testing.kit import Conformance

MANY = 64
"""Runs: some faults come up only after a while."""


class BackendConformance(Conformance):
    """Subclass once per backend; give ``plugin_module``, ``info`` and ``model``."""

    tolerance = 1e-2
    """Relative; accelerators compute in half precision."""

    @pytest.fixture
    def info(self) -> BackendInfo:
        raise NotImplementedError

    @pytest.fixture
    def model(self) -> Path:
        """A model of ``y = x + x`` on float32[1, 4], in a format that the backend takes."""
        raise NotImplementedError

    @pytest.fixture
    def quantized_model(self) -> Path | None:
        """The same of uint8 or int8 tensors, if there is one."""
        return None

    @pytest.fixture
    def open_model(self) -> Path | None:
        """The same as ``model`` with an open second dimension, float32[1, ?], if there is one."""
        return None

    @pytest.fixture
    def backend(self, info: BackendInfo) -> Backend:
        """The backend with its default options; the tests are skipped where it cannot run."""
        backend = info.backend.load()({})
        probe = backend.probe()
        if not probe.usable:
            pytest.skip(f"{info.name}: {probe.reason}")
        return backend

    @pytest.fixture
    def session(self, backend: Backend, model: Path, tmp_path: Path) -> Iterator[Session]:
        """The model, loaded on the first accelerator that is there."""
        with self.load(backend, model, tmp_path) as session:
            yield session

    @pytest.fixture
    def artifact(self, backend: Backend, model: Path, tmp_path: Path) -> Artifact:
        """The model, compiled into a folder of its own."""
        return self.compile(backend, model, tmp_path / "compiled")

    @staticmethod
    def compile(
        backend: Backend, model: Path, folder: Path, batch: int = 1, input_shapes: Shapes | None = None
    ) -> Artifact:
        """Compile ``model`` for the first accelerator that is there, into a new folder below ``folder``."""
        folder.mkdir(exist_ok=True)
        place = folder / str(len(list(folder.iterdir())))
        place.mkdir()
        accelerator = backend.probe().accelerators[0]
        return backend.compile(CompileRequest(model, accelerator, batch, place, input_shapes=input_shapes or {}))

    @classmethod
    def load(
        cls, backend: Backend, model: Path, folder: Path, batch: int = 1, input_shapes: Shapes | None = None
    ) -> Session:
        """Compile and load ``model`` on the first accelerator that is there."""
        return backend.load(cls.compile(backend, model, folder, batch, input_shapes))

    @staticmethod
    def tensors(*values: float) -> Tensors:
        """One sample of the model."""
        return (np.array([values], np.float32),)

    def test_probe_answers_on_any_machine(self, info: BackendInfo) -> None:
        """A probe that says no says why and what would help."""
        probe = info.backend.load()({}).probe()
        assert probe.usable or (probe.reason and probe.fix)

    def test_probe_names_runtime_and_accelerators(self, backend: Backend, info: BackendInfo) -> None:
        """A result names its runtime and versions, and only accelerators that were offered."""
        probe = backend.probe()
        assert probe.runtime
        assert probe.versions
        assert probe.accelerators
        assert set(probe.accelerators) <= set(info.accelerators)

    def test_probe_tells_what_only_computes(self, backend: Backend, info: BackendInfo) -> None:
        """Devices and accelerators without a speed of their own are offered ones, each with its reason."""
        probe = backend.probe()
        assert {device.accelerator for device in probe.devices} <= set(info.accelerators)
        assert set(probe.functional_only) <= set(info.accelerators)
        assert all(probe.functional_only.values())

    def test_shards_are_counted(self, backend: Backend) -> None:
        """There is at least one session side by side."""
        assert backend.shards >= 1

    def test_model_formats_are_suffixes(self, info: BackendInfo) -> None:
        """The core matches models with backends by these."""
        assert info.model_formats
        assert all(form == form.lower() and not form.startswith(".") for form in info.model_formats)

    def test_missing_model_is_a_model_error(self, backend: Backend, model: Path, tmp_path: Path) -> None:
        """A path without a file is told as such."""
        with pytest.raises(ModelError):
            self.load(backend, tmp_path / f"absent{model.suffix}", tmp_path)

    def test_damaged_model_is_a_model_error(self, backend: Backend, model: Path, tmp_path: Path) -> None:
        """Rubbish and half a model are told as such, and crash nothing."""
        folder = tmp_path / "work"
        folder.mkdir()
        for data in (b"", b"not a model", model.read_bytes()[: model.stat().st_size // 2]):
            damaged = tmp_path / f"damaged{model.suffix}"
            damaged.write_bytes(data)
            with pytest.raises(ModelError):
                self.load(backend, damaged, folder)

    def test_accelerators_that_are_not_there_are_refused(self, backend: Backend, artifact: Artifact) -> None:
        """Nothing else takes the place of an accelerator that nobody has."""
        with pytest.raises(BackendError):
            backend.load(Artifact(artifact.path, "no-such-accelerator", artifact.batch, artifact.facts))

    def test_compiles_into_its_folder_only(self, backend: Backend, model: Path, tmp_path: Path) -> None:
        """The artifact is the model itself, or in the folder it was asked to be in; nothing is left elsewhere."""
        here = {path: path.stat().st_mtime_ns for path in (*Path.cwd().iterdir(), model)}
        artifact = self.compile(backend, model, tmp_path / "compiled")
        assert artifact.path == model or artifact.path.is_relative_to(tmp_path / "compiled" / "0")
        assert artifact.path.exists()
        assert {path: path.stat().st_mtime_ns for path in (*Path.cwd().iterdir(), model)} == here
        assert (artifact.accelerator, artifact.batch) == (backend.probe().accelerators[0], 1)
        json.dumps(dict(artifact.facts))

    def test_artifacts_may_be_moved(self, backend: Backend, artifact: Artifact, model: Path, tmp_path: Path) -> None:
        """The core keeps them under another name, and loads them in another process."""
        if artifact.path == model:
            pytest.skip("the backend compiles nothing")
        (tmp_path / "compiled" / "0").rename(tmp_path / "kept")
        path = tmp_path / "kept" / artifact.path.relative_to(tmp_path / "compiled" / "0")
        with backend.load(Artifact(path, artifact.accelerator, artifact.batch, artifact.facts)) as session:
            np.testing.assert_allclose(session.run(self.tensors(1, 2, 3, 4))[0], [[2, 4, 6, 8]], rtol=self.tolerance)

    def test_damaged_artifacts_are_refused(
        self, backend: Backend, artifact: Artifact, model: Path, tmp_path: Path
    ) -> None:
        """Half an artifact, or none of it, crashes nothing."""
        if artifact.path == model:
            pytest.skip("the backend compiles nothing")
        for number, share in enumerate((0.0, 0.5)):
            shutil.copytree(tmp_path / "compiled" / "0", tmp_path / f"damaged{number}")
            path = tmp_path / f"damaged{number}" / artifact.path.relative_to(tmp_path / "compiled" / "0")
            for file in [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]:
                file.write_bytes(file.read_bytes()[: int(file.stat().st_size * share)])
            with pytest.raises((BackendError, ModelError)):
                backend.load(Artifact(path, artifact.accelerator, artifact.batch, artifact.facts))

    def test_specs_describe_the_model(self, session: Session) -> None:
        """Specs are those of one sample."""
        for specs in (session.inputs, session.outputs):
            assert [(spec.shape, spec.dtype) for spec in specs] == [((1, 4), np.dtype(np.float32))]

    def test_computes_the_model(self, session: Session) -> None:
        """The numbers are right, whatever came before."""
        for values in ((1, -2, 0.5, 4), (0, 0, 0, 0), (8, 16, -32, 64)):
            (x,) = self.tensors(*values)
            np.testing.assert_allclose(session.run((x,))[0], x + x, rtol=self.tolerance)

    def test_outputs_match_their_specs(self, session: Session) -> None:
        """A tuple of arrays with the shapes and dtypes that the specs announce, finite, in every run."""
        for n in range(MANY):
            assert wrong_outputs(session.run(self.tensors(n, 2, 3, 4)), session.outputs) == ""

    def test_same_input_same_output(self, session: Session) -> None:
        """Nothing is left over from one run to the next; the bits are the same, or within what the session declares."""
        variation = session.variation if isinstance(session, VaryingSession) else 0.0
        seen: dict[int, Tensors] = {}
        for n in (1, 2, 3, 3, 2, 1, 1, *range(MANY), 1, 3, 2):
            outputs = tuple(y.copy() for y in session.run(self.tensors(n, n / 3, n / 7, 1e-3 * n)))
            assert outputs_apart(seen.setdefault(n, outputs), outputs, session.outputs, variation) == ""

    def test_variation_is_small(self, session: Session) -> None:
        """A session that declares how far its outputs lie apart says so in a number above 0, at most 0.1."""
        if not isinstance(session, VaryingSession):
            pytest.skip("the backend gives the same bits every time")
        assert 0 < session.variation <= 0.1

    def test_inputs_are_left_alone(self, session: Session) -> None:
        """A sample is used many times; a run must not change it."""
        (x,) = self.tensors(1, 2, 3, 4)
        session.run((x,))
        np.testing.assert_array_equal(x, [[1, 2, 3, 4]])

    def test_wrong_input_is_refused(self, session: Session) -> None:
        """A tensor of another shape or dtype is an error, not a crash or a number."""
        for wrong in (np.zeros((1, 5), np.float32), np.zeros((1, 4), np.int64)):
            with pytest.raises((BackendError, ModelError)):
                session.run((wrong,))

    def test_reports_are_plain_data(self, session: Session) -> None:
        """What a session has to tell about its runs fits into a result."""
        if not isinstance(session, ReportingSession):
            pytest.skip("the backend reports nothing")
        session.run(self.tensors(1, 2, 3, 4))
        told = session.report()
        assert json.loads(json.dumps(dict(told), allow_nan=False)) == told

    def test_closed_sessions_refuse_to_run(self, backend: Backend, model: Path, tmp_path: Path) -> None:
        """They say so, instead of touching memory that is gone."""
        with self.load(backend, model, tmp_path / "compiled") as session:
            run = session.run
            run(self.tensors(1, 2, 3, 4))
        with pytest.raises(BackendError):
            session.run(self.tensors(1, 2, 3, 4))

    def test_quantized_tensors_tell_their_scale(
        self, backend: Backend, info: BackendInfo, quantized_model: Path | None, tmp_path: Path
    ) -> None:
        """``Capability.QUANTIZED``: ``real = scale * (stored - zero_point)`` holds for inputs and outputs."""
        if Capability.QUANTIZED not in info.capabilities or quantized_model is None:
            pytest.skip("the backend takes no quantised models, or none is there to try")
        with self.load(backend, quantized_model, tmp_path / "compiled") as session:
            (x,), (y,) = session.inputs, session.outputs
            assert x.dtype.itemsize == y.dtype.itemsize == 1
            assert x.scale > 0 < y.scale
            stored = np.array([[x.zero_point + n for n in (0, 3, 10, 20)]]).astype(x.dtype)
            real = x.scale * (stored.astype(np.int64) - x.zero_point)
            answer = session.run((stored,))[0].astype(np.int64)
            found = y.scale * (answer - y.zero_point)
            np.testing.assert_allclose(found, 2 * real, atol=1.01 * y.scale)

    def test_open_inputs_are_told(self, backend: Backend, open_model: Path | None, tmp_path: Path) -> None:
        """A model whose input is open is refused, or its session says that it is: nobody measures it at size 1."""
        if open_model is None:
            pytest.skip("no model with an open input is there to try")
        try:
            session = self.load(backend, open_model, tmp_path / "compiled")
        except ModelError:
            return
        with session:
            assert any(spec.is_open for spec in session.inputs)

    def test_open_inputs_take_the_size_asked_for(
        self, backend: Backend, open_model: Path | None, tmp_path: Path
    ) -> None:
        """Of a backend that says what is open: with ``input_shapes``, the session has the shape and computes it."""
        if open_model is None:
            pytest.skip("no model with an open input is there to try")
        try:
            with self.load(backend, open_model, tmp_path / "open") as session:
                name = session.inputs[0].name
        except OpenShapes as error:
            name = error.inputs[0].name
        except ModelError:
            pytest.skip("the backend takes fixed shapes only")
        for size in (6, 3):
            with self.load(backend, open_model, tmp_path / "sized", 1, {name: (1, size)}) as session:
                assert [(spec.shape, spec.is_open) for spec in session.inputs] == [((1, size), False)]
                assert session.outputs[0].shape == (1, size)
                x = self.tensors(*range(1, size + 1))
                np.testing.assert_allclose(session.run(x)[0], x[0] + x[0], rtol=self.tolerance)

    def test_other_shapes_than_the_models_are_refused(self, backend: Backend, model: Path, tmp_path: Path) -> None:
        """``input_shapes`` changes nothing about a fixed input: it is refused, or the session says its real shape."""
        with self.load(backend, model, tmp_path / "plain") as session:
            name = session.inputs[0].name
        for asked in ({name: (1, 5)}, {name: (4,)}, {"no such input": (1, 4)}):
            try:
                session = self.load(backend, model, tmp_path / "other", 1, asked)
            except ModelError:
                continue
            with session:
                assert session.inputs[0].shape == (1, 4)
                x = self.tensors(1, 2, 3, 4)
                np.testing.assert_allclose(session.run(x)[0], x[0] + x[0], rtol=self.tolerance)

    def test_sessions_are_independent(self, backend: Backend, model: Path, tmp_path: Path) -> None:
        """Two sessions work side by side in two threads."""
        wrong: list[str] = []

        def work(session: Session, value: float) -> None:
            for _ in range(50):
                out = float(session.run(self.tensors(value, 0, 0, 0))[0][0, 0])
                if abs(out - 2 * value) > 2 * value * self.tolerance:
                    wrong.append(f"{out} instead of {2 * value}")

        with self.load(backend, model, tmp_path) as one, self.load(backend, model, tmp_path) as two:
            threads = [Thread(target=work, args=(one, 3.0)), Thread(target=work, args=(two, 50.0))]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert wrong == []

    def test_sessions_close_and_load_again(self, backend: Backend, model: Path, tmp_path: Path) -> None:
        """A closed session leaves nothing behind that stops the next one."""
        for _ in range(3):
            with self.load(backend, model, tmp_path) as session:
                session.run(self.tensors(1, 2, 3, 4))

    def test_placement_accounts_for_every_operation(self, session: Session, info: BackendInfo) -> None:
        """The model has one operation; it runs somewhere that the backend offered."""
        operations = session.placement().operations
        assert sum(operations.values()) >= 1
        assert set(operations) <= {*info.accelerators, "cpu"}

    def test_batch_outputs_match_their_specs(
        self, backend: Backend, info: BackendInfo, model: Path, tmp_path: Path
    ) -> None:
        """``Capability.BATCH``: every sample of a batch has outputs as the specs announce them."""
        if Capability.BATCH not in info.capabilities:
            pytest.skip("the backend does not offer batches")
        with self.load(backend, model, tmp_path, batch=3) as session:
            assert isinstance(session, BatchSession)
            for n in range(MANY):
                samples = [self.tensors(n, place, 3, 4) for place in range(3)]
                # No answer is held when the next batch runs: it may be a view of the runtime's memory.
                wrong = [wrong_outputs(outputs, session.outputs) for outputs in session.run_batch(samples)]
                assert wrong == [""] * 3

    def test_batches_are_answered_in_order(
        self, backend: Backend, info: BackendInfo, model: Path, tmp_path: Path
    ) -> None:
        """``Capability.BATCH``: a full and a partial batch give each sample its own answer, and no padding."""
        if Capability.BATCH not in info.capabilities:
            pytest.skip("the backend does not offer batches")
        with self.load(backend, model, tmp_path, batch=3) as session:
            assert isinstance(session, BatchSession)
            for count in (3, 2, 1, 3):
                samples = [self.tensors(n, n + 1, n + 2, n + 3) for n in range(count)]
                answers = [outputs[0].copy() for outputs in session.run_batch(samples)]
                assert len(answers) == count
                for (x,), y in zip(samples, answers, strict=True):
                    np.testing.assert_allclose(y, x + x, rtol=self.tolerance)
