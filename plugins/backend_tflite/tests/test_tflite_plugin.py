from __future__ import annotations

import tomllib
from pathlib import Path

from mlperf_mobile.contracts import Artifact, BatchSession, CompileRequest
from mlperf_mobile.plugin import BackendInfo, Capability
from mlperf_mobile_backend_tflite import plugin
from mlperf_mobile_backend_tflite.backend import TFLiteBackend
from mlperf_mobile_backend_tflite.options import TFLiteOptions

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def offer() -> BackendInfo:
    (info,) = plugin.mlperf_mobile_backends()
    return info


def test_the_offer() -> None:
    info = offer()
    assert (info.name, info.vendor, info.model_formats) == ("tflite", "Google", ("tflite", "tflite-pipeline"))
    assert info.accelerators == ("cpu", "delegate")
    assert info.capabilities == {Capability.BATCH, Capability.QUANTIZED, Capability.TOKEN_STREAM}
    assert info.hook_api == (2, 3)
    assert info.backend.load() is TFLiteBackend
    assert info.options is not None
    assert info.options.load() is TFLiteOptions


def test_the_need_names_both_runtimes_and_the_extras_that_exist() -> None:
    (need,) = offer().needs
    assert need.modules == ("ai_edge_litert", "tflite_runtime")
    assert set(PROJECT["optional-dependencies"]) == {"litert", "tflite-runtime"}
    assert all(f"[{extra}]" in need.fix for extra in PROJECT["optional-dependencies"])


def test_the_entry_point_leads_to_the_plugin() -> None:
    assert PROJECT["entry-points"] == {"mlperf_mobile": {"tflite": plugin.__name__}}


def test_compiling_gives_the_model_itself(tmp_path: Path) -> None:
    request = CompileRequest(tmp_path / "m.tflite", "cpu", batch=4, directory=tmp_path)
    assert TFLiteBackend(TFLiteOptions()).compile(request) == Artifact(tmp_path / "m.tflite", "cpu", 4)


def test_only_a_batch_makes_a_batch_session(load) -> None:
    with load("add") as session:
        assert not isinstance(session, BatchSession)
    with load("add", batch=2) as session:
        assert isinstance(session, BatchSession)
