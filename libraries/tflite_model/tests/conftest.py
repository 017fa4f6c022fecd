from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest


@pytest.fixture
def shared() -> Path:
    """Real models, where there are any."""
    if not (place := os.environ.get("MLPERF_MOBILE_SHARED")):
        pytest.skip("MLPERF_MOBILE_SHARED is not set")
    return Path(place) / "models"


@pytest.fixture(scope="session")
def is_litert() -> bool:
    return importlib.util.find_spec("ai_edge_litert") is not None
