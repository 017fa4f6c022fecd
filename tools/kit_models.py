"""Writes the small models of the conformance kit, as .tflite and .onnx, into the core's ``testing/models``.

Usage: ``python tools/kit_models.py`` in the project's environment. A second run gives the same bytes.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper

ROOT = Path(__file__).resolve().parents[1]
MODELS = ROOT / "core" / "src" / "mlperf_mobile" / "testing" / "models"
sys.path.insert(0, str(ROOT / "plugins" / "backend_tflite" / "tools"))

import make_models  # type: ignore[import-not-found]  # noqa: E402  the models of the TFLite backend's own tests, of which the kit has three
from ai_edge_litert import schema_py_generated as schema  # noqa: E402
from model_graph import Graph, pack  # type: ignore[import-not-found]  # noqa: E402


def two_outputs() -> Any:
    """``y = x + x`` and ``z = y + x`` on float32[1,4]."""
    g = Graph()
    x, y, z = (g.tensor(name, [1, 4]) for name in ("x", "y", "z"))
    g.op("ADD", [x, x], [y], schema.AddOptionsT())
    g.op("ADD", [y, x], [z], schema.AddOptionsT())
    return g.model([x], [y, z])


TFLITE = {
    "double": make_models.add, "double_int8": make_models.double_int8, "double_open": make_models.open_row,
    "two_outputs": two_outputs, "language_model": make_models.language_model,
}  # fmt: skip


def onnx_model(
    name: str, nodes: Sequence[Any], outputs: Sequence[str], kind: int = TensorProto.FLOAT,
    shape: Sequence[int | str] = (1, 4), constants: Sequence[Any] = (),
) -> bytes:  # fmt: skip
    """A model of the input ``x``; all tensors have one shape and type."""
    described = {key: helper.make_tensor_value_info(key, kind, shape) for key in ("x", *outputs)}
    graph = helper.make_graph(nodes, name, [described["x"]], [described[key] for key in outputs], list(constants))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8, producer_name="")
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def onnx_models() -> dict[str, bytes]:
    """The same models in ONNX; the int8 one has its scales in a QuantizeLinear and a DequantizeLinear."""
    double = helper.make_node("Add", ["x", "x"], ["y"])
    constants = [
        helper.make_tensor("in_scale", TensorProto.FLOAT, (), [0.5]),
        helper.make_tensor("in_zero", TensorProto.INT8, (), [-3]),
        helper.make_tensor("out_scale", TensorProto.FLOAT, (), [1.0]),
        helper.make_tensor("out_zero", TensorProto.INT8, (), [7]),
    ]
    quantized = [
        helper.make_node("DequantizeLinear", ["x", "in_scale", "in_zero"], ["real"]),
        helper.make_node("Add", ["real", "real"], ["doubled"]),
        helper.make_node("QuantizeLinear", ["doubled", "out_scale", "out_zero"], ["y"]),
    ]
    return {
        "double": onnx_model("double", [double], ["y"]),
        "double_int8": onnx_model("double_int8", quantized, ["y"], TensorProto.INT8, constants=constants),
        "double_open": onnx_model("double_open", [double], ["y"], shape=(1, "n")),
        "two_outputs": onnx_model("two_outputs", [double, helper.make_node("Add", ["y", "x"], ["z"])], ["y", "z"]),
    }


def main() -> None:
    """Write all of them."""
    MODELS.mkdir(exist_ok=True)
    for name, make in TFLITE.items():
        (MODELS / f"{name}.tflite").write_bytes(bytes(pack(make())))
    for name, data in onnx_models().items():
        (MODELS / f"{name}.onnx").write_bytes(data)


if __name__ == "__main__":
    main()
