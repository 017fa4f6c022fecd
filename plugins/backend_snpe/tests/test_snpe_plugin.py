from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from mlperf_mobile.plugin import BackendInfo, Capability, EnvFact
from mlperf_mobile_backend_snpe import plugin, socs
from mlperf_mobile_backend_snpe.backend import SnpeBackend
from mlperf_mobile_backend_snpe.options import SnpeOptions

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def offer() -> BackendInfo:
    return next(iter(plugin.mlperf_mobile_backends()))


def test_the_offer() -> None:
    info = offer()
    assert (info.name, info.vendor, info.model_formats) == ("snpe", "Qualcomm", ("tflite", "onnx", "dlc"))
    assert info.accelerators[0] == "htp"  # never a simulator, unless it is asked for
    assert set(info.accelerators) == {"htp", "gpu", "htp-simulator", "cpu"}
    assert info.capabilities == {Capability.BATCH, Capability.QUANTIZED}
    assert info.backend.load() is SnpeBackend
    assert info.options is not None
    assert info.options.load() is SnpeOptions


def test_the_need_is_either_stack_and_its_extra_exists() -> None:
    (need,) = offer().needs
    assert "onnxruntime_qnn" in need.modules
    assert "libSNPE.so" in need.libraries
    assert "[qnn]" in need.fix
    assert set(PROJECT["optional-dependencies"]) == {"qnn", "litert"}


def test_the_entry_point_leads_to_the_plugin() -> None:
    assert PROJECT["entry-points"]["mlperf_mobile"] == {"snpe": plugin.__name__}


def test_options_are_described() -> None:
    schema = SnpeOptions.model_json_schema()
    models = [schema, *(schema["$defs"][name] for name in ("LiteRtOptions", "NativeOptions"))]
    for model in models:
        assert [name for name, field in model["properties"].items() if not field.get("description")] == []


def test_the_soc_is_a_fact_of_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "soc_id").write_text("557\n")
    monkeypatch.setattr(socs, "SYSFS", (tmp_path / "soc_id",))
    assert list(plugin.mlperf_mobile_environment("snpe")) == [
        EnvFact("qualcomm.soc", "SM8650"),
        EnvFact("qualcomm.soc_id", 557),
    ]
    assert list(plugin.mlperf_mobile_environment("tflite")) == []
