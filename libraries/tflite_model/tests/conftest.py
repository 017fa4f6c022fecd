from __future__ import annotations

import importlib.util

import pytest


@pytest.fixture(scope="session")
def is_litert() -> bool:
    return importlib.util.find_spec("ai_edge_litert") is not None
