from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from mlperf_mobile.contracts import Artifact, TensorSpec
from mlperf_mobile.errors import BackendError, ModelError
from mlperf_mobile_backend_tflite import runtime
from mlperf_mobile_backend_tflite.backend import TFLiteBackend
from mlperf_mobile_backend_tflite.options import TFLiteOptions

MODELS = Path(__file__).parent / "models"
ROW = np.array([[1, -2, 0.5, 4]], np.float32)


def expect(code: str, **kwargs: str):
    return pytest.raises((BackendError, ModelError), check=lambda error: error.code == code, **kwargs)


def test_specs(load) -> None:
    with load("two") as session:
        f32, i32 = np.dtype(np.float32), np.dtype(np.int32)
        assert session.inputs == (TensorSpec("p", (1, 3), f32), TensorSpec("q", (1, 2), i32))
        assert session.outputs == (TensorSpec("total", (1, 3), f32), TensorSpec("count", (1, 2), i32))
        assert all(type(n) is int for spec in session.inputs for n in spec.shape)


def test_computes(load) -> None:
    with load("add") as session:
        (y,) = session.run((ROW,))
        np.testing.assert_array_equal(y, [[2, -4, 1, 8]])


def test_several_tensors_keep_their_order(load) -> None:
    with load("two") as session:
        total, count = session.run((np.array([[1, 2, 3]], np.float32), np.array([[-4, 5]], np.int32)))
        np.testing.assert_array_equal(total, [[2, 4, 6]])
        np.testing.assert_array_equal(count, [[16, 25]])


@pytest.mark.parametrize("xnnpack", [True, False])
def test_xnnpack_on_and_off_agree(load, xnnpack: bool) -> None:
    with load("mixed", xnnpack=xnnpack) as session:
        (y,) = session.run((ROW,))
        # relu(2x * k + x) + x, by hand: x=1 -> 2+1+1, x=-2 -> 0-2, x=.5 -> 3+.5+.5, x=4 -> 32+4+4
        np.testing.assert_allclose(y, [[4, -2, 4, 40]])


def test_quantised_tensors(load) -> None:
    """real = scale * (stored - zero point), on both sides (TensorFlow Lite 8-bit quantisation specification)."""
    with load("quantized") as session:
        (x,), (y,) = session.inputs, session.outputs
        assert (x.dtype, x.scale, x.zero_point) == (np.uint8, 0.5, 10)
        assert (y.dtype, y.scale, y.zero_point) == (np.int8, 0.5, -118)
        (out,) = session.run((np.array([[0, 10, 128, 255]], np.uint8),))
        np.testing.assert_array_equal(out, [[-128, -118, 0, 127]])


def test_a_tensor_that_is_not_quantised_has_no_scale(load) -> None:
    with load("add") as session:
        assert (session.inputs[0].scale, session.inputs[0].zero_point) == (0.0, 0)


def test_outputs_are_views_and_hold_until_the_next_run(load) -> None:
    with load("add") as session:
        (y,) = session.run((ROW,))
        assert not y.flags.owndata
        np.testing.assert_array_equal(y, ROW * 2)
        del y
        (y,) = session.run((ROW * 3,))
        np.testing.assert_array_equal(y, ROW * 6)


def test_the_input_is_copied(load) -> None:
    x = ROW.copy()
    with load("add") as session:
        (y,) = session.run((x,))
        x[:] = 0
        np.testing.assert_array_equal(y, ROW * 2)


def test_an_input_in_another_memory_order(load) -> None:
    wide = np.arange(8, dtype=np.float32).reshape(1, 8)
    with load("add") as session:
        (y,) = session.run((wide[:, ::2],))
        np.testing.assert_array_equal(y, [[0, 4, 8, 12]])


@given(npst.arrays(np.float32, (1, 4), elements=st.floats(-1e6, 1e6, width=32, allow_subnormal=False)))
def test_any_values(x) -> None:
    """Subnormals aside, which kernels may flush to zero."""
    with TFLiteBackend(TFLiteOptions()).load(Artifact(MODELS / "add.tflite", "cpu")) as session:
        assert session.run((x,))[0].tolist() == (x + x).tolist()


def test_sessions_side_by_side(load) -> None:
    """Several sessions, each on a thread of its own, as offline runs use them."""
    wrong = []

    def work(number: int) -> None:
        with load("mixed") as session:
            for _ in range(50):
                x = np.full((1, 4), number, np.float32)
                (y,) = session.run((x,))
                if not np.array_equal(y, (2 * x * [1, 2, 3, 4] + x) + x):
                    wrong.append(number)
                del y

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


# -------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        ((np.zeros((1, 5), np.float32),), r"input x must be float32\[1,4\], not float32\[1,5\]"),
        ((np.zeros(4, np.float32),), r"not float32\[4\]"),
        ((np.zeros((1, 4), np.float64),), r"not float64\[1,4\]"),
        ((np.zeros((1, 4), np.uint8),), r"not uint8\[1,4\]"),
        (([[1.0, 2.0, 3.0, 4.0]],), "not list"),
        ((), "accepts 1 input tensors, not 0"),
        ((ROW, ROW), "accepts 1 input tensors, not 2"),
        (ROW, "not ndarray"),
        (None, "not NoneType"),
    ],
)
@pytest.mark.parametrize("batch", [1, 2])
def test_inputs_that_do_not_fit(load, inputs: object, says: str, batch: int) -> None:
    with load("add", batch=batch) as session:
        with expect("input-mismatch", match=says) as error:
            session.run(inputs)
        assert "add.tflite" in error.value.summary
        np.testing.assert_array_equal(session.run((ROW,))[0], ROW * 2)


def test_the_wrong_one_of_several_inputs_is_named(load) -> None:
    with load("two") as session, expect("input-mismatch", match=r"input q must be int32\[1,2\], not int64\[1,2\]"):
        session.run((np.zeros((1, 3), np.float32), np.zeros((1, 2), np.int64)))


def test_one_of_several_inputs_is_missing(load) -> None:
    with load("two") as session, expect("input-mismatch", match="accepts 2 input tensors, not 1"):
        session.run((np.zeros((1, 3), np.float32),))


@pytest.mark.parametrize("model", ["add", "two"])
def test_an_output_that_is_still_held(load, model: str) -> None:
    with load(model) as session:
        inputs = tuple(np.ones(spec.shape, spec.dtype) for spec in session.inputs)
        held = session.run(inputs)
        with expect("outputs-held", match="still referenced") as error:
            session.run(inputs)
        assert error.value.hint == "drop outputs before the next run, or copy them"
        del held
        session.run(inputs)


def test_a_run_that_fails_inside_the_runtime(load) -> None:
    with load("gather") as session:
        np.testing.assert_array_equal(session.run((np.array([2], np.int32),))[0], [[4, 5]])
        with expect("invoke-failed", match=r"gather.tflite failed to run: .*[Ii]ndex"):
            session.run((np.array([7], np.int32),))


def test_a_delegate_that_fails_in_a_run(load, delegate: str) -> None:
    options = {"delegate": delegate, "delegate_options": {"fail": "invoke"}}
    with (
        load("add", accelerator="delegate", **options) as session,
        expect("invoke-failed", match="the test delegate fails in invoke"),
    ):
        session.run((ROW,))


@pytest.mark.parametrize("batch", [1, 2])
def test_a_closed_session(load, batch: int) -> None:
    with load("add", batch=batch) as session:
        session.run((ROW,))
    for use in (lambda: session.run((ROW,)), session.placement):
        with expect("session-closed", match="add.tflite"):
            use()
    if batch > 1:
        with expect("session-closed"):
            session.run_batch([(ROW,)])


# ------------------------------------------------------------------------------------------------- loading


def test_shapes_that_only_a_run_determines(load) -> None:
    with load("dynamic") as session:
        assert session.outputs[0].shape == (1, 4)
        np.testing.assert_array_equal(session.run((ROW,))[0], ROW)


def test_a_trial_run_leaves_no_state_behind(models: Path, monkeypatch) -> None:
    """Variables, the memory of stateful models, are reset after it, and its inputs are zeros."""
    calls = []
    made = runtime.Runtime.interpreter

    def watched(*args: object, **kwargs: object) -> object:
        interpreter = made(*args, **kwargs)
        invoke, reset = interpreter.invoke, interpreter.reset_all_variables
        x = interpreter.tensor(interpreter.get_input_details()[0]["index"])
        interpreter.invoke = lambda: (calls.append(x().tolist()), invoke())
        interpreter.reset_all_variables = lambda: (calls.append("reset"), reset())
        return interpreter

    monkeypatch.setattr(runtime.Runtime, "interpreter", watched)
    TFLiteBackend(TFLiteOptions()).load(Artifact(models / "dynamic.tflite", "cpu"))
    assert calls == [[[0.0] * 4], "reset"]
    TFLiteBackend(TFLiteOptions()).load(Artifact(models / "mixed.tflite", "cpu"))
    assert len(calls) == 2


def test_shapes_that_cannot_be_determined(load) -> None:
    with expect("model-shape", match="unshaped.tflite"):
        load("unshaped")


def test_strings_are_refused(load) -> None:
    with expect("model-tensor", match="tensor x of text.tflite holds bytes"):
        load("text")


@pytest.mark.parametrize("batch", [1, 2])
def test_an_operation_that_the_runtime_lacks(load, batch: int) -> None:
    with expect("model-refused", match="NobodyKnowsThis"):
        load("custom", batch=batch)


def test_weights_behind_the_flatbuffer(load) -> None:
    with load("external") as session:
        np.testing.assert_array_equal(session.run((ROW,))[0], [[2, 0, 3.5, 8]])


def test_a_model_that_is_not_there(load, tmp_path: Path) -> None:
    with expect("model-missing", match="nothing.tflite"):
        load(tmp_path / "nothing.tflite")


def test_a_damaged_model_never_reaches_the_runtime(load, models: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.tflite"
    path.write_bytes((models / "mixed.tflite").read_bytes()[:400])
    with expect("model-damaged", match="cut.tflite"):
        load(path)


@pytest.mark.parametrize("threads", [1, 2])
def test_threads(load, threads: int) -> None:
    with load("mixed", threads=threads) as session:
        np.testing.assert_allclose(session.run((ROW,))[0], [[4, -2, 4, 40]])
