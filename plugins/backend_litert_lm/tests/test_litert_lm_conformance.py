"""The conformance kit: on a stand-in for the engine, and on LiteRT-LM itself where it and a model are at hand."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import pytest

from mlperf_mobile.testing.backend import BackendConformance
from mlperf_mobile_backend_litert_lm.plugin import mlperf_mobile_backends

MODEL = os.environ.get("MLPERF_MOBILE_LITERT_LM_MODEL", "")
"""A language model for LiteRT-LM; ``tools/pack_quickstart.py`` makes one."""


class Offered(BackendConformance):
    plugin_module = "mlperf_mobile_backend_litert_lm.plugin"

    @pytest.fixture
    def info(self):
        (offer,) = mlperf_mobile_backends()
        return offer


class TestOnTheStandIn(Offered):
    @pytest.fixture
    def backend(self, litert_lm, info, options):
        return info.backend.load()(options)

    @pytest.fixture
    def language_model(self, write):
        return write()


if MODEL and find_spec("litert_lm"):

    class TestOnLiteRtLm(Offered):
        @pytest.fixture
        def language_model(self):
            return Path(MODEL)
