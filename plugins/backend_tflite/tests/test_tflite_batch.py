from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlperf_mobile.contracts import Artifact, TensorSpec
from mlperf_mobile.errors import BackendError, ModelError
from mlperf_mobile_backend_tflite.backend import TFLiteBackend
from mlperf_mobile_backend_tflite.options import TFLiteOptions

ROW = np.array([[1, -2, 0.5, 4]], np.float32)


def test_specs_are_those_of_one_sample(load) -> None:
    with load("quantized", batch=4) as session:
        assert session.inputs == (TensorSpec("x", (1, 4), np.dtype(np.uint8), 0.5, 10),)
        assert session.outputs == (TensorSpec("y", (1, 4), np.dtype(np.int8), 0.5, -118),)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_as_many_answers_as_samples(load, count: int) -> None:
    with load("add", batch=4) as session:
        samples = [(ROW + number,) for number in range(count)]
        answers = session.run_batch(samples)
        assert len(answers) == count
        for number, (y,) in enumerate(answers):
            np.testing.assert_array_equal(y, 2 * (ROW + number))
            assert y.shape == (1, 4)
            assert not y.flags.owndata


@given(batch=st.integers(2, 6), data=st.data())
def test_samples_do_not_mix(batch: int, data: st.DataObject) -> None:
    """Any sequence of part-filled batches: what an earlier call left in a slot never shows."""
    path = Path(__file__).parent / "models" / "two.tflite"
    with TFLiteBackend(TFLiteOptions()).load(Artifact(path, "cpu", batch)) as session:
        for count in data.draw(st.lists(st.integers(1, batch), min_size=1, max_size=4)):
            numbers = data.draw(st.lists(st.integers(-1000, 1000), min_size=count, max_size=count))
            samples = [(np.full((1, 3), n, np.float32), np.full((1, 2), n, np.int32)) for n in numbers]
            answers = session.run_batch(samples)
            assert [(total.tolist(), squares.tolist()) for total, squares in answers] == [
                ([[2.0 * n] * 3], [[n * n] * 2]) for n in numbers
            ]
            del answers


def test_slots_left_over_repeat_the_last_sample(load) -> None:
    with load("add", batch=3) as session:
        (y,) = session.run_batch([(ROW,)])[0]
        np.testing.assert_array_equal(y.base, np.repeat(2 * ROW, 3, axis=0))


def test_one_sample(load) -> None:
    with load("add", batch=3) as session:
        (y,) = session.run((ROW,))
        np.testing.assert_array_equal(y, 2 * ROW)


def test_a_batch_of_one_is_a_plain_session(load) -> None:
    with load("add", batch=1) as session:
        assert not hasattr(session, "run_batch")


def test_shapes_that_only_a_run_determines(load) -> None:
    with load("dynamic", batch=3) as session:
        assert session.outputs[0].shape == (1, 4)
        answers = session.run_batch([(ROW,), (ROW * 2,)])
        np.testing.assert_array_equal(answers[1][0], ROW * 2)


@pytest.mark.parametrize("count", [0, 3])
def test_too_few_or_too_many(load, count: int) -> None:
    with load("add", batch=2) as session:
        with pytest.raises(BackendError, match=f"accepts 1 to 2 samples per call, not {count}") as error:
            session.run_batch([(ROW,)] * count)
        assert error.value.code == "batch-size"


@pytest.mark.parametrize(
    "sample", [(ROW[0],), (ROW.astype(np.float64),), (ROW.tolist(),), (ROW, ROW), (), None, (np.float32(1),)]
)
def test_a_sample_that_does_not_fit_is_not_converted(load, sample: object) -> None:
    with load("add", batch=2) as session:
        with pytest.raises(BackendError) as error:
            session.run_batch([(ROW,), sample])
        assert error.value.code == "input-mismatch"
        assert len(session.run_batch([(ROW,), (ROW,)])) == 2


def test_an_answer_that_is_still_held(load) -> None:
    with load("add", batch=2) as session:
        held = session.run_batch([(ROW,)])
        with pytest.raises(BackendError) as error:
            session.run_batch([(ROW,)])
        assert error.value.code == "outputs-held"
        del held
        session.run_batch([(ROW,)])


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("fixed_batch", "cannot be resized to a batch of 4"),
        ("folded_batch", r"an output of shape \[1, 4\] becomes \[1, 16\]"),
        ("crossed_batch", r"an output of shape \[4, 1\] becomes \[4, 4\]"),
        ("no_batch", r"input x has the shape \[4\], with no leading 1"),
    ],
)
def test_models_that_take_no_batch(load, model: str, says: str) -> None:
    with pytest.raises(ModelError, match=says) as error:
        load(model, batch=4)
    assert error.value.code == "model-batch"
    assert f"{model}.tflite" in error.value.summary
    with load(model) as session:
        assert session.run(tuple(np.ones(spec.shape, spec.dtype) for spec in session.inputs))


def test_a_batch_of_none(load) -> None:
    with pytest.raises(BackendError) as error:
        load("add", batch=0)
    assert error.value.code == "batch-size"


@pytest.mark.parametrize("dynamic", ["0", "1"])
def test_with_a_delegate(load, delegate: str, dynamic: str) -> None:
    options = {"delegate": delegate, "delegate_options": {"dynamic": dynamic}}
    with load("mixed", batch=3, accelerator="delegate", **options) as session:
        answers = session.run_batch([(ROW,), (-ROW,)])
        np.testing.assert_allclose(answers[0][0], [[4, -2, 4, 40]])
        # -x: x=-1 -> 0-1, x=2 -> 8+2+2, x=-.5 -> -.5, x=-4 -> -4
        np.testing.assert_allclose(answers[1][0], [[-1, 12, -0.5, -4]])
