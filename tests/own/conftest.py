"""One small result folder of every kind, made by real runs of the stand-in, and copies to be spoilt."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from mlperf_mobile.config.layers import from_assignments
from mlperf_mobile.config.resolve import resolve
from mlperf_mobile.config.selection import Request
from mlperf_mobile.launch.local import launch
from mlperf_mobile.plan import CampaignRef
from mlperf_mobile.registry import Registry

STAND_INS = Path(__file__).parent.parent / "stand_ins"
SHORT = {"min_duration_s": 0.02, "warmup_s": 0.01, "telemetry_interval_s": 0.01}
KINDS = {
    "both": {},
    "performance": {"mode": "performance"},
    "accuracy": {"mode": "accuracy", "telemetry_interval_s": 0},
    "offline": {"mode": "performance", "scenario": "offline", "min_query_count": 512},
    "failed": {"mode": "performance", "backend_options.misbehave": "raise"},
    "crashed": {"mode": "performance", "backend_options.misbehave": "kill", "backend_options.sleep_s": 0.005,
                "backend_options.after": 200, "min_duration_s": 60},
    "interrupted": {"mode": "performance", "backend_options.sleep_s": 0.005, "min_duration_s": 60},
}  # fmt: skip


@contextmanager
def with_stand_ins():
    """The installed plugins, and the stand-ins; other tests of the session see nothing of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(STAND_INS)
        patch.setenv("PYTHONPATH", str(STAND_INS))
        for name in [name for name in os.environ if name.startswith("MLPERF_MOBILE_")]:
            patch.delenv(name)
        importlib.invalidate_caches()
        try:
            yield Registry()
        finally:
            for name in [name for name in sys.modules if name.startswith("toy_")]:
                del sys.modules[name]


@pytest.fixture
def registry():
    with with_stand_ins() as registry:
        yield registry


def make(registry, output):
    """A run of each kind: its folder."""

    signals = [KeyboardInterrupt]

    def stop(event):
        if signals and event.event == "progress" and event.phase == "performance":
            raise signals.pop()

    folders = {}
    for kind, settings in KINDS.items():
        given = {"tasks": "product", "backend": "toy", "cache": output / "cache"} | SHORT | settings
        plan = resolve(registry, Request(flags=from_assignments(f"{k}={v}" for k, v in given.items()))).plans[0]
        if kind == "accuracy":
            session = CampaignRef(id="20300101T000000-submission-0a1b2c3d", mode="submission", position=2, runs=2)
            plan = plan.model_copy(update={"session": session})
        result = launch(plan, output, stop if kind == "interrupted" else lambda event: None)
        folders[kind] = Path(result.directory)
    return folders


@pytest.fixture(scope="session")
def made(once, processes):
    """The folder of each kind."""

    def runs(output):
        with with_stand_ins() as registry:
            return {kind: str(folder) for kind, folder in make(registry, output).items()}

    return {kind: Path(folder) for kind, folder in once("results of every kind", runs).items()}


@pytest.fixture
def copied(tmp_path):
    """Copies a folder under its own name."""
    return lambda folder: shutil.copytree(folder, tmp_path / folder.name)
