"""Tests of a backend's sessions: right outputs, every time, in batches, in parallel, and after closing."""

from __future__ import annotations

import json
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from mlperf_mobile.backend_checks import outputs_apart, wrong_outputs
from mlperf_mobile.contracts import Backend, BatchSession, ReportingSession, Session, Tensors, VaryingSession
from mlperf_mobile.errors import BackendError, ModelError
from mlperf_mobile.plugin import BackendInfo, Capability
from mlperf_mobile.testing.backend_kit import BackendKit
from mlperf_mobile.testing.checked import checked, run, run_batch
from mlperf_mobile.testing.kit import lacks
from mlperf_mobile.worker import returned

MANY = 64
"""Number of runs; some faults show only after several."""


class SessionTests(BackendKit):
    """Tensors in, tensors out."""

    def test_specs_describe_the_model(self, session: Session) -> None:
        """Specs are those of one sample."""
        for specs in (session.inputs, session.outputs):
            assert [(spec.shape, spec.dtype) for spec in specs] == [((1, 4), np.dtype(np.float32))]

    def test_computes_the_model(self, session: Session) -> None:
        """The outputs are right, regardless of earlier inputs."""
        for values in ((1, -2, 0.5, 4), (0, 0, 0, 0), (8, 16, -32, 64)):
            (x,) = self.tensors(*values)
            np.testing.assert_allclose(run(session, (x,))[0], x + x, rtol=self.tolerance)

    def test_outputs_match_their_specs(self, session: Session) -> None:
        """A tuple of arrays with the shapes and dtypes of the specs, finite, in every run."""
        for n in range(MANY):
            assert wrong_outputs(session.run(self.tensors(n, 2, 3, 4)), session.outputs) == ""

    def test_same_input_same_output(self, session: Session) -> None:
        """A run does not depend on earlier ones; outputs differ by at most the declared variation, by default 0."""
        variation = session.variation if isinstance(session, VaryingSession) else 0.0
        seen: dict[int, Tensors] = {}
        for n in (1, 2, 3, 3, 2, 1, 1, *range(MANY), 1, 3, 2):
            outputs = tuple(y.copy() for y in run(session, self.tensors(n, n / 3, n / 7, 1e-3 * n)))
            assert outputs_apart(seen.setdefault(n, outputs), outputs, session.outputs, variation) == ""

    def test_variation_is_small(self, session: Session) -> None:
        """A declared variation is above 0 and at most 0.1."""
        if not isinstance(session, VaryingSession):
            lacks("variation", "the backend gives the same bits every time")
        assert 0 < session.variation <= 0.1

    def test_inputs_are_left_alone(self, session: Session) -> None:
        """A run does not change its inputs, which are used again."""
        (x,) = self.tensors(1, 2, 3, 4)
        run(session, (x,))
        np.testing.assert_array_equal(x, [[1, 2, 3, 4]])

    def test_wrong_input_is_refused(self, session: Session) -> None:
        """A tensor of another shape or dtype is an error, not a crash or an output."""
        for wrong in (np.zeros((1, 5), np.float32), np.zeros((1, 4), np.int64)):
            with pytest.raises((BackendError, ModelError)):
                run(session, (wrong,))

    def test_reports_are_plain_data(self, session: Session) -> None:
        """The report of a session is JSON."""
        if not isinstance(session, ReportingSession):
            lacks("report", "the backend reports nothing")
        run(session, self.tensors(1, 2, 3, 4))
        report = session.report()
        assert json.loads(json.dumps(dict(report), allow_nan=False)) == report

    def test_closed_sessions_refuse_to_run(self, backend: Backend, model: Path, tmp_path: Path) -> None:
        """A closed session raises an error instead of using freed memory."""
        with self.load(backend, model, tmp_path / "compiled") as session:
            run(session, self.tensors(1, 2, 3, 4))
        with pytest.raises(BackendError):
            session.run(self.tensors(1, 2, 3, 4))

    def test_quantized_tensors_report_their_scale(
        self, backend: Backend, info: BackendInfo, quantized_model: Path | None, tmp_path: Path
    ) -> None:
        """``Capability.QUANTIZED``: ``real = scale * (stored - zero_point)`` holds for inputs and outputs."""
        if Capability.QUANTIZED not in info.capabilities or quantized_model is None:
            lacks("quantized", "the backend does not support quantised models, or there is no fixture for one")
        with self.load(backend, quantized_model, tmp_path / "compiled") as session:
            (x,), (y,) = session.inputs, session.outputs
            assert x.dtype.itemsize == y.dtype.itemsize == 1
            assert x.scale > 0 < y.scale
            stored = np.array([[x.zero_point + n for n in (0, 3, 10, 20)]]).astype(x.dtype)
            real = x.scale * (stored.astype(np.int64) - x.zero_point)
            answer = run(session, (stored,))[0].astype(np.int64)
            found = y.scale * (answer - y.zero_point)
            np.testing.assert_allclose(found, 2 * real, atol=1.01 * y.scale)

    def test_several_outputs_are_in_order(
        self, backend: Backend, two_outputs_model: Path | None, tmp_path: Path
    ) -> None:
        """Each output is where its spec is, and does not overlap another one."""
        if two_outputs_model is None:
            lacks("several-outputs", "no fixture for a model with two outputs")
        try:
            loaded = self.load(backend, two_outputs_model, tmp_path)
        except ModelError as error:
            lacks("several-outputs", f"the backend refuses the model with two outputs: {error.summary}")
        with loaded as session:
            assert len(session.outputs) == 2
            for values in ((1, -2, 0.5, 4), (8, 16, -32, 64)):
                (x,) = self.tensors(*values)
                outputs = tuple(y.copy() for y in run(session, (x,)))
                assert wrong_outputs(outputs, session.outputs) == ""
                factors = [3 if spec.name.startswith("z") else 2 for spec in session.outputs]
                if factors == [2, 2]:  # the backend does not have the model's names
                    factors = [2, 3]
                for y, factor in zip(outputs, factors, strict=True):
                    np.testing.assert_allclose(y, factor * x, rtol=self.tolerance)

    def test_sessions_are_independent(self, backend: Backend, model: Path, tmp_path: Path) -> None:
        """Two sessions work in parallel in two threads."""
        wrong: list[str] = []

        def work(session: Session, value: float) -> None:
            for _ in range(50):
                out = float(run(session, self.tensors(value, 0, 0, 0))[0][0, 0])
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
        """A model can be loaded again after its session was closed."""
        for _ in range(3):
            with self.load(backend, model, tmp_path) as session:
                run(session, self.tensors(1, 2, 3, 4))

    def test_placement_accounts_for_every_operation(self, session: Session, info: BackendInfo) -> None:
        """The model has one operation, which runs on an offered accelerator or the CPU."""
        operations = checked(returned.placement, info.name, session.placement(), info.accelerators).operations
        assert sum(operations.values()) >= 1
        assert set(operations) <= {*info.accelerators, "cpu"}

    def _of_three(self, backend: Backend, info: BackendInfo, model: Path, folder: Path) -> Session:
        """The model, loaded for batches of three samples; skips the test without, or if the backend refuses."""
        if Capability.BATCH not in info.capabilities:
            lacks("batch", "the backend does not offer batches")
        try:
            return self.load(backend, model, folder, batch=3)
        except ModelError as error:
            if error.code != "model-batch":
                raise
            lacks("batch", error.summary)

    def test_batch_outputs_match_their_specs(
        self, backend: Backend, info: BackendInfo, model: Path, tmp_path: Path
    ) -> None:
        """``Capability.BATCH``: the outputs of every sample of a batch match the specs."""
        with self._of_three(backend, info, model, tmp_path) as session:
            assert isinstance(session, BatchSession)
            for n in range(MANY):
                samples = [self.tensors(n, place, 3, 4) for place in range(3)]
                # Outputs are not kept when the next batch runs: they may be views of the runtime's memory.
                wrong = [wrong_outputs(outputs, session.outputs) for outputs in run_batch(session, samples)]
                assert wrong == [""] * 3

    def test_batches_are_answered_in_order(
        self, backend: Backend, info: BackendInfo, model: Path, tmp_path: Path
    ) -> None:
        """``Capability.BATCH``: a full and a partial batch give each sample its own outputs, without padding."""
        with self._of_three(backend, info, model, tmp_path) as session:
            assert isinstance(session, BatchSession)
            for count in (3, 2, 1, 3):
                samples = [self.tensors(n, n + 1, n + 2, n + 3) for n in range(count)]
                answers = [outputs[0].copy() for outputs in run_batch(session, samples)]
                assert len(answers) == count
                for (x,), y in zip(samples, answers, strict=True):
                    np.testing.assert_allclose(y, x + x, rtol=self.tolerance)
