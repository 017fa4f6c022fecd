"""Runtimes that are missing, old or broken, each told with what would help."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from mlperf_mobile.contracts import Artifact, CompileRequest
from mlperf_mobile.errors import BackendError, ModelError
from mlperf_mobile_backend_snpe.backend import SnpeBackend
from mlperf_mobile_backend_snpe.options import SnpeOptions
from mlperf_mobile_backend_snpe.qnn import executor, litert, onnx_file, runtime
from mlperf_mobile_backend_snpe.qnn.manifest import Tensor
from mlperf_mobile_backend_snpe.qnn.runtime import Runtime

Without = Callable[..., None]


@pytest.mark.parametrize("package", ["onnxruntime", "onnxruntime_qnn"])
def test_without_a_package_the_probe_says_what_to_install(without: Without, package: str) -> None:
    without(package)
    probe = SnpeBackend(SnpeOptions()).probe()
    if not probe.usable:  # SNPE may be installed
        assert package in probe.reason
        assert "mlperf-mobile-backend-snpe[qnn]" in probe.fix
    with pytest.raises(BackendError) as raised:
        runtime.load()
    assert raised.value.code == "no-runtime"


def test_a_machine_with_nothing_is_reported_by_a_separate_process() -> None:
    code = (
        "import sys\n"
        "for name in ('onnxruntime', 'onnxruntime_qnn', 'onnx', 'ai_edge_litert'): sys.modules[name] = None\n"
        "from mlperf_mobile_backend_snpe.backend import SnpeBackend\n"
        "from mlperf_mobile_backend_snpe.options import SnpeOptions\n"
        "probe = SnpeBackend(SnpeOptions()).probe()\n"
        "print(probe.usable, '|', probe.reason, '|', probe.fix)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    usable, reason, fix = done.stdout.strip().split(" | ")
    assert usable == "False"
    assert "onnxruntime" in reason
    assert "pip install" in fix


def test_a_missing_package_is_an_error_of_the_compiler(without: Without, tmp_path: Path) -> None:
    without("onnxruntime_qnn")
    (tmp_path / "m.onnx").write_bytes(b"x")
    with pytest.raises(BackendError) as raised:
        SnpeBackend(SnpeOptions()).compile(CompileRequest(tmp_path / "m.onnx", "htp-simulator", 1, tmp_path))
    assert raised.value.code == "no-runtime"


def fake_modules(monkeypatch: pytest.MonkeyPatch, ort: SimpleNamespace, folder: Path) -> None:
    qnn = SimpleNamespace(
        LIB_DIR_FULL_PATH=str(folder), get_ep_name=lambda: "P", get_library_path=lambda: "/nonexistent/p.so",
        build_and_package_info=SimpleNamespace(qnn_version="2.51.0"),
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "onnxruntime", ort)  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "onnxruntime_qnn", qnn)  # type: ignore[arg-type]


def test_an_old_onnxruntime_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake_modules(monkeypatch, SimpleNamespace(__version__="1.15.0"), tmp_path)
    with pytest.raises(BackendError) as raised:
        runtime.load()
    assert raised.value.code == "runtime-old"
    assert "1.15.0" in raised.value.summary


def test_a_provider_that_does_not_load_is_reported(
    simulator: Runtime, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With ONNX Runtime's own words, of a library that is none."""
    import importlib

    real = importlib.import_module("onnxruntime")
    library = tmp_path / "provider.so"
    library.write_bytes(b"no library")
    with pytest.raises(BackendError) as raised:
        runtime._register(real, "other", str(library))
    assert raised.value.code == "runtime-broken"
    assert "provider.so" in raised.value.summary


def test_a_folder_of_libraries_that_is_not_there_is_reported(simulator: Runtime, tmp_path: Path) -> None:
    probe = SnpeBackend(SnpeOptions.model_validate({"qnn_libraries": str(tmp_path / "none")})).probe()
    assert not probe.usable or "qnn" not in probe.versions
    with pytest.raises(BackendError) as raised:
        runtime.load(tmp_path / "none")
    assert raised.value.code == "no-libraries"


def test_a_probe_never_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(_: object) -> Runtime:
        raise SystemError("C++ says no")

    monkeypatch.setattr(runtime, "load", explode)
    probe = SnpeBackend(SnpeOptions()).probe()
    assert probe.usable or "C++ says no" in probe.reason


def test_the_compiler_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(litert, "find_spec", lambda _: None)
    with pytest.raises(BackendError) as raised:
        litert.find()
    assert raised.value.code == "no-compiler"


def test_the_compiler_is_for_x86_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(litert.platform, "machine", lambda: "aarch64")
    with pytest.raises(BackendError, match="x86-64 Linux") as raised:
        litert.find()
    assert "compile the model there" in raised.value.hint


def device(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *nodes: str) -> Runtime:
    """A runtime on what looks like an aarch64 board with these device files."""
    monkeypatch.setattr(runtime.platform, "machine", lambda: "aarch64")
    monkeypatch.setattr(runtime, "DEVICES", tmp_path)
    for node in nodes:
        (tmp_path / node).touch()
    for name in ("libQnnHtp.so", "libQnnGpu.so"):
        (tmp_path / name).touch()
    return Runtime(None, "P", tmp_path, {"onnxruntime": "1", "qnn": "2"})


@pytest.mark.parametrize(
    ("nodes", "found"),
    [
        ((), ("cpu",)),
        (("fastrpc-cdsp",), ("htp", "cpu")),
        (("adsprpc-smd", "kgsl-3d0"), ("htp", "gpu", "cpu")),
    ],
)
def test_a_device_is_found_by_its_drivers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, nodes: tuple[str, ...], found: tuple[str, ...]
) -> None:
    assert device(monkeypatch, tmp_path, *nodes).accelerators() == found


@pytest.mark.parametrize("before", [None, "/vendor/dsp"])
def test_the_dsp_gets_the_folder_of_its_libraries(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, before: str | None
) -> None:
    device(monkeypatch, tmp_path, "fastrpc-cdsp")
    ort = SimpleNamespace(
        register_execution_provider_library=None, get_ep_devices=lambda: [SimpleNamespace(ep_name="P")]
    )
    fake_modules(monkeypatch, ort, tmp_path)
    monkeypatch.setenv("ADSP_LIBRARY_PATH", before or "")  # so that it is put back
    if before is None:
        monkeypatch.delenv("ADSP_LIBRARY_PATH")
    assert runtime.load().folder == tmp_path
    assert os.environ["ADSP_LIBRARY_PATH"] == (before or str(tmp_path))


def test_a_device_is_no_simulator(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    board = device(monkeypatch, tmp_path, "fastrpc-cdsp")
    monkeypatch.setattr(runtime, "load", lambda _: board)
    probe = SnpeBackend(SnpeOptions()).probe()
    assert probe.accelerators[0] == "htp"
    assert "htp" not in executor.FUNCTIONAL_ONLY
    assert "htp-simulator" not in probe.functional_only


def test_a_machine_with_neither_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    board = device(monkeypatch, tmp_path)
    monkeypatch.setattr(runtime, "load", lambda _: board)
    probe = executor.QnnExecutor(SnpeOptions()).probe()
    assert not probe.usable
    assert "neither a Snapdragon" in probe.reason


def test_a_device_takes_only_binaries_of_its_own_soc(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, onnx: object
) -> None:
    """Whatever SoC the options name."""
    board = device(monkeypatch, tmp_path, "fastrpc-cdsp")
    monkeypatch.setattr(runtime, "load", lambda _: replace(board, versions={"onnxruntime": "1", "qnn": "2.51.0.2"}))
    (tmp_path / "soc_id").write_text("618")
    monkeypatch.setattr(executor.socs, "SYSFS", (tmp_path / "soc_id",))
    (tmp_path / "model.bin").write_bytes(b"v2.51.0.260929181845 soc_type=SM8650;arch=75;")
    tensor = Tensor(name="x", compiled="x", shape=(1,), dtype="float32")
    onnx_file.write_context(tmp_path / "model.onnx", tmp_path / "model.bin", [tensor], [tensor], "2.51.0.2")
    with pytest.raises(BackendError) as raised:
        SnpeBackend(SnpeOptions.model_validate({"soc_model": "SM8650"})).load(Artifact(tmp_path / "model.onnx", "htp"))
    assert raised.value.code == "context-soc"
    assert "not for SM8750" in raised.value.summary


def test_a_device_of_unknown_soc_needs_its_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, models: Path) -> None:
    board = device(monkeypatch, tmp_path, "fastrpc-cdsp")
    monkeypatch.setattr(runtime, "load", lambda _: board)
    monkeypatch.setattr(executor.socs, "SYSFS", ())
    with pytest.raises((BackendError, ModelError)) as raised:
        SnpeBackend(SnpeOptions()).compile(CompileRequest(models / "add.tflite", "htp", 1, tmp_path))
    assert raised.value.code == "unknown-soc"
