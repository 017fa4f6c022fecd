"""The backend passes the conformance kit of mlperf-mobile, with fixed and with open batches."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlperf_mobile.plugin import BackendInfo
from mlperf_mobile.testing.backend import BackendConformance
from mlperf_mobile_example_onnxruntime import plugin

MODELS = Path(__file__).with_name("models")


class TestOnnxRuntime(BackendConformance):
    plugin_module = "mlperf_mobile_example_onnxruntime.plugin"

    @pytest.fixture
    def info(self) -> BackendInfo:
        return next(iter(plugin.mlperf_mobile_backends()))

    @pytest.fixture
    def model(self) -> Path:
        return MODELS / "double.onnx"

    @pytest.fixture
    def open_model(self) -> Path:
        return MODELS / "double_open.onnx"


class TestOpenBatch(TestOnnxRuntime):
    @pytest.fixture
    def model(self) -> Path:
        return MODELS / "double_batch.onnx"
