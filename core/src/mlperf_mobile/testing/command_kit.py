"""The conformance tests of a command."""

from __future__ import annotations

import pytest

from mlperf_mobile.command_loading import check
from mlperf_mobile.plugin import CommandInfo
from mlperf_mobile.testing.kit import Conformance

__all__ = ["CommandConformance"]


class CommandConformance(Conformance):
    """Subclass once per command; define ``plugin_module`` and ``info``."""

    @pytest.fixture
    def info(self) -> CommandInfo:
        raise NotImplementedError

    def test_adds_arguments_and_a_handler(self, info: CommandInfo) -> None:
        """Its function adds arguments beside ``--debug``, which every command has, and a handler; its help is shown."""
        check(info)
