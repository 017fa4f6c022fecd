"""What is generated is what its script writes; the script needs the schema that comes with LiteRT."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from mlperf_mobile_tflite_model import options, schema

MAKE_SCHEMA = Path(__file__).parents[1] / "tools" / "make_schema.py"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    pytest.importorskip("ai_edge_litert.schema_py_generated")
    spec = importlib.util.spec_from_file_location("make_schema", MAKE_SCHEMA)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_schema_is_that_of_the_runtime(tool: ModuleType) -> None:
    """A newer runtime may add tables, fields and union members, and takes none away."""
    tables, unions = tool.read_schema()
    for name, fields in schema.TABLES.items():
        assert tables[name].split()[: len(fields.split())] == fields.split()
    for name, members in schema.UNIONS.items():
        assert unions[name][: len(members.split())] == members.split()


def test_operators_and_options_are_those_of_the_runtime(tool: ModuleType) -> None:
    operators, tables = tool.read_options()
    known = options.OPERATORS.split()
    assert operators[: len(known)] == known
    for name, fields in options.OPTIONS.items():
        assert tables[name].split()[: len(fields.split())] == fields.split()
