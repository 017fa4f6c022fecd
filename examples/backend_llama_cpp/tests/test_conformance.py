"""The backend passes the conformance kit of mlperf-mobile, on a stand-in, and on llama.cpp where it is installed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mlperf_mobile.contracts import Backend
from mlperf_mobile.plugin import BackendInfo
from mlperf_mobile.testing.backend import BackendConformance
from mlperf_mobile_example_llama_cpp import plugin

MODEL = Path(__file__).with_name("models") / "tiny.gguf"
INSTALLED = find_spec("llama_cpp") is not None


class Offered(BackendConformance):
    plugin_module = "mlperf_mobile_example_llama_cpp.plugin"

    @pytest.fixture
    def info(self) -> BackendInfo:
        return next(iter(plugin.mlperf_mobile_backends()))

    @pytest.fixture
    def language_model(self) -> Path:
        return MODEL


class TestOnTheStandIn(Offered):
    @pytest.fixture
    def backend(self, llama_cpp: ModuleType, info: BackendInfo, options: Any) -> Backend:
        return info.backend.load()(options)


if INSTALLED:

    class TestOnLlamaCpp(Offered):
        pass
