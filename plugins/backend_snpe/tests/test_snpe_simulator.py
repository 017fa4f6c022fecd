"""What the simulator computes, and that nothing runs elsewhere in silence."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlperf_mobile.contracts import Artifact, BatchSession, CompileRequest, ReportingSession, Session, TensorSpec
from mlperf_mobile.errors import BackendError, ModelError
from mlperf_mobile_backend_snpe.backend import SnpeBackend
from mlperf_mobile_backend_snpe.options import SnpeOptions
from mlperf_mobile_backend_snpe.qnn import runtime
from mlperf_mobile_backend_snpe.qnn.runtime import Runtime

Make = Callable[[str], Path]
Compile = Callable[..., tuple[SnpeBackend, Artifact]]
Load = Callable[..., Session]


def spec(name: str, shape: tuple[int, ...], dtype: str, scale: float = 0.0, zero_point: int = 0) -> TensorSpec:
    return TensorSpec(name, shape, np.dtype(dtype), scale, zero_point)


def test_the_probe_names_the_simulator_as_one(simulator: Runtime) -> None:
    probe = SnpeBackend(SnpeOptions.model_validate({"soc_model": "SM8650"})).probe()
    assert probe.usable
    assert probe.accelerators == ("htp-simulator", "cpu")
    assert "CPU" in probe.functional_only["htp-simulator"]
    assert "htp" not in probe.accelerators
    (device, cpu) = probe.devices
    assert device.name == "simulator of SM8650"
    assert (device.facts["soc_model"], device.facts["htp_arch"]) == (57, 75)
    assert cpu.accelerator == "cpu"


@pytest.mark.parametrize("form", ["onnx", "tflite"])
def test_a_host_compiles_for_an_htp_that_is_not_here(
    form: str, compiler: None, models: Path, make_onnx: Make, compile_model: Compile
) -> None:
    model = models / "add.tflite" if form == "tflite" else make_onnx("add")
    with pytest.raises(BackendError) as raised:
        compile_model(model, "htp")
    assert raised.value.code == "unknown-soc"
    backend, artifact = compile_model(model, "htp", soc_model="SM8650")
    assert artifact.facts["operations"] == {"htp": 1}
    with pytest.raises(BackendError) as raised:
        backend.load(artifact)
    assert raised.value.code == "no-accelerator"
    assert "htp-simulator" in raised.value.hint


def test_a_compiled_model_that_was_carried_elsewhere_is_as_its_source(
    compiler: None, models: Path, compile_model: Compile, load: Load, tmp_path: Path
) -> None:
    _, artifact = compile_model(models / "quantized.tflite", "htp", soc_model="SM8650")
    place = shutil.move(artifact.path.parent, tmp_path / "carried")
    with load(Path(place) / artifact.path.name, soc_model="SM8650") as session:
        assert session.inputs == (spec("x", (1, 4), "uint8", 0.5, 10),)
        assert session.placement().names == {"htp-simulator": {"QUANTIZE": 1}}


def test_a_quantized_onnx_model_keeps_its_scales(simulator: Runtime, make_onnx: Make, load: Load) -> None:
    with load(make_onnx("quantized")) as session:
        assert session.inputs == (spec("x", (1, 4), "uint8", 0.5, 10),)
        assert session.outputs == (spec("y", (1, 4), "uint8", 0.5, 20),)
        x = np.array([[0, 10, 12, 110]], np.uint8)
        np.testing.assert_array_equal(session.run((x,))[0], [[20, 20, 22, 120]])  # max(x - 10, 0) + 20
        assert set(session.placement().operations) == {"htp-simulator"}


def test_a_quantized_tflite_model_keeps_its_scales(compiler: None, models: Path, load: Load) -> None:
    with load(models / "quantized.tflite") as session:
        assert session.inputs == (spec("x", (1, 4), "uint8", 0.5, 10),)
        assert session.outputs == (spec("y", (1, 4), "int8", 0.5, -118),)
        x = np.array([[0, 10, 128, 255]], np.uint8)
        np.testing.assert_array_equal(session.run((x,))[0], [[-128, -118, 0, 127]])
        assert session.placement().names == {"htp-simulator": {"QUANTIZE": 1}}


def test_several_inputs_and_outputs_keep_their_order(compiler: None, models: Path, load: Load) -> None:
    with load(models / "two.tflite") as session:
        assert [each.name for each in session.inputs] == ["p", "q"]
        assert [each.name for each in session.outputs] == ["total", "count"]
        total, count = session.run((np.array([[1, 2, 3]], np.float32), np.array([[3, -4]], np.int32)))
        np.testing.assert_allclose(total, [[2, 4, 6]], rtol=1e-2)
        np.testing.assert_array_equal(count, [[9, 16]])


@pytest.mark.parametrize("form", ["onnx", "tflite"])
def test_binaries_differ_by_soc_and_say_so(
    form: str, compiler: None, models: Path, make_onnx: Make, compile_model: Compile
) -> None:
    model = models / "add.tflite" if form == "tflite" else make_onnx("add")
    binaries = []
    for soc, arch in (("SM8650", 75), ("SM8750", 79)):
        _, artifact = compile_model(model, soc_model=soc)
        assert (artifact.facts["soc"], artifact.facts["htp_arch"]) == (soc, arch)
        assert artifact.facts["operations"] == {"htp-simulator": 1}
        json.dumps(artifact.facts)
        (binary,) = artifact.path.parent.glob("*.bin")
        binaries.append(binary.read_bytes())
        assert f"soc_type={soc};arch={arch};".encode() in binaries[-1]
    assert binaries[0] != binaries[1]


def test_the_stand_in_is_reported(compiler: None, models: Path, compile_model: Compile) -> None:
    _, artifact = compile_model(models / "add.tflite")
    assert "empty stand-in" in artifact.facts["stand_ins"]["libQnnLpai.so"]


def test_what_the_htp_cannot_run_is_an_error_that_names_it(
    simulator: Runtime, make_onnx: Make, compile_model: Compile
) -> None:
    with pytest.raises(ModelError) as raised:
        compile_model(make_onnx("mixed"))
    assert raised.value.code == "unsupported-operations"
    assert "Det" in raised.value.summary
    assert "partial=true" in raised.value.hint


def test_a_requested_split_is_shown(simulator: Runtime, make_onnx: Make, load: Load) -> None:
    with load(make_onnx("mixed"), partial=True) as session:
        placement = session.placement()
        assert placement.operations == {"htp-simulator": 3, "cpu": 1}
        assert placement.names == {"htp-simulator": {"Add": 1, "Reshape": 1, "Mul": 1}, "cpu": {"Det": 1}}
        y, d = session.run((np.array([[1, 2, 3, 5]], np.float32),))
        np.testing.assert_allclose(y, [[4, 16, 36, 100]], rtol=1e-2)
        np.testing.assert_allclose(d, [-4], rtol=1e-2)  # 2 · 10 - 4 · 6


def test_a_tflite_operation_that_is_unknown_is_named(compiler: None, models: Path, compile_model: Compile) -> None:
    with pytest.raises(ModelError) as raised:
        compile_model(models / "custom.tflite")
    assert raised.value.code == "unsupported-operations"
    assert "1 operations" in raised.value.summary


def test_text_is_no_tensor(compiler: None, models: Path, compile_model: Compile) -> None:
    with pytest.raises(ModelError) as raised:
        compile_model(models / "text.tflite")
    assert raised.value.code == "model-tensor"


@pytest.mark.parametrize("partial", [False, True])
def test_silence_about_a_missing_library_is_broken(
    simulator: Runtime, make_onnx: Make, compile_model: Compile, monkeypatch: pytest.MonkeyPatch, partial: bool
) -> None:
    """ONNX Runtime would run everything on the CPU, and still list the QNN provider."""
    monkeypatch.setattr(Runtime, "accelerators", lambda _: ("htp-simulator",))
    monkeypatch.setattr(Runtime, "library", lambda *_: Path("/nonexistent/libQnnHtp.so"))
    with pytest.raises(BackendError) as raised:
        compile_model(make_onnx("add"), partial=partial)
    assert raised.value.code == "nothing-offloaded"
    assert "Add would run on the CPU" in raised.value.summary


def test_loading_without_the_library_falls_back_to_nothing(
    simulator: Runtime, make_onnx: Make, compile_model: Compile, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend, _ = compile_model(make_onnx("add"))
    plain = Artifact(make_onnx("add"), "htp-simulator")
    monkeypatch.setattr(Runtime, "accelerators", lambda _: ("htp-simulator",))
    monkeypatch.setattr(Runtime, "library", lambda *_: Path("/nonexistent/libQnnHtp.so"))
    with pytest.raises(BackendError) as raised:
        backend.load(plain)
    assert raised.value.code == "fallback-refused"


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[: len(data) // 2],
        lambda data: bytes(len(data)),
        lambda data: data[:-1] + b"?",
    ],
    ids=["empty", "half", "zeros", "one byte"],
)
def test_a_corrupt_context_binary_never_reaches_the_sdk(
    simulator: Runtime, make_onnx: Make, compile_model: Compile, damage: Callable[[bytes], bytes]
) -> None:
    backend, artifact = compile_model(make_onnx("add"))
    (binary,) = artifact.path.parent.glob("*.bin")
    binary.write_bytes(damage(binary.read_bytes()))
    with pytest.raises(ModelError) as raised:
        backend.load(artifact)
    assert raised.value.code == "context-damaged"


def as_the_users_own(artifact: Artifact, change: Callable[[bytes], bytes]) -> Path:
    """The context model as one from elsewhere: without the manifest, and with a changed binary."""
    artifact.path.with_name("manifest.json").unlink()
    (binary,) = artifact.path.parent.glob("*.bin")
    binary.write_bytes(change(binary.read_bytes()))
    return artifact.path


def test_a_context_binary_of_the_users_own_runs(simulator: Runtime, make_onnx: Make, compile_model: Compile) -> None:
    _, artifact = compile_model(make_onnx("add"))
    path = as_the_users_own(artifact, lambda data: data)
    backend, again = compile_model(path)
    assert (again.path, again.facts["soc"]) == (path, "SM8750")
    with backend.load(again) as session:
        np.testing.assert_allclose(session.run((np.ones((1, 4), np.float32),))[0], [[2, 2, 2, 2]], rtol=1e-2)
        assert session.placement().names == {"htp-simulator": {"EPContext": 1}}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda data: data.replace(b"v2.51.", b"v2.99."), "context-version"),
        (lambda data: data.replace(b"soc_type=SM8750;arch=79", b"soc_type=SM8650;arch=75"), "context-soc"),
        (lambda data: bytes(len(data)), "context-damaged"),
        (lambda data: b"", "context-damaged"),
    ],
    ids=["newer", "other SoC", "zeros", "empty"],
)
def test_a_context_binary_that_does_not_fit_is_refused(
    simulator: Runtime, make_onnx: Make, compile_model: Compile, change: Callable[[bytes], bytes], code: str
) -> None:
    """The simulator itself would run the first two without a word."""
    backend, artifact = compile_model(make_onnx("add"))
    path = as_the_users_own(artifact, change)
    for refuse in (lambda: compile_model(path), lambda: backend.load(Artifact(path, "htp-simulator"))):
        with pytest.raises((BackendError, ModelError)) as raised:
            refuse()
        assert raised.value.code == code


def test_a_model_compiled_for_another_soc_is_refused(compiler: None, models: Path, compile_model: Compile) -> None:
    _, artifact = compile_model(models / "add.tflite", soc_model="SM8650")
    with pytest.raises(BackendError) as raised:
        SnpeBackend(SnpeOptions.model_validate({"soc_model": "SM8750"})).load(artifact)
    assert raised.value.code == "context-soc"
    assert "soc_model=SM8650" in raised.value.hint


SCRAMBLE = """
import sys
from pathlib import Path
import numpy as np
from mlperf_mobile.contracts import Artifact
from mlperf_mobile.errors import MobileError
from mlperf_mobile_backend_snpe.backend import SnpeBackend
from mlperf_mobile_backend_snpe.options import SnpeOptions
path, random = Path(sys.argv[1]), np.random.default_rng(1)
(binary,) = path.parent.glob("*.bin")
data = binary.read_bytes()
for _ in range(5):
    scrambled = bytearray(data)
    for place in random.integers(0, 2000, 300):
        scrambled[place] = random.integers(0, 256)
    binary.write_bytes(scrambled)
    try:
        SnpeBackend(SnpeOptions()).load(Artifact(path, "htp-simulator"))
    except MobileError as error:
        print(error.code)
"""


def test_scrambled_binaries_are_errors(simulator: Runtime, make_onnx: Make, compile_model: Compile) -> None:
    """Bytes of the user's own, some of which still tell a build and a SoC; in a process that QNN may end."""
    _, artifact = compile_model(make_onnx("add"))
    path = as_the_users_own(artifact, lambda data: data)
    done = subprocess.run([sys.executable, "-c", SCRAMBLE, str(path)], capture_output=True, text=True, check=False)
    codes = [line for line in done.stdout.splitlines() if "LIBNATIVE" not in line]
    assert done.returncode == 0, done.stderr
    assert len(codes) == 5
    assert set(codes) <= {"context-damaged", "model-refused"}


def test_the_profile_is_in_the_report(simulator: Runtime, make_onnx: Make, load: Load, tmp_path: Path) -> None:
    folder = tmp_path / "profiles"
    with load(make_onnx("add"), profiling_level="detailed", profiling_folder=str(folder)) as session:
        for _ in range(3):
            session.run((np.ones((1, 4), np.float32),))
        assert isinstance(session, ReportingSession)
        told = session.report()["profile"]
    json.dumps(told)
    assert told["phases"]["QNN (execute) time"]["count"] == 3
    assert any(each["node"].startswith("add") and each["unit"] == "cycles" for each in told["nodes"])
    assert sum(each["share"] for each in told["nodes"]) == pytest.approx(1, abs=0.01)
    assert [path.name for path in folder.glob("*/profile.csv")] == ["profile.csv"]


@pytest.mark.parametrize("form", ["onnx", "tflite"])
def test_a_trace_leaves_nothing_in_the_current_folder(
    form: str,
    compiler: None,
    models: Path,
    make_onnx: Make,
    load: Load,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = models / "add.tflite" if form == "tflite" else make_onnx("add")
    here, folder = tmp_path / "here", tmp_path / "profiles"
    here.mkdir()
    monkeypatch.chdir(here)
    with load(model, profiling_level="optrace", profiling_folder=str(folder)) as session:
        session.run((np.ones((1, 4), np.float32),))
        assert isinstance(session, ReportingSession)
        assert session.report()["profile"]["node_count"] >= 1
    assert list(here.iterdir()) == []
    assert len(list(folder.glob("*schematic.bin"))) == (form == "tflite")


def test_the_compilers_phases_are_facts(simulator: Runtime, make_onnx: Make, compile_model: Compile) -> None:
    _, artifact = compile_model(make_onnx("add"), profiling_level="detailed")
    phases = artifact.facts["profile"]["phases"]
    assert phases["QNN (finalize) time"]["total"] >= phases["Graph Optimizations"]["total"] > 0


def test_a_profile_needs_a_folder_that_can_be_made(simulator: Runtime, make_onnx: Make, load: Load) -> None:
    with pytest.raises(BackendError) as raised:
        load(make_onnx("add"), profiling_level="basic", profiling_folder="/proc/nowhere")
    assert raised.value.code == "profiling-folder"


def test_a_profile_nobody_keeps_goes(simulator: Runtime, make_onnx: Make, load: Load) -> None:
    with load(make_onnx("add"), profiling_level="basic") as session:
        session.run((np.ones((1, 4), np.float32),))
        scratch = session._loaded.scratch  # type: ignore[attr-defined]
        assert scratch.is_dir()
    assert not scratch.exists()


def test_without_a_profile_there_is_nothing_to_report(simulator: Runtime, make_onnx: Make, load: Load) -> None:
    with load(make_onnx("add")) as session:
        assert isinstance(session, ReportingSession)
        assert session.report() == {}


@pytest.mark.parametrize("form", ["onnx", "tflite"])
def test_the_cpu_takes_the_same_models(form: str, compiler: None, models: Path, make_onnx: Make, load: Load) -> None:
    model = models / "add.tflite" if form == "tflite" else make_onnx("add")
    with load(model, "cpu") as session, load(model) as other:
        assert session.inputs == other.inputs
        assert session.outputs == other.outputs
        assert session.placement().operations == {"cpu": 1}
        np.testing.assert_array_equal(session.run((np.ones((1, 4), np.float32),))[0], [[2, 2, 2, 2]])


def test_a_batch_has_a_slot_for_each_sample(simulator: Runtime, make_onnx: Make, load: Load) -> None:
    with load(make_onnx("open"), batch=4) as session:
        assert isinstance(session, BatchSession)
        assert session.inputs == (spec("x", (1, 4), "float32"),)
        with pytest.raises(BackendError) as raised:
            session.run_batch([(np.ones((1, 4), np.float32),)] * 5)
        assert raised.value.code == "batch-size"
        with pytest.raises(BackendError) as raised:
            session.run_batch([(np.ones((1, 4), np.float32),), (np.ones((1, 1), np.float32),)])
        assert raised.value.code == "input-mismatch"


def test_a_tflite_model_takes_no_batch(compiler: None, models: Path, compile_model: Compile) -> None:
    with pytest.raises(ModelError) as raised:
        compile_model(models / "add.tflite", batch=2)
    assert raised.value.code == "model-batch"


@pytest.mark.parametrize("form", ["dlc2", "bin"])
def test_other_formats_are_refused(simulator: Runtime, tmp_path: Path, compile_model: Compile, form: str) -> None:
    (tmp_path / f"m.{form}").write_bytes(b"x")
    with pytest.raises(ModelError) as raised:
        compile_model(tmp_path / f"m.{form}")
    assert raised.value.code == "model-format"


def test_a_closed_session_says_so(simulator: Runtime, make_onnx: Make, load: Load) -> None:
    with load(make_onnx("add")) as session:
        pass
    with pytest.raises(BackendError) as raised:
        session.run((np.ones((1, 4), np.float32),))
    assert raised.value.code == "session-closed"


@pytest.mark.parametrize("wrong", [(), (1,), None, ("text",), (np.ones((1, 4), np.float32),) * 2])
def test_what_is_no_sample_is_refused(simulator: Runtime, make_onnx: Make, load: Load, wrong: Any) -> None:
    with load(make_onnx("add")) as session, pytest.raises(BackendError) as raised:
        session.run(wrong)
    assert raised.value.code == "input-mismatch"


def test_progress_is_reported(simulator: Runtime, make_onnx: Make, tmp_path: Path) -> None:
    told: list[str] = []
    SnpeBackend(SnpeOptions()).compile(
        CompileRequest(make_onnx("add"), "htp-simulator", 1, tmp_path, report=told.append)
    )
    assert told == [f"compiling for SM8750 with {runtime.load()}"]
