from __future__ import annotations

import sys
import types
from importlib import import_module, metadata
from pathlib import Path

import numpy as np
import pytest

from mlperf_mobile.contracts import Artifact
from mlperf_mobile.errors import BackendError
from mlperf_mobile_backend_tflite import runtime
from mlperf_mobile_backend_tflite.backend import TFLiteBackend
from mlperf_mobile_backend_tflite.options import TFLiteOptions
from mlperf_mobile_backend_tflite.probe_model import ADD


def fake(monkeypatch, interpreter: object, name: str = "litert") -> None:
    """Put a stand-in where the runtime ``name`` would be."""
    module = types.ModuleType("a_fake_runtime")
    module.Interpreter = interpreter
    module.OpResolverType = types.SimpleNamespace(BUILTIN=1, BUILTIN_WITHOUT_DEFAULT_DELEGATES=3)
    monkeypatch.setitem(sys.modules, "a_fake_runtime", module)
    monkeypatch.setattr(runtime, "KNOWN", {name: ("a_fake_runtime", "a-fake-distribution")})


class Broken:
    """As tflite-runtime 2.14 is under numpy 2: importable, and of no use."""

    def __init__(self, **_: object) -> None:
        raise SystemError("returned a result with an exception set")


class Wrong:
    """An interpreter that computes 1 + 1 = 3."""

    def __init__(self, **_: object) -> None: ...
    def allocate_tensors(self) -> None: ...
    def invoke(self) -> None: ...
    def set_tensor(self, *_: object) -> None: ...
    def get_input_details(self) -> list[dict[str, int]]:
        return [{"index": 0}]

    get_output_details = get_input_details

    def tensor(self, _: int):
        return lambda: np.full((1, 4), 3, np.float32)


def test_the_installed_runtime_is_found_and_works() -> None:
    probe = TFLiteBackend(TFLiteOptions()).probe()
    name, distribution = (
        ("litert", "ai-edge-litert") if runtime.load().name == "litert" else ("tflite-runtime", "tflite-runtime")
    )
    version = metadata.version(distribution)
    assert probe.usable
    assert probe.versions == {name: version}
    assert probe.runtime == f"{name} {version}"
    assert probe.accelerators == ("cpu",)
    assert (probe.reason, probe.fix) == ("", "")


def test_the_probes_model_is_the_one_that_is_tested(models: Path) -> None:
    assert (models / "add.tflite").read_bytes() == ADD


def test_litert_comes_first(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "a_fake_runtime", types.ModuleType("a_fake_runtime"))
    for module, _ in runtime.KNOWN.values():
        monkeypatch.setitem(sys.modules, module, types.ModuleType(module))
    assert runtime.load().name == "litert"
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    assert runtime.load().name == "tflite-runtime"
    assert runtime.load("tflite-runtime").name == "tflite-runtime"


def test_no_runtime_at_all(monkeypatch) -> None:
    for module, _ in runtime.KNOWN.values():
        monkeypatch.setitem(sys.modules, module, None)
    probe = TFLiteBackend(TFLiteOptions()).probe()
    assert not probe.usable
    assert "ai_edge_litert" in probe.reason
    assert "tflite_runtime" in probe.reason
    assert probe.fix == "pip install 'mlperf-mobile-backend-tflite[litert]'"
    with pytest.raises(BackendError) as error:
        runtime.load()
    assert error.value.code == "no-runtime"


@pytest.mark.parametrize(("name", "distribution"), [("litert", "ai-edge-litert"), ("tflite-runtime", "tflite-runtime")])
def test_the_requested_runtime_is_missing(monkeypatch, name: str, distribution: str) -> None:
    monkeypatch.setitem(sys.modules, runtime.KNOWN[name][0], None)
    probe = TFLiteBackend(TFLiteOptions.model_validate({"runtime": name})).probe()
    assert not probe.usable
    assert name in probe.reason
    assert probe.fix == f"pip install {distribution}"


def test_a_runtime_compiled_for_another_numpy(monkeypatch, models: Path) -> None:
    fake(monkeypatch, Broken, "tflite-runtime")
    monkeypatch.setattr(np, "__version__", "2.4.6")
    probe = TFLiteBackend(TFLiteOptions()).probe()
    assert not probe.usable
    assert "numpy 2.4.6" in probe.reason
    assert probe.fix.startswith("pip install 'numpy<2'")
    assert probe.runtime == "tflite-runtime unknown"
    with pytest.raises(BackendError, match=r"numpy 2\.4\.6") as error:
        TFLiteBackend(TFLiteOptions()).load(Artifact(models / "add.tflite", "cpu"))
    assert error.value.code == "runtime-broken"


def test_a_runtime_that_fails_otherwise(monkeypatch) -> None:
    fake(monkeypatch, Broken)
    probe = TFLiteBackend(TFLiteOptions()).probe()
    assert not probe.usable
    assert "SystemError: returned a result" in probe.reason
    assert probe.fix


def test_a_runtime_that_computes_wrongly(monkeypatch) -> None:
    fake(monkeypatch, Wrong)
    probe = TFLiteBackend(TFLiteOptions()).probe()
    assert not probe.usable
    assert "1 + 1 gave [[3.0, 3.0, 3.0, 3.0]]" in probe.reason


def test_a_probe_never_raises(monkeypatch) -> None:
    monkeypatch.setattr(runtime, "load", lambda _: 1 / 0)
    probe = TFLiteBackend(TFLiteOptions()).probe()
    assert not probe.usable
    assert "ZeroDivisionError" in probe.reason


# ------------------------------------------------------------------------------------------------ delegate


def test_a_delegate_that_loads_is_an_accelerator(delegate: str) -> None:
    probe = TFLiteBackend(TFLiteOptions.model_validate({"delegate": delegate})).probe()
    assert probe.usable
    assert probe.accelerators == ("cpu", "delegate")


@pytest.mark.parametrize("library", ["/nowhere/libdelegate.so", "libthere-is-no-such-delegate.so"])
def test_a_delegate_that_does_not_exist(library: str, models: Path) -> None:
    backend = TFLiteBackend(TFLiteOptions.model_validate({"delegate": library}))
    probe = backend.probe()
    assert not probe.usable
    assert library in probe.reason
    with pytest.raises(BackendError, match="cannot open shared object file") as error:
        backend.load(Artifact(models / "add.tflite", "delegate"))
    assert error.value.code == "delegate-failed"


def test_a_library_that_is_no_delegate(models: Path) -> None:
    library = import_module("numpy.random._generator").__file__
    with pytest.raises(BackendError, match="is not a TensorFlow Lite delegate") as error:
        TFLiteBackend(TFLiteOptions.model_validate({"delegate": library})).load(
            Artifact(models / "add.tflite", "delegate")
        )
    assert error.value.code == "delegate-failed"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"speed": "11"}, "the test delegate knows no such option"),
        ({"fail": "create"}, "the test delegate fails in create"),
        ({"fail": "apply"}, "the test delegate fails in apply"),
        ({"fail": "prepare"}, "the test delegate fails in prepare"),
    ],
)
@pytest.mark.parametrize("batch", [1, 2])
def test_a_delegate_that_refuses(delegate: str, models: Path, options: dict[str, str], says: str, batch: int) -> None:
    backend = TFLiteBackend(TFLiteOptions.model_validate({"delegate": delegate, "delegate_options": options}))
    with pytest.raises(BackendError, match=says) as error:
        backend.load(Artifact(models / "add.tflite", "delegate", batch))
    assert error.value.code == "delegate-failed"
    assert delegate in error.value.summary


def test_the_accelerator_must_fit_the_options(delegate: str, models: Path) -> None:
    add = models / "add.tflite"
    with pytest.raises(BackendError, match="needs the option delegate"):
        TFLiteBackend(TFLiteOptions()).load(Artifact(add, "delegate"))
    with pytest.raises(BackendError, match="but the accelerator is cpu") as error:
        TFLiteBackend(TFLiteOptions.model_validate({"delegate": delegate})).load(Artifact(add, "cpu"))
    assert error.value.hint == "use accelerator delegate, or omit the option delegate"
    with pytest.raises(BackendError, match="no accelerator 'gpu'") as error:
        TFLiteBackend(TFLiteOptions()).load(Artifact(add, "gpu"))
    assert error.value.code == "no-accelerator"
