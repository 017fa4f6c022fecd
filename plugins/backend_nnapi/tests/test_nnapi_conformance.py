"""The backend passes the conformance kit on the stand-in."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlperf_mobile.plugin import BackendInfo
from mlperf_mobile.testing.backend import BackendConformance
from mlperf_mobile_backend_nnapi import plugin
from mlperf_mobile_backend_nnapi.options import NNAPIOptions


class TestNNAPI(BackendConformance):
    plugin_module = "mlperf_mobile_backend_nnapi.plugin"
    tolerance = 1e-6

    @pytest.fixture
    def info(self) -> BackendInfo:
        return next(iter(plugin.mlperf_mobile_backends()))

    @pytest.fixture
    def options(self, library: Path) -> NNAPIOptions:
        """With the stand-in for its default library."""
        return NNAPIOptions.model_validate({"library": str(library)})

    @pytest.fixture
    def model(self, double: Path) -> Path:
        return double

    @pytest.fixture
    def open_model(self, double: Path) -> Path:
        return double.with_name("open_row.tflite")

    @pytest.fixture
    def quantized_model(self, double: Path, tmp_path: Path) -> Path:
        """The same model of int8 tensors: only their descriptions differ."""
        schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
        import flatbuffers

        model = schema.ModelT.InitFromPackedBuf(double.read_bytes(), 0)
        for tensor, scale, zero_point in zip(model.subgraphs[0].tensors, (0.5, 1.0), (-20, 3), strict=True):
            tensor.type = schema.TensorType.INT8
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale, tensor.quantization.zeroPoint = [scale], [zero_point]
        builder = flatbuffers.Builder()
        builder.Finish(model.Pack(builder), b"TFL3")
        path = tmp_path / "double_int8.tflite"
        path.write_bytes(builder.Output())
        return path
