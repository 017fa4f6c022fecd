"""Writes the models of the tests. Usage: ``python tools/make_models.py`` with ``onnx`` installed."""

from __future__ import annotations

from pathlib import Path

from onnx import TensorProto, helper, save

MODELS = Path(__file__).resolve().parents[1] / "tests/models"
SHAPES = {"double": [1, 4], "double_open": [1, "width"], "double_batch": ["batch", 4]}


def main() -> None:
    """``y = x + x`` in each of the shapes."""
    for name, shape in SHAPES.items():
        x, y = (helper.make_tensor_value_info(tensor, TensorProto.FLOAT, shape) for tensor in "xy")
        graph = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], name, [x], [y])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        save(model, MODELS / f"{name}.onnx")


if __name__ == "__main__":
    main()
