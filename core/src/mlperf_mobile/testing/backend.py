"""The conformance tests of a backend."""

from __future__ import annotations

from typing import Any

from mlperf_mobile.contracts import Backend
from mlperf_mobile.plugin import BackendInfo
from mlperf_mobile.testing.backend_models import ModelTests
from mlperf_mobile.testing.backend_sessions import SessionTests
from mlperf_mobile.testing.backend_text import TextTests
from mlperf_mobile.testing.backend_tokens import TokenTests
from mlperf_mobile.testing.checked import CheckedBackend, checked
from mlperf_mobile.worker import returned

__all__ = ["BackendConformance"]


class BackendConformance(ModelTests, SessionTests, TokenTests, TextTests):
    """Subclass once per backend; define ``plugin_module``, ``info`` and ``model``."""

    def test_probe_answers_on_any_machine(self, info: BackendInfo, options: Any) -> None:
        """An unusable backend has a reason and a fix."""
        probe = CheckedBackend(info.name, info.backend.load()(options)).probe()
        assert probe.usable or (probe.reason and probe.fix)

    def test_probe_names_runtime_and_accelerators(self, backend: Backend, info: BackendInfo) -> None:
        """A probe reports runtime and versions, and only accelerators that were offered."""
        probe = backend.probe()
        assert probe.runtime
        assert probe.versions
        assert probe.accelerators
        assert set(probe.accelerators) <= set(info.accelerators)

    def test_probe_reports_functional_only_accelerators(self, backend: Backend, info: BackendInfo) -> None:
        """Devices and functional-only accelerators are offered ones; the latter have a reason."""
        probe = backend.probe()
        assert {device.accelerator for device in probe.devices} <= set(info.accelerators)
        assert set(probe.functional_only) <= set(info.accelerators)
        for accelerator, reason in probe.functional_only.items():
            assert reason, f"functional_only gives no reason for {accelerator}"

    def test_shards_are_counted(self, backend: Backend, info: BackendInfo) -> None:
        """A backend has at least one shard."""
        checked(returned.shards, info.name, backend.shards)

    def test_model_formats_are_suffixes(self, info: BackendInfo) -> None:
        """The core matches models with backends by their formats."""
        assert info.model_formats
        for form in info.model_formats:
            fits = form == form.lower() and not form.startswith(".")
            assert fits, f"model_formats has {form!r}, and must have lower-case suffixes without a dot, such as 'bin'"
