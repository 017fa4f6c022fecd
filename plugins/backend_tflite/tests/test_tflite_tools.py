"""What is generated is what its script writes; the scripts need the schema that comes with LiteRT."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def maker(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    pytest.importorskip("ai_edge_litert.schema_py_generated")
    pytest.importorskip("flatbuffers")
    monkeypatch.syspath_prepend(ROOT / "tools")
    yield importlib.import_module("make_models")
    for name in ("make_models", "model_graph", "language_model"):
        del sys.modules[name]


def test_the_models_are_those_that_the_script_writes(maker: ModuleType, models: Path) -> None:
    written = {path.relative_to(models).with_suffix("").as_posix(): path for path in models.rglob("*.tflite")}
    assert {name: path.read_bytes() for name, path in written.items()} == maker.all_models()


def test_the_probes_module_is_the_one_that_the_script_writes(maker: ModuleType) -> None:
    written = (ROOT / "src" / "mlperf_mobile_backend_tflite" / "probe_model.py").read_text(encoding="utf-8")
    assert written == maker.probe_module(maker.all_models()["add"])
