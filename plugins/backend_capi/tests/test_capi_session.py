from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from mlperf_mobile.contracts import BatchSession, Placement, ReportingSession, TensorSpec
from mlperf_mobile.errors import BackendError, ModelError

ROW = np.array([[1, -2, 0.5, 4]], np.float32)
F32, U8, I32 = np.dtype(np.float32), np.dtype(np.uint8), np.dtype(np.int32)


def expect(code: str, **kwargs: str):
    return pytest.raises((BackendError, ModelError), check=lambda error: error.code == code, **kwargs)


def calls(trace: Path) -> list[str]:
    """What the library was called with, in order; its own notes start with ``=``."""
    return trace.read_text().splitlines()


# ------------------------------------------------------------------------------------------------------ numbers


@pytest.mark.parametrize("dtype", ["float32", "uint8", "int8", "float16", "int32", "int64"])
@pytest.mark.parametrize("batch", [1, 3])
def test_every_type(load, model, dtype: str, batch: int) -> None:
    x = np.array([[1, 2, 3, 50]], dtype)
    with load(model("double", dtype, 4), batch=batch) as session:
        assert session.inputs == (TensorSpec("input0", (1, 4), np.dtype(dtype)),)
        assert session.outputs == (TensorSpec("output0", (1, 4), np.dtype(dtype)),)
        assert session.run((x,))[0].tolist() == [[2, 4, 6, 100]]


@pytest.mark.parametrize("batch", [1, 2])
def test_several_tensors_keep_their_order(load, model, batch: int) -> None:
    with load(model("two", "float32", 3), batch=batch) as session:
        assert [str(spec) for spec in (*session.inputs, *session.outputs)] == ["float32[1,3]", "int32[1,2]"] * 2
        total, count = session.run((np.array([[1, 2, 3]], np.float32), np.array([[-4, 5]], np.int32)))
        assert (total.tolist(), count.tolist()) == ([[2, 4, 6]], [[16, 25]])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(npst.arrays(np.int32, (1, 4), elements=st.integers(-(2**30), 2**30 - 1)))
def test_any_values(load, model, x) -> None:
    with load(model("double", "int32", 4)) as session:
        assert session.run((x,))[0].tolist() == (2 * x).tolist()


def test_outputs_are_views_into_the_librarys_memory(load) -> None:
    with load() as session:
        first = session.run((ROW,))[0]
        assert not first.flags.owndata
        second = session.run((3 * ROW,))[0]
        assert first.ctypes.data == second.ctypes.data
        np.testing.assert_array_equal(second, 6 * ROW)


def test_outputs_that_move(load) -> None:
    """A view is made anew where the library answers with another address."""
    with load(defect="get_output:moves") as session:
        for k in range(1, 20):
            np.testing.assert_array_equal(session.run((k * ROW,))[0], 2 * k * ROW)


@pytest.mark.parametrize("batch", [1, 2])
def test_samples_whose_memory_cannot_be_handed_over(load, batch: int) -> None:
    wide = np.arange(8, dtype=np.float32).reshape(1, 8)
    fixed = ROW.copy()
    fixed.flags.writeable = False
    odd = np.frombuffer(bytes(1) + ROW.tobytes(), np.float32, 4, offset=1).reshape(1, 4)
    assert not odd.flags.aligned
    with load(batch=batch) as session:
        assert session.run((wide[:, ::2],))[0].tolist() == [[0, 4, 8, 12]]
        np.testing.assert_array_equal(session.run((fixed,))[0], 2 * ROW)
        np.testing.assert_array_equal(session.run((odd,))[0], 2 * ROW)
        np.testing.assert_array_equal(session.run((ROW,))[0], 2 * ROW)


def test_shapes_and_quantisation_by_option(load, model) -> None:
    options = {"inputs": "image:1x2x2x3@0.5,10", "outputs": ["1x12@0.25,-1"]}
    with load(model("double", "uint8", 12), **options) as session:
        assert session.inputs == (TensorSpec("image", (1, 2, 2, 3), U8, 0.5, 10),)
        assert session.outputs == (TensorSpec("output0", (1, 12), U8, 0.25, -1),)
        (y,) = session.run((np.arange(12, dtype=np.uint8).reshape(1, 2, 2, 3),))
        assert y.tolist() == [[*range(0, 24, 2)]]


def test_shapes_that_contradict_the_library_leave_it_free(load) -> None:
    with expect("capi-shape", match="the option inputs"):
        load(inputs="1x5")
    with load(inputs="1x2x2") as session:
        assert session.inputs[0].shape == (1, 2, 2)


# -------------------------------------------------------------------------------------------------------- batches


def test_the_padding_of_a_batch_repeats_the_last_sample(load, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    with load(batch=4, custom_settings={"trace": str(trace)}) as session:
        assert isinstance(session, BatchSession)
        answers = session.run_batch([(ROW,), (-ROW,)])
        assert [y.tolist() for (y,) in answers] == [(2 * ROW).tolist(), (-2 * ROW).tolist()]
    query = ["set_input"] * 4 + ["issue_query"] + ["get_output"] * 2 + ["flush_queries"]
    assert [call for call in calls(trace) if call[0] != "="] == ["create", *query, "delete"]


def test_only_a_batch_makes_a_batch_session(load) -> None:
    with load() as session:
        assert not isinstance(session, BatchSession)


@pytest.mark.parametrize("count", [0, 3])
def test_too_many_and_too_few_samples(load, count: int) -> None:
    with load(batch=2) as session:
        with expect("batch-size", match=f"accepts 1 to 2 samples per call, not {count}"):
            session.run_batch([(ROW,)] * count)
        np.testing.assert_array_equal(session.run((ROW,))[0], 2 * ROW)


def test_a_batch_of_none(load) -> None:
    with expect("batch-size", match="the batch size is 0"):
        load(batch=0)


def test_a_batch_that_the_library_refuses(load) -> None:
    with expect("model-refused", match="rejects"):
        load(batch=65)


# ---------------------------------------------------------------------------------- configuration and order of calls


def test_what_the_library_is_given(load, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    own = {"trace": str(trace), "num_threads": 2, "fast": True}
    with load(batch=2, benchmark="image_classification_v2", custom_settings=own, native_lib_path="/vendor/lib"):
        told = [line for line in calls(trace) if line[0] == "="]
    assert told == [
        "= TEST_DSP|test_dsp|HTP|2|/vendor/lib",
        "= of=delegate", "= num_threads=2", "= of=benchmark", f"= trace={trace}", "= fast=true",
    ]  # fmt: skip


def test_the_order_of_calls_is_the_apps(load, tmp_path: Path) -> None:
    """Set, issue, get, flush (``MlperfDriver::IssueQuery`` of mlperf_driver.cc); the flush once outputs were read."""
    trace = tmp_path / "trace"
    with load(custom_settings={"trace": str(trace)}) as session:
        session.run((ROW,))
        assert calls(trace)[-1] == "get_output"
        session.run((ROW,))
    query = ["set_input", "issue_query", "get_output", "flush_queries"]
    assert [call for call in calls(trace) if call[0] != "="] == ["create", *query, *query, "delete"]


@pytest.mark.parametrize("where", ["here", "thread"])
def test_the_first_token_is_reported(load, where: str) -> None:
    """Per query, from whichever thread; the callback outlives the garbage collector."""
    with load(custom_settings={"first_token": where}) as session:
        for _ in range(3):
            session.run((ROW,))
        assert isinstance(session, ReportingSession)
        assert session.report() == {
            "vendor_name": "Written for tests", "name": "test_vendor", "accelerator_name": "npu", "first_tokens": 3,
        }  # fmt: skip


# ---------------------------------------------------------------------------------------- buffers and conversions


@pytest.fixture
def with_buffers(build: Callable[..., Path]) -> Path:
    return build("WITH_BUFFERS")


@pytest.mark.parametrize("batch", [1, 3])
def test_samples_go_into_the_librarys_buffers(load, model, with_buffers: Path, tmp_path: Path, batch: int) -> None:
    trace = tmp_path / "trace"
    own = {"buffers": "only", "trace": str(trace)}
    with load(model("two", "float32", 3), batch, library=with_buffers, custom_settings=own) as session:
        a, b = np.array([[1, 2, 3]], np.float32), np.array([[-4, 5]], np.int32)
        for k in (1, 2):
            total, count = session.run((k * a, k * b))
            assert (total.tolist(), count.tolist()) == ((2 * k * a).tolist(), ((k * b) ** 2).tolist())
    assert calls(trace).count("get_buffer") == calls(trace).count("release_buffer") == 2 * batch
    assert calls(trace)[-1] == "delete"


def test_the_librarys_buffers_can_be_left_alone(load, with_buffers: Path) -> None:
    options = {"library": with_buffers, "library_buffers": False, "custom_settings": {"buffers": "only"}}
    with load(**options) as session, expect("capi-failed", match="set_input failed with status 6"):
        session.run((ROW,))


def test_a_library_without_memory(load, with_buffers: Path) -> None:
    with expect("capi-buffer", match="get_buffer did not allocate 16 bytes"):
        load(library=with_buffers, defect="get_buffer:null")
    with load(library=with_buffers) as session:
        np.testing.assert_array_equal(session.run((ROW,))[0], 2 * ROW)


PIXELS = np.arange(12, dtype=np.uint8).reshape(1, 2, 2, 3)
SWAPPED = PIXELS[..., ::-1]
IMAGE = {"inputs": "1x2x2x3", "outputs": "1x2x2x3"}


@pytest.mark.parametrize("definitions", [("WITH_CONVERSION",), ("WITH_CONVERSION", "WITH_BUFFERS")])
@pytest.mark.parametrize("batch", [1, 2])
def test_images_are_converted(
    load, model, build: Callable[..., Path], definitions: tuple[str, ...], batch: int
) -> None:
    """The test library changes red and blue; the sample itself stays as it was."""
    x = PIXELS.copy()
    with load(model("double", "uint8", 12), batch, library=build(*definitions), **IMAGE) as session:
        for _ in range(2):
            assert session.run((x,))[0].tolist() == (2 * SWAPPED).tolist()
    assert x.tolist() == PIXELS.tolist()


def test_what_is_no_image_is_not_converted(load, model, build: Callable[..., Path]) -> None:
    with load(model("double", "uint8", 12), library=build("WITH_CONVERSION")) as session:
        assert session.run((PIXELS.reshape(1, 12),))[0].tolist() == (2 * PIXELS.reshape(1, 12)).tolist()


def test_output_images_are_converted_if_requested(load, model, build: Callable[..., Path]) -> None:
    options = {"library": build("WITH_CONVERSION"), **IMAGE, "inputs": "1x12", "convert_outputs": True}
    with load(model("double", "uint8", 12), **options) as session:
        for _ in range(2):
            assert session.run((PIXELS.reshape(1, 12),))[0].tolist() == (2 * SWAPPED).tolist()


def test_output_conversion_that_cannot_be(load, model, build: Callable[..., Path]) -> None:
    with expect("capi-convert", match=r"convert_outputs needs one output uint8\[1,height,width,3\]"):
        load(library=build("WITH_CONVERSION"), convert_outputs=True)
    with expect("capi-symbol", match="has no function mlperf_backend_convert_outputs"):
        load(model("double", "uint8", 12), **IMAGE, convert_outputs=True)
    with load() as session:
        session.run((ROW,))


# ------------------------------------------------------------------------------------------------------ placement


@pytest.mark.parametrize(
    ("claim", "operations"),
    [
        ("Hexagon DSP", {"npu": 1}),
        ("GPU", {"gpu": 1}),
        ("CPU", {"cpu": 1}),
        ("cpu&gpu", {"gpu": 1, "cpu": 1}),
        ("Thing", {"unknown": 1}),
    ],
)
def test_the_placement_is_the_librarys_claim(load, claim: str, operations: dict[str, int]) -> None:
    """What was asked for does not matter: npu."""
    with load(custom_settings={"claims": claim}) as session:
        names = {kind: {f"the library says {claim!r}": 1} for kind in operations}
        assert session.placement() == Placement(operations, names=names)


def test_a_claim_that_is_kept_in_the_configuration(load) -> None:
    """The library answers with a pointer into what it was created with."""
    with load(benchmark="image_classification_v2") as session:
        assert session.placement().names == {"npu": {"the library says 'HTP'": 1}}


# --------------------------------------------------------------------------------------- one session at a time


def test_a_second_session_is_refused(load) -> None:
    with load() as session:
        with expect("capi-busy", match="hold one at a time"):
            load()
        np.testing.assert_array_equal(session.run((ROW,))[0], 2 * ROW)
    with load():
        pass


def test_of_several_threads_one_gets_the_library(load, model) -> None:
    got: list[object] = []
    path = model()  # before the threads, which would write the file while others read it
    lock = threading.Barrier(4)

    def work() -> None:
        lock.wait()
        try:
            got.append(load(path))
        except BackendError as error:
            got.append(error.code)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (session,) = [one for one in got if not isinstance(one, str)]
    assert got.count("capi-busy") == 3
    session.__exit__()  # type: ignore[attr-defined]


@pytest.mark.parametrize("batch", [1, 2])
def test_a_closed_session(load, batch: int) -> None:
    with load(batch=batch) as session:
        kept = session.run
        kept((ROW,))
    session.__exit__(None, None, None)
    uses = [lambda: session.run((ROW,)), lambda: kept((ROW,)), session.placement]
    if batch > 1:
        uses.append(lambda: session.run_batch([(ROW,)]))
    for use in uses:
        with expect("session-closed"):
            use()


# ---------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        ((np.zeros((1, 5), np.float32),), r"input input0 must be float32\[1,4\], not float32\[1,5\]"),
        ((np.zeros(4, np.float32),), r"not float32\[4\]"),
        ((np.zeros((1, 4), np.float64),), r"not float64\[1,4\]"),
        ((np.zeros((1, 4), ">f4"),), "not >f4"),
        (([[1.0, 2.0, 3.0, 4.0]],), "not list"),
        ((), "accepts 1 input tensors, not 0"),
        ((ROW, ROW), "accepts 1 input tensors, not 2"),
        (None, "accepts 1 input tensors, not NoneType"),
    ],
)
@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("definitions", [(), ("WITH_BUFFERS",)])
def test_inputs_that_do_not_fit(
    load, build, inputs: object, says: str, batch: int, definitions: tuple[str, ...]
) -> None:
    with load(batch=batch, library=build(*definitions)) as session:
        with expect("input-mismatch", match=says):
            session.run(inputs)
        np.testing.assert_array_equal(session.run((ROW,))[0], ROW * 2)


def test_one_of_several_inputs_is_missing(load, model) -> None:
    with load(model("two", "float32", 3)) as session, expect("input-mismatch", match="accepts 2 input tensors, not 1"):
        session.run((np.zeros((1, 3), np.float32),))


# --------------------------------------------------------------------------------- libraries that break the contract


@pytest.mark.parametrize(
    ("defect", "code", "says"),
    [
        ("create:null", "model-refused", "libtest.so rejects .*double_float32_4.bin"),
        ("inputs:-1", "capi-tensor", "mlperf_backend_get_input_count reports -1 inputs"),
        ("inputs:0", "capi-tensor", "get_input_count reports 0 inputs"),
        ("inputs:many", "capi-tensor", "get_input_count reports 1073741824 inputs"),
        ("outputs:0", "capi-tensor", "get_output_count reports 0 outputs"),
        ("input:type", "capi-tensor", "get_input_type reports the type 99 for input 0"),
        ("output:type", "capi-tensor", "get_output_type reports the type -1 for output 0"),
        ("input:negative", "capi-tensor", "get_input_type reports -4 elements for input 0"),
        ("input:huge", "capi-tensor", "get_input_type reports 9223372036854775807 elements for input 0"),
    ],
)
def test_a_library_that_cannot_be_loaded(load, defect: str, code: str, says: str) -> None:
    with expect(code, match=says):
        load(defect=defect)
    with load() as session:  # the instance was deleted, and the library is free
        np.testing.assert_array_equal(session.run((ROW,))[0], 2 * ROW)


@pytest.mark.parametrize("function", ["set_input", "issue_query", "get_output"])
@pytest.mark.parametrize("batch", [1, 2])
def test_a_call_that_fails(load, function: str, batch: int) -> None:
    says = rf"libtest.so: mlperf_backend_{function} failed with status 1 \(double_float32_4.bin\)"
    with load(defect=f"{function}:fail", batch=batch) as session, expect("capi-failed", match=says):
        session.run((ROW,))
    with load() as session:
        session.run((ROW,))


def test_a_flush_that_fails(load) -> None:
    """It ends the next run, or the session."""
    with load(defect="flush_queries:fail") as session:
        session.run((ROW,))
        with expect("capi-failed", match="flush_queries failed"):
            session.run((ROW,))
    session = load(defect="flush_queries:fail")
    session.run((ROW,))
    with expect("capi-failed", match="flush_queries failed"):
        session.__exit__(None, None, None)
    with load():
        pass


def test_an_output_that_is_nowhere(load) -> None:
    with (
        load(defect="get_output:null") as session,
        expect("capi-output", match="get_output returned NULL for output 0"),
    ):
        session.run((ROW,))


def test_invalid_names(load) -> None:
    with load(defect="vendor_name:null") as session:
        assert session.report()["vendor_name"] == "unknown"
    with load(defect="name:letters") as session:
        assert session.report()["name"] == "��"


# ---------------------------------------------------------------------------------------------------------- models


def test_a_model_that_is_not_there(load, tmp_path: Path) -> None:
    with expect("model-missing", match="absent.bin"):
        load(tmp_path / "absent.bin")


def test_shapes_of_a_tflite_model(load, tmp_path: Path) -> None:
    """The library still has the last word on sizes; a damaged file never reaches it."""
    pytest.importorskip("mlperf_mobile_tflite_model")
    (tmp_path / "damaged.tflite").write_bytes(b"\x1c\0\0\0TFL3" + bytes(20))
    with expect("model-damaged", match="damaged.tflite"):
        load(tmp_path / "damaged.tflite")
