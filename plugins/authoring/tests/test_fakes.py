"""The fakes are correct plugins, and fail as their options say; the backend needs few names of the core."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from mlperf_mobile.testing.backend import BackendConformance
from mlperf_mobile.testing.command import Command
from mlperf_mobile.testing.dataset import DatasetConformance
from mlperf_mobile_authoring import fakes
from mlperf_mobile_authoring.fakes import plugin
from mlperf_mobile_authoring.fakes.model import save_model

FAST = ("--backend", "fake", "--rules", "rapid", "--set", "min_duration_s=0", "--set", "min_query_count=64")


class TestFakeBackend(BackendConformance):
    plugin_module = "mlperf_mobile_authoring.fakes.plugin"

    @pytest.fixture
    def info(self):
        return next(iter(plugin.mlperf_mobile_backends()))

    @pytest.fixture
    def model(self, tmp_path):
        return save_model(tmp_path / "double.npz")

    @pytest.fixture
    def quantized_model(self, tmp_path):
        return save_model(tmp_path / "int8.npz", quantisation=(0.5, -3, 1.0, 7))

    @pytest.fixture
    def open_model(self, tmp_path):
        return save_model(tmp_path / "open.npz", shape=(1, -1))

    @pytest.fixture
    def two_outputs_model(self, tmp_path):
        return save_model(tmp_path / "two.npz", factors=(2, 3))


class TestFakePoints(DatasetConformance):
    """Samples that are arrays compare by themselves."""

    plugin_module = "mlperf_mobile_authoring.fakes.plugin"

    @pytest.fixture
    def info(self):
        return next(iter(plugin.mlperf_mobile_datasets()))

    @pytest.fixture
    def dataset(self, info):
        return info.dataset.load()(None, None)


def core_names(*files):
    """The names that modules import from the core."""
    found = set()
    for file in files:
        for node in ast.walk(ast.parse(Path(file).read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "mlperf_mobile":
                found |= {alias.name for alias in node.names}
    return found


def test_a_complete_backend_needs_at_most_sixteen_names():
    """It compiles, batches, quantises, and takes open shapes."""
    folder = Path(fakes.__file__).parent
    names = core_names(folder / "backend.py") | {"BackendInfo", "Capability", "Ref", "hookimpl"}
    assert names >= {"CheckedSession", "CompileRequest", "Artifact", "Probe", "Placement", "sized"}
    assert len(names) <= 16, sorted(names)


@pytest.fixture
def command(tmp_path):
    return Command(tmp_path, env={"PYTHONPATH": str(fakes.installed(tmp_path / "site"))})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("option", "code", "exit_code"),
    [
        ("fail_after=30", "fake-failure", 5),
        ("crash_after=30", "worker-died", 7),
        ("drift=0.001", "outputs-changed", 5),
    ],
)
def test_injected_faults(command, option, code, exit_code):
    result, done = command.run("fake_classes", *FAST, "--set", f"backend_options.{option}")
    assert result["error"]["code"] == code
    assert done.returncode == exit_code


@pytest.mark.slow
def test_injected_latency_is_measured_and_never_valid(command):
    result, done = command.run("fake_classes", *FAST, "--set", "backend_options.latency_ms=3")
    assert result["error"] is None, done.stderr
    assert result["performance"]["latency_ns"]["min"] >= 3e6
    assert result["accuracy"]["value"] == 1.0
    assert not result["valid"]
    assert "it is a fake" in str(result)
