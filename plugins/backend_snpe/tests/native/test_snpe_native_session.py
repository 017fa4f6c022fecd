"""Sessions on the stand-in library: numbers, order of calls, and what happens when one fails."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mlperf_mobile.contracts import Artifact, BatchSession, CompileRequest, ReportingSession, Session
from mlperf_mobile.errors import BackendError, MobileError, ModelError
from mlperf_mobile_backend_snpe.native import abi
from mlperf_mobile_backend_snpe.native.backend import NativeExecutor
from mlperf_mobile_backend_snpe.native.options import NativeOptions

Dlc = Callable[..., Path]
Load = Callable[..., Session]
Calls = Callable[[], list[str]]

X = np.array([[1, -2, 0.5, 4]], np.float32)


def test_quantised_tensors_say_step_and_offset(load: Load, quantised: Path) -> None:
    """102, 100, 98, 255 stored with step 0.5 and zero 100 are 1, 0, -1, 77.5; twice that, with step 1 and zero 50."""
    session = load(quantised)
    (x,), (y,) = session.inputs, session.outputs
    assert (x.name, x.shape, x.dtype, x.scale, x.zero_point) == ("x", (1, 4), np.dtype(np.uint8), 0.5, 100)
    assert (y.scale, y.zero_point) == (1.0, 50)
    stored = session.run((np.array([[102, 100, 98, 255]], np.uint8),))[0]
    np.testing.assert_array_equal(stored, [[52, 50, 48, 205]])
    np.testing.assert_array_equal(y.scale * (stored.astype(float) - y.zero_point), [[2, 0, -2, 155]])


def test_snpe_converts_where_float_is_requested(load: Load, quantised: Path) -> None:
    session = load(quantised, input_type="float_32", output_type="float_32")
    assert [spec.scale for spec in (*session.inputs, *session.outputs)] == [0, 0]
    np.testing.assert_array_equal(session.run((X,))[0], [[2, -4, 1, 8]])


def test_uint8_of_a_float_tensor_has_no_quantisation(load: Load) -> None:
    with pytest.raises(BackendError, match="float32, without a quantisation in 8 bits") as caught:
        load(output_type="uint_8")
    assert caught.value.code == "buffer-type"


def test_other_element_types(load: Load, dlc: Dlc) -> None:
    """16-bit quantisation, whole numbers, scalars of rank 0, several inputs and outputs."""
    model = dlc(
        "input a tf16 0.25 1000 2 3",
        "input b int32 0 0 4",
        "output c tf16 0.5 1000 2 3",
        "output d int32 0 0 4",
    )
    session = load(model)
    assert [str(spec) for spec in (*session.inputs, *session.outputs)] == [
        "uint16[2,3]",
        "int32[4]",
        "uint16[2,3]",
        "int32[4]",
    ]
    c, d = session.run((np.full((2, 3), 1008, np.uint16), np.arange(4, dtype=np.int32)))
    np.testing.assert_array_equal(c, np.full((2, 3), 1008))  # 0.25 * 8 = 2, twice that is 0.5 * 8
    np.testing.assert_array_equal(d, [0, 2, 4, 6])


def test_every_element_type_has_its_encoding(load: Load, dlc: Dlc, calls: Calls) -> None:
    """Numbers of Snpe_UserBufferEncoding_ElementType_t in IUserBuffer.h, and the encoding that each is held in."""
    expected = {
        1: ("float32", "Float_Create"),
        2: ("uint8", "Unsigned8Bit_Create"),
        3: ("float16", "FloatN_Create 16"),
        12: ("int32", "IntN_Create 32"),
        13: ("uint32", "UintN_Create 32"),
        14: ("int8", "IntN_Create 8"),
        15: ("uint8", "UintN_Create 8"),
        16: ("int16", "IntN_Create 16"),
        17: ("uint16", "UintN_Create 16"),
        18: ("bool", "Bool_Create 8"),
        19: ("int64", "IntN_Create 64"),
        20: ("uint64", "UintN_Create 64"),
    }
    for number, (dtype, encoding) in expected.items():
        model = dlc("input x float32 0 0 1 4", "output y float32 0 0 1 4", f"type x {number}", name=f"{number}.dlc")
        assert load(model).inputs[0].dtype == np.dtype(dtype)
        assert f"Snpe_UserBufferEncoding{encoding}" in calls()[-60:]


def test_the_order_of_calls(load: Load, calls: Calls, dlc: Dlc) -> None:
    """The builder gets what the options say, in numbers of DlEnums.h, and no run creates or deletes anything."""
    session = load(
        dlc(),
        "htp",
        cpu_fallback=True,
        performance_profile="sustained_high_performance",
        execution_priority="high",
        cpu_fixed_point=True,
        platform_options="unsignedPD:ON",
        output_tensors=["y"],
        log_level="warn",
    )
    said = calls()
    steps = [
        "Snpe_Util_IsRuntimeAvailableCheckOption 2 2",
        "Snpe_Util_IsRuntimeAvailableCheckOption 0 2",
        "Snpe_Util_InitializeLogging 2",
        "Snpe_DlContainer_Open",
        "Snpe_SNPEBuilder_Create",
        "Snpe_RuntimeList_Add 2",
        "Snpe_RuntimeList_Add 0",
        "Snpe_SNPEBuilder_SetRuntimeProcessorOrder",
        "Snpe_SNPEBuilder_SetUseUserSuppliedBuffers 1",
        "Snpe_SNPEBuilder_SetPerformanceProfile 4",
        "Snpe_SNPEBuilder_SetExecutionPriorityHint 1",
        "Snpe_StringList_Append y",
        "Snpe_SNPEBuilder_SetOutputTensors",
        "Snpe_SNPEBuilder_SetCpuFixedPointMode 1",
        "Snpe_PlatformConfig_SetPlatformOptions unsignedPD:ON",
        "Snpe_SNPEBuilder_SetPlatformConfig",
        "Snpe_SNPEBuilder_Build",
        "Snpe_SNPEBuilder_Delete",
        "Snpe_DlContainer_Delete",
        "Snpe_UserBufferEncodingFloat_Create",
        "Snpe_Util_CreateUserBuffer 16",
        "Snpe_UserBufferMap_Add x",
        "Snpe_UserBufferMap_Add y",
    ]
    places = iter(said)
    assert [step for step in steps if step not in places] == []
    session.run((X,))
    session.run((X,))
    assert calls()[len(said) :] == ["Snpe_SNPE_ExecuteUserBuffers"] * 2
    session.__exit__(None, None, None)
    assert calls()[-1] == "Snpe_SNPE_Delete"


def test_outputs_are_the_buffers_themselves(load: Load) -> None:
    """Nothing is copied on the way out, and the arrays outlive the session."""
    session = load()
    kept = session.run
    first, second = kept((X,)), session.run((X + 1,))
    assert first[0] is second[0]
    session.__exit__(None, None, None)
    np.testing.assert_array_equal(second[0], 2 * (X + 1))
    with pytest.raises(BackendError) as caught:
        session.run((X,))
    assert caught.value.code == "session-closed"
    with pytest.raises(BackendError):
        session.placement()
    with pytest.raises(BackendError, match="no handle"):
        kept((X,))


@pytest.mark.parametrize(
    "wrong",
    [(), (X, X), (X[0],), (X[:, :1],), (X.astype(np.float64),), (X.astype(">f4"),), ([1, 2, 3, 4],), (None,), None],
)
def test_what_does_not_fit_is_reported(load: Load, wrong: object) -> None:
    with pytest.raises(BackendError, match=r"model.dlc: (it accepts|input x must be) ") as caught:
        load().run(wrong)  # type: ignore[arg-type]
    assert caught.value.code == "input-mismatch"


def test_a_view_with_strides_fits(load: Load) -> None:
    x = np.arange(8, dtype=np.float32).reshape(1, 8)[:, ::2]
    np.testing.assert_array_equal(load().run((x,))[0], [[0, 4, 8, 12]])


def test_a_batch_of_the_model_and_a_batch_of_snpe(load: Load, dlc: Dlc, calls: Calls) -> None:
    own = dlc("input x float32 0 0 3 4", "output y float32 0 0 3 4", name="own.dlc")
    for model, resized in ((own, False), (dlc(), True)):
        session = load(model, batch=3)
        assert isinstance(session, BatchSession)
        assert session.inputs[0].shape == (1, 4)
        assert ("Snpe_SNPEBuilder_SetInputDimensions" in calls()) == resized
        answers = session.run_batch([(X,), (X + 1,)])
        np.testing.assert_array_equal([answer[0] for answer in answers], [2 * X, 2 * (X + 1)])
        np.testing.assert_array_equal(session.run((X,))[0], 2 * X)
        for samples in ([], [(X,)] * 4):
            with pytest.raises(BackendError, match="accepts 1 to 3 samples"):
                session.run_batch(samples)
        with pytest.raises(BackendError, match="must be float32"):
            session.run_batch([(X,), (X[:, :1],)])


def test_batches_that_cannot_be(load: Load, dlc: Dlc) -> None:
    fixed = dlc("input x float32 0 0 2 4", "output y float32 0 0 2 4")
    loose = dlc("input x float32 0 0 3 4", "output y float32 0 0 4", name="loose.dlc")
    for model in (fixed, loose):
        with pytest.raises(ModelError) as caught:
            load(model, batch=3)
        assert caught.value.code == "model-batch"
    with pytest.raises(BackendError, match="the batch size is 0"):
        load(batch=0)


def test_one_runtime_says_where_it_runs(load: Load, dlc: Dlc) -> None:
    assert load(dlc(), "htp").placement().operations == {"htp": 1}
    assert load(dlc(), "htp", cpu_fallback=True).placement().operations == {"unknown": 1}


def test_what_one_runtime_cannot_run_is_refused(load: Load, dlc: Dlc) -> None:
    model = dlc("input x float32 0 0 1 4", "output y float32 0 0 1 4", "only 0")
    with pytest.raises(ModelError, match="could not be assigned") as caught:
        load(model, "htp")
    assert caught.value.code == "model-unsupported"
    assert "cpu_fallback" in caught.value.hint
    np.testing.assert_array_equal(load(model, "htp", cpu_fallback=True).run((X,))[0], 2 * X)


def test_a_runtime_that_is_not_there(load: Load, dlc: Dlc, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that comes later in the order, which SNPE would pass over."""
    monkeypatch.setenv("SNPE_STAND_IN_RUNTIMES", "2")
    for options in ({"runtime_order": ["dsp", "gpu"]}, {"cpu_fallback": True}):
        with pytest.raises(BackendError, match="is not available here") as caught:
            load(dlc(), "htp", **options)
        assert caught.value.code == "no-accelerator"


def test_outputs_are_chosen(load: Load, dlc: Dlc) -> None:
    model = dlc("input x float32 0 0 1 4", "output y float32 0 0 1 4", "output z float32 0 0 1 4")
    assert [spec.name for spec in load(model).outputs] == ["y", "z"]
    assert [spec.name for spec in load(model, output_tensors=["z"]).outputs] == ["z"]
    assert [spec.name for spec in load(model, output_layers=["z", "y"]).outputs] == ["z", "y"]
    with pytest.raises(BackendError, match="no output w"):
        load(model, output_tensors=["w"])


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        (["input x float32 0 0 1 0", "output y float32 0 0 1 4"], "model-shape"),
        (["input x float32 0 0 99999 99999", "output y float32 0 0 1 4"], "model-shape"),
        (["input x float32 0 0 1 4"], "model-shape"),
        ([f"input x{n} float32 0 0 1 250000000" for n in range(8)] + ["output y float32 0 0 1 4"], "model-shape"),
        (["input x float32 0 0 1 4", "output y float32 0 0 1 4", "type y 99"], "model-tensor"),
        (["input x tf8 0 0 1 4", "output y float32 0 0 1 4"], "model-tensor"),
        (["input x tf8 nan 0 1 4", "output y float32 0 0 1 4"], "model-tensor"),
        (["input x tf8 1 256 1 4", "output y float32 0 0 1 4"], "model-tensor"),
        (["input x tf8 1 18446744073709551615 1 4", "output y float32 0 0 1 4"], "model-tensor"),
        (["nonsense"], "model-refused"),
    ],
)
def test_models_that_cannot_be_run(load: Load, dlc: Dlc, lines: list[str], code: str) -> None:
    with pytest.raises(ModelError) as caught:
        load(dlc(*lines))
    assert caught.value.code == code


def test_a_profile_is_written_and_reported(load: Load, tmp_path: Path, calls: Calls, dlc: Dlc) -> None:
    folder = tmp_path / "profile"
    session = load(dlc(), "cpu", profiling_level="detailed", profiling_directory=str(folder))
    assert "Snpe_SNPEBuilder_SetProfilingLevel 2" in calls()
    assert isinstance(session, ReportingSession)
    assert session.report() == {"runtimes": ["cpu"], "profile": [str(folder / "SNPEDiag_0.log")]}
    session.__exit__(None, None, None)
    assert calls().count("Snpe_IDiagLog_Stop") == 1
    plain = load()
    assert isinstance(plain, ReportingSession)
    assert plain.report() == {"runtimes": ["cpu"]}
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(BackendError, match="cannot create"):
        load(profiling_level="basic", profiling_directory=str(tmp_path / "file"))


def test_platform_options_that_snpe_does_not_know(load: Load) -> None:
    with pytest.raises(BackendError, match="rejects platform_options"):
        load(platform_options="nonsense")


def test_a_cache_is_compiled_and_loaded(
    library: str, dlc: Dlc, request_for: Callable[..., CompileRequest], calls: Calls
) -> None:
    executor = NativeExecutor(NativeOptions(library=library, init_cache=True))
    request = request_for(dlc(), "htp")
    artifact = executor.compile(request)
    assert artifact.path.parent == request.directory
    assert artifact.facts["compiled"] == "init_cache"
    said = calls()
    assert said.index("Snpe_SNPEBuilder_SetInitCacheMode 1") < said.index("Snpe_SNPEBuilder_Build")
    assert said.index("Snpe_SNPEBuilder_Build") < said.index("Snpe_DlContainer_Save")
    with executor.load(artifact) as session:
        np.testing.assert_array_equal(session.run((X,))[0], 2 * X)


def test_a_compiled_model_is_left_alone(library: str, dlc: Dlc, request_for: Callable[..., CompileRequest]) -> None:
    request = request_for(dlc())
    artifact = NativeExecutor(NativeOptions(library=library)).compile(request)
    assert (artifact.path, artifact.accelerator, artifact.batch) == (request.model, "cpu", 1)
    assert artifact.facts["runtimes"] == ["cpu"]
    assert artifact.facts["dlc"] == {"records": 2, "format_version": 4, "converter": "2.45.0"}
    assert not list(request.directory.iterdir())


SILENT = {
    # what these give cannot be wrong, or is not looked at
    *(name for name in abi.REQUIRED if name.endswith("_Delete")),
    "ErrorCode_GetLastErrorString",
    "Util_IsRuntimeAvailable",  # the newer function is asked
    "StringList_Append",
    "UserBufferEncodingTfN_Create",
    "UserBufferEncodingTfN_GetStepExactly0",
    "UserBufferEncodingTfN_GetQuantizedStepSize",
    "IBufferAttributes_GetEncoding_Ref",
    "TensorShape_Rank",  # 0 is the rank of a scalar
    "DlVersion_ToString",
    "SNPE_ExecuteUserBuffers",
}


@pytest.mark.parametrize("name", sorted(set(abi.REQUIRED) - SILENT))
@pytest.mark.parametrize("nth", [1, 2])
def test_any_call_may_fail(
    library: str, dlc: Dlc, monkeypatch: pytest.MonkeyPatch, calls: Calls, name: str, nth: int
) -> None:
    """Each failure is told, and leaves no handle behind (which the library's fixture checks)."""
    model = dlc()
    monkeypatch.setenv("SNPE_STAND_IN_FAIL", f"Snpe_{name}@{nth}=1210")
    try:
        with NativeExecutor(NativeOptions(library=library)).load(Artifact(model, "cpu")):
            pass
    except MobileError as error:
        assert error.hint
    else:
        assert sum(call.split()[0] == f"Snpe_{name}" for call in calls()) < nth


def test_failures_of_quantised_tensors(load: Load, quantised: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("IBufferAttributes_GetEncoding_Ref", "UserBufferEncodingTfN_Create"):
        monkeypatch.setenv("SNPE_STAND_IN_FAIL", f"Snpe_{name}=1210")
        with pytest.raises(BackendError, match=f"Snpe_{name} failed with code 1210: stand-in fault"):
            load(quantised)


@pytest.mark.parametrize(
    ("code", "kind", "told"),
    [
        (301, ModelError, "model-refused"),
        (900, ModelError, "model-unsupported"),
        (1009, ModelError, "model-unsupported"),
        (911, BackendError, "device-lost"),
        (401, BackendError, "driver-failed"),
    ],
)
def test_codes_of_a_build_mean_something(
    load: Load, monkeypatch: pytest.MonkeyPatch, code: int, kind: type[MobileError], told: str
) -> None:
    monkeypatch.setenv("SNPE_STAND_IN_FAIL", f"Snpe_SNPEBuilder_Build={code}")
    with pytest.raises(kind, match=f"Snpe_SNPEBuilder_Build failed with code {code}") as caught:
        load()
    assert caught.value.code == told


def test_a_run_that_fails_is_reported_and_the_next_one_works(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    session = load()
    monkeypatch.setenv("SNPE_STAND_IN_FAIL", "Snpe_SNPE_ExecuteUserBuffers@1=908")
    with pytest.raises(BackendError, match="code 908: stand-in fault") as caught:
        session.run((X,))
    assert caught.value.code == "device-lost"
    np.testing.assert_array_equal(session.run((X,))[0], 2 * X)


@pytest.mark.parametrize(("fault", "code"), [("crash", -signal.SIGSEGV), ("exit", 3)])
def test_a_library_that_takes_the_process_with_it(library: str, dlc: Dlc, fault: str, code: int) -> None:
    """Nothing can be said then; the process that ran it tells how it ended."""
    program = (
        "import sys, numpy\n"
        "from pathlib import Path\n"
        "from mlperf_mobile.contracts import Artifact\n"
        "from mlperf_mobile_backend_snpe.native.backend import NativeExecutor\n"
        "from mlperf_mobile_backend_snpe.native.options import NativeOptions\n"
        "executor = NativeExecutor(NativeOptions(library=sys.argv[1]))\n"
        "session = executor.load(Artifact(Path(sys.argv[2]), 'cpu'))\n"
        "session.run((numpy.zeros((1, 4), numpy.float32),))\n"
    )
    environment = {"SNPE_STAND_IN_FAIL": f"Snpe_SNPE_ExecuteUserBuffers={fault}", "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program, library, str(dlc())], env=environment, check=False)
    assert done.returncode == code
