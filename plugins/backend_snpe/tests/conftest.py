from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlperf_mobile.contracts import Artifact, CompileRequest, Session
from mlperf_mobile_backend_snpe.backend import SnpeBackend
from mlperf_mobile_backend_snpe.options import SnpeOptions
from mlperf_mobile_backend_snpe.qnn import runtime

HERE = Path(__file__).parent

Make = Callable[..., Path]
Compile = Callable[..., tuple[SnpeBackend, Artifact]]
Load = Callable[..., Session]


@pytest.fixture
def models() -> Path:
    """Small .tflite models; ``tools/make_models.py`` of the backend tflite wrote them, and says what they compute."""
    return HERE / "models"


@pytest.fixture(scope="session")
def simulator(processes: None) -> runtime.Runtime:
    """QNN with the simulator; tests that need it are skipped without."""
    for name in ("onnx", "onnxruntime", "onnxruntime_qnn"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed")
    if not runtime.is_simulator_host():
        pytest.skip("the simulator runs on x86-64 Linux")
    return runtime.load()


@pytest.fixture(scope="session")
def compiler(simulator: runtime.Runtime) -> None:
    """LiteRT's compiler; tests that need it are skipped without."""
    if importlib.util.find_spec("ai_edge_litert") is None:
        pytest.skip("ai-edge-litert is not installed")


@pytest.fixture(scope="session")
def onnx() -> Any:
    if importlib.util.find_spec("onnx") is None:
        pytest.skip("onnx is not installed")
    importlib.import_module("onnx.numpy_helper")
    return importlib.import_module("onnx")


@pytest.fixture
def make_onnx(onnx: Any, tmp_path: Path) -> Make:
    """``make_onnx("add")``: a small ONNX model of a name.

    ``add``: y = x + x on float32[1, 4]; ``open``: the same on float32[N, 4]; ``wide``: on float32[N, M]; ``mixed``:
    y = (2x)², and the determinant of 2x as a 2×2 matrix, which QNN cannot; ``quantized``: y = max(x, 0) on uint8 with
    scale 0.5 and zero points 10 and 20; ``doubled``: y = x + x likewise.
    """
    helper, T = onnx.helper, onnx.TensorProto

    def value(name: str, shape: list[int | str], kind: int = T.FLOAT) -> Any:
        return helper.make_tensor_value_info(name, kind, shape)

    def make(name: str) -> Path:
        constants: list[Any] = []
        if name in {"add", "open", "wide"}:
            shape: list[int | str] = {"add": [1, 4], "open": ["N", 4], "wide": ["N", "M"]}[name]
            nodes = [helper.make_node("Add", ["x", "x"], ["y"], name="add")]
            ends = [value("x", shape)], [value("y", shape)]
        elif name == "mixed":
            nodes = [
                helper.make_node("Add", ["x", "x"], ["a"], name="add"),
                helper.make_node("Reshape", ["a", "shape"], ["m"], name="reshape"),
                helper.make_node("Det", ["m"], ["d"], name="det"),
                helper.make_node("Mul", ["a", "a"], ["y"], name="mul"),
            ]
            constants = [helper.make_tensor("shape", T.INT64, [3], [1, 2, 2])]
            ends = [value("x", [1, 4])], [value("y", [1, 4]), value("d", [1])]
        else:
            nodes = [
                helper.make_node("DequantizeLinear", ["x", "scale", "in_zero"], ["f"], name="dq"),
                helper.make_node("Relu", ["f"], ["r"])
                if name == "quantized"
                else helper.make_node("Add", ["f", "f"], ["r"]),
                helper.make_node("QuantizeLinear", ["r", "scale", "out_zero"], ["y"], name="q"),
            ]
            constants = [
                helper.make_tensor("scale", T.FLOAT, [], [0.5]),
                helper.make_tensor("in_zero", T.UINT8, [], [10]),
                helper.make_tensor("out_zero", T.UINT8, [], [20]),
            ]
            ends = [value("x", [1, 4], T.UINT8)], [value("y", [1, 4], T.UINT8)]
        graph = helper.make_graph(nodes, name, *ends, constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        path = tmp_path / f"{name}.onnx"
        path.write_bytes(model.SerializeToString())
        return path

    return make


@pytest.fixture
def compile_model(tmp_path: Path) -> Compile:
    """``compile_model(path, soc_model="SM8650")``: the backend, and the model compiled for the simulator."""
    count = iter(range(1000))

    def compile_(
        model: Path, accelerator: str = "htp-simulator", batch: int = 1, **options: object
    ) -> tuple[SnpeBackend, Artifact]:
        folder = tmp_path / f"compiled-{next(count)}"
        folder.mkdir()
        backend = SnpeBackend(SnpeOptions.model_validate(options))
        return backend, backend.compile(CompileRequest(model, accelerator, batch, folder))

    return compile_


@pytest.fixture
def load(compile_model: Compile) -> Load:
    """As ``compile_model``, and loaded."""

    def load_(model: Path, accelerator: str = "htp-simulator", batch: int = 1, **options: object) -> Session:
        backend, artifact = compile_model(model, accelerator, batch, **options)
        return backend.load(artifact)

    return load_


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """``without("onnx")``: importing it fails, as if it were not installed."""

    def block(*names: str) -> None:
        for name in names:
            monkeypatch.setitem(sys.modules, name, None)

    return block


@pytest.fixture
def quantized_tflite(models: Path, tmp_path: Path) -> Path:
    """y = x + x on int8[1, 4], with scales 0.5 and 1 and zero points -10 and 5."""
    schema: Any = importlib.import_module("ai_edge_litert.schema_py_generated")
    flatbuffers: Any = importlib.import_module("flatbuffers")
    model = schema.ModelT.InitFromPackedBuf((models / "add.tflite").read_bytes(), 0)
    for tensor, scale, zero_point in zip(model.subgraphs[0].tensors, (0.5, 1.0), (-10, 5), strict=True):
        tensor.type, tensor.quantization = schema.TensorType.INT8, schema.QuantizationParametersT()
        tensor.quantization.scale, tensor.quantization.zeroPoint = [scale], [zero_point]
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    path = tmp_path / "quantized_add.tflite"
    path.write_bytes(builder.Output())
    return path
