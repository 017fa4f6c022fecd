"""Two stacks are one backend: formats find their stack, and what both probe is told together."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlperf_mobile.contracts import Artifact, CompileRequest, Device, Probe
from mlperf_mobile_backend_snpe.backend import SnpeBackend
from mlperf_mobile_backend_snpe.native.backend import NativeExecutor
from mlperf_mobile_backend_snpe.options import SnpeOptions
from mlperf_mobile_backend_snpe.qnn.executor import QnnExecutor

QNN = Probe(
    True,
    ("htp", "cpu"),
    {"qnn": "2.51"},
    "QNN 2.51",
    devices=(Device("htp", "SM8650"),),
    functional_only={"cpu": "slow"},
)
SNPE = Probe(True, ("htp", "gpu"), {"snpe": "2.50"}, "SNPE 2.50", devices=(Device("gpu", "Adreno"),))
NO_QNN = Probe(False, reason="no package", fix="pip install it")
NO_SNPE = Probe(False, versions={"snpe": "1.0"}, reason="no libSNPE.so", fix="install the SDK")


def probe(monkeypatch: pytest.MonkeyPatch, qnn: Probe, native: Probe) -> Probe:
    monkeypatch.setattr(QnnExecutor, "probe", lambda _: qnn)
    monkeypatch.setattr(NativeExecutor, "probe", lambda _: native)
    return SnpeBackend(SnpeOptions()).probe()


def test_both_stacks_are_reported_together(monkeypatch: pytest.MonkeyPatch) -> None:
    found = probe(monkeypatch, QNN, SNPE)
    assert found.usable
    assert found.accelerators == ("htp", "gpu", "cpu")
    assert found.versions == {"qnn": "2.51", "snpe": "2.50"}
    assert found.runtime == "QNN 2.51; SNPE 2.50"
    assert [device.name for device in found.devices] == ["SM8650", "Adreno"]
    assert found.functional_only == {"cpu": "slow"}


@pytest.mark.parametrize(("qnn", "native", "alone"), [(QNN, NO_SNPE, QNN), (NO_QNN, SNPE, SNPE)])
def test_one_stack_is_enough(monkeypatch: pytest.MonkeyPatch, qnn: Probe, native: Probe, alone: Probe) -> None:
    found = probe(monkeypatch, qnn, native)
    assert found.usable
    assert found.accelerators == alone.accelerators
    assert found.versions == alone.versions
    assert found.runtime == alone.runtime


def test_without_any_both_reasons_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    found = probe(monkeypatch, NO_QNN, NO_SNPE)
    assert not found.usable
    assert "QNN: no package" in found.reason
    assert "SNPE: no libSNPE.so" in found.reason
    assert "pip install it" in found.fix
    assert "install the SDK" in found.fix


@pytest.mark.parametrize(
    ("name", "form", "stack"),
    [
        ("m.dlc", "", "native"),
        ("m.DLC", "", "native"),
        ("m", "dlc", "native"),
        ("m.dlc", "onnx", "qnn"),
        ("m.tflite", "", "qnn"),
    ],
)
def test_formats_find_their_stack(monkeypatch: pytest.MonkeyPatch, name: str, form: str, stack: str) -> None:
    artifact = Artifact(Path("x"), "cpu")
    for executor, told in ((QnnExecutor, "qnn"), (NativeExecutor, "native")):
        monkeypatch.setattr(executor, "compile", lambda _, request, told=told: (told, artifact))
    found = SnpeBackend(SnpeOptions()).compile(CompileRequest(Path(name), "cpu", format=form))
    assert found == (stack, artifact)


@pytest.mark.parametrize(("name", "stack"), [("m.dlc", "native"), ("model.onnx", "qnn"), ("m.tflite", "qnn")])
def test_compiled_models_find_their_stack(monkeypatch: pytest.MonkeyPatch, name: str, stack: str) -> None:
    for executor, told in ((QnnExecutor, "qnn"), (NativeExecutor, "native")):
        monkeypatch.setattr(executor, "load", lambda _, artifact, told=told: told)
    assert SnpeBackend(SnpeOptions()).load(Artifact(Path(name), "cpu")) == stack
