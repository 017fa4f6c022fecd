"""The stand-in for the package litert_lm, and its model files."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from mlperf_mobile_backend_litert_lm import runtime

STAND_IN = Path(__file__).with_name("stand_in")


@pytest.fixture
def litert_lm(monkeypatch):
    """The stand-in, imported in place of the package."""
    monkeypatch.syspath_prepend(str(STAND_IN))
    monkeypatch.delitem(sys.modules, "litert_lm", raising=False)
    runtime.load.cache_clear()
    module = runtime.load()
    module.CALLS.clear()
    yield module
    runtime.load.cache_clear()
    sys.modules.pop("litert_lm", None)


@pytest.fixture
def write(tmp_path):
    """Writes a model file of the stand-in: ``write(context=64, way="fails")``."""

    def written(name="words.litertlm", **facts):
        path = tmp_path / name
        path.write_bytes(b"LITERTLM" + json.dumps({"context": 64} | facts).encode())
        return path

    return written
