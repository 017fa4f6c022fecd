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
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_a_worker_does_without_the_configuration_and_the_terminal(processes):
    modules = imported("import mlperf_mobile.worker.__main__, mlperf_mobile.worker.steps")
    assert "mlperf_mobile.plan" in modules
    assert not {"mlperf_mobile.config", "mlperf_mobile.terminal", "yaml", "rich"} & modules


def test_a_listing_does_without_what_it_does_not_use(processes):
    listing = "from mlperf_mobile.cli.main import main\nmain(['list-backends'])"
    modules = imported(listing) - imported("pass")
    assert "mlperf_mobile.cli.lists" in modules
    assert not {"shutil", "threading", "unicodedata", "pathlib", "pydantic", "numpy"} & modules


def test_planning_does_without_numpy_and_finds_the_plugins_once(processes):
    modules = imported(
        "from mlperf_mobile import registry\n"
        "from mlperf_mobile.campaigns.start import planned\n"
        "from mlperf_mobile.config.selection import Request\n"
        "found = []\n"
        "registry.entry_points = lambda group, read=registry.entry_points: found.append(group) or read(group)\n"
        "assert planned(Request()).plans\n"
        "assert found == ['mlperf_mobile'], found"
    )
    assert "mlperf_mobile.config" in modules
    assert "numpy" not in modules


def test_a_launcher_does_without_numpy(processes):
    modules = imported("import mlperf_mobile.campaigns.run, mlperf_mobile.terminal.card")
    assert "mlperf_mobile.launch.local" in modules
    assert "numpy" not in modules


@pytest.mark.parametrize("cards", [True, False])
def test_what_prints_cards_is_imported_while_the_worker_loads(processes, cards):
    modules = imported(
        "from mlperf_mobile import events\n"
        "from mlperf_mobile.cli.run import _hearing\n"
        f"_hearing([], cards={cards})(print)(events.Phase(name='load'))"
    )
    assert ("mlperf_mobile.terminal.card" in modules) is cards


def test_the_package_alone_imports_nothing_of_its_own(processes):
    modules = imported("import mlperf_mobile") - imported("pass")
    assert not {name for name in modules if name.startswith("mlperf_mobile.")}
    assert not {"numpy", "pydantic", "yaml", "rich", "pandas", "pathlib"} & modules
