"""A stand-in for llama-cpp-python, which is compiled where it is installed."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def llama_cpp(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The stand-in, imported in place of the package."""
    monkeypatch.syspath_prepend(str(Path(__file__).with_name("stand_in")))
    monkeypatch.delitem(sys.modules, "llama_cpp", raising=False)
    yield importlib.import_module("llama_cpp")
    sys.modules.pop("llama_cpp", None)
