"""Every backend passes these tests to be called conformant."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from mlperf_mobile.contracts import Backend, BatchSession, CompileRequest, Session, Tensors
from mlperf_mobile.errors import BackendError, ModelError
from mlperf_mobile.plugin import BackendInfo, Capability
from mlperf_mobile.testing.kit import Conformance


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

    @staticmethod
    def load(backend: Backend, model: Path, folder: Path, batch: int = 1) -> Session:
        """Compile and load ``model`` on the first accelerator that is there."""
        request = CompileRequest(model, backend.probe().accelerators[0], batch, folder)
        return backend.load(backend.compile(request))

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
        """Arrays have the shape and dtype that the specs announce."""
        outputs = session.run(self.tensors(1, 2, 3, 4))
        assert [(y.shape, y.dtype) for y in outputs] == [(spec.shape, spec.dtype) for spec in session.outputs]

    def test_same_input_same_output(self, session: Session) -> None:
        """Nothing is left over from one run to the next."""
        first = session.run(self.tensors(1, 2, 3, 4))[0].copy()
        session.run(self.tensors(9, 9, 9, 9))
        np.testing.assert_array_equal(first, session.run(self.tensors(1, 2, 3, 4))[0])

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
