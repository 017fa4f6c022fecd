"""What is generated is what its script writes; the scripts need the schema that comes with LiteRT."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]


def tool(name: str) -> ModuleType:
    pytest.importorskip("ai_edge_litert.schema_py_generated")
    pytest.importorskip("flatbuffers")
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_models_are_those_that_the_script_writes(models: Path) -> None:
    made = tool("make_models").all_models()
    assert {path.stem: path.read_bytes() for path in models.glob("*.tflite")} == made


def test_the_probes_module_is_the_one_that_the_script_writes() -> None:
    maker = tool("make_models")
    written = (ROOT / "src" / "mlperf_mobile_backend_tflite" / "probe_model.py").read_text(encoding="utf-8")
    assert written == maker.probe_module(maker.all_models()["add"])
