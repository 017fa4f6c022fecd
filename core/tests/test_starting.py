"""What starts does not wait for modules that it can do without, or that can be imported while the worker loads."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest


def imported(code):
    """The modules in ``sys.modules`` after this code ran in a process of its own."""
    code += "\nimport json, sys; print(json.dumps([*sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_a_worker_does_without_the_configuration_and_the_terminal(processes):
    modules = imported("import mlperf_mobile.worker.__main__, mlperf_mobile.worker.steps")
    assert "mlperf_mobile.plan" in modules
    assert not {"mlperf_mobile.config", "mlperf_mobile.terminal", "yaml", "rich"} & modules


@pytest.mark.parametrize("cards", [True, False])
def test_what_prints_cards_is_imported_while_the_worker_loads(processes, cards):
    modules = imported(
        "from mlperf_mobile import events\n"
        "from mlperf_mobile.cli.run import _shown\n"
        f"with _shown('', quiet=True, cards={cards}) as listen:\n"
        "    listen(events.Phase(name='load'))"
    )
    assert ("mlperf_mobile.terminal.card" in modules) is cards
