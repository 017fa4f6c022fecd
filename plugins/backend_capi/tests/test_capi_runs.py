"""Whole runs of the command with the test library: its numbers, and what becomes of a run when it misbehaves.

The library "classifies" by ten sums over bands of the picture. That is no model of anything, but every pixel and every
output counts in it, and numpy can say what the accuracy has to be.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlperf_mobile.testing.command import Command, Done

Run = Callable[..., tuple[dict[str, Any], Done]]


@pytest.fixture
def run(build: Callable[..., Path], model: Callable[..., Path], tmp_path: Path, processes: None) -> Run:
    """``run("--mode", "accuracy", defect="issue_query:crash")``: the result of a short run, and the process."""
    pytest.importorskip("mlperf_mobile_task_image_classification")
    if not entry_points(group="mlperf_mobile", name="capi"):
        pytest.skip("mlperf-mobile-backend-capi is not installed")

    def run(*arguments: str, definitions: tuple[str, ...] = (), **own: str) -> tuple[dict[str, Any], Done]:
        options = {
            "library": build(*definitions), "inputs": "1x28x28x1", "rules": "quick", "warmup_s": 0,
            "min_duration_s": 0.1, "min_query_count": 64, **{f"custom_settings.{key}": own[key] for key in own},
        }  # fmt: skip
        settings = [part for key, value in options.items() for part in ("--set", f"{key}={value}")]
        which = ("--backend", "capi", "--dataset", "fashion_mnist", "--model", model("image", "uint8", 784))
        return Command(tmp_path).run("image_classification", *which, *arguments, *settings)

    return run


PERFORMANCE = ("--mode", "performance")


@pytest.fixture(scope="session")
def accuracy() -> float:
    """What the library's rule gets right, by numpy."""
    pytest.importorskip("mlperf_mobile_task_image_classification")
    from mlperf_mobile_task_image_classification.fashion_mnist import FashionMnist

    data = FashionMnist(None, None)
    bands = np.arange(784) * 10 // 784
    pictures = [np.asarray(data.sample(i).pixels).reshape(-1) for i in range(len(data))]
    guesses = [np.bincount(bands, picture).argmax() for picture in pictures]
    return float(np.mean([guess == data.truth(i) for i, guess in enumerate(guesses)]))


@pytest.mark.slow
@pytest.mark.parametrize("definitions", [(), ("WITH_BUFFERS", "WITH_CONVERSION")])
def test_a_run_without_python(run: Run, accuracy: float, native: tuple[str, ...], definitions: tuple[str, ...]) -> None:
    """The library gives the same answers to the native runner."""
    result, done = run("--mode", "both", *native, definitions=definitions)
    assert done.returncode in (0, 1), done.stderr
    assert result["performance"]["timed_region"] == "inference"
    assert (result["accuracy"]["value"], result["accuracy"]["logged"]) == (pytest.approx(accuracy), "digests")


@pytest.mark.sampled(2)
@pytest.mark.slow
@pytest.mark.parametrize("scenario", ["single-stream", "offline"])
@pytest.mark.parametrize("definitions", [(), ("WITH_BUFFERS", "WITH_CONVERSION")])
def test_a_run(run: Run, accuracy: float, scenario: str, definitions: tuple[str, ...]) -> None:
    batch = ("--set", "batch=7") if scenario == "offline" else ()
    benchmark = ("--set", "benchmark=image_classification_v2")
    result, done = run("--scenario", scenario, *batch, *benchmark, definitions=definitions)
    assert result["error"] is None, done.stderr
    assert result["accuracy"]["value"] == pytest.approx(accuracy, abs=1e-9)
    assert result["placement"]["operations"] == {"npu": 1}


def test_what_the_library_said_is_in_the_result(run: Run) -> None:
    result, _ = run(*PERFORMANCE, "--set", "benchmark=image_classification_v2")
    assert result["valid"]
    assert result["runtime"] == "libtest.so"
    assert result["placement"]["names"] == {"npu": {"the library says 'HTP'": 1}}
    assert result["report"]["npu"]["vendor_name"] == "Written for tests"


def test_a_claim_of_another_accelerator_is_refused(run: Run) -> None:
    """Strict placement is the default for everything but the CPU."""
    result, done = run(*PERFORMANCE, claims="CPU")
    assert (result["valid"], result["error"]["code"]) == (False, "placement-fallback")
    assert "the library says 'CPU'" in done.stderr
    result, _ = run(*PERFORMANCE, "--set", "strict_placement=false", claims="CPU")
    assert (result["valid"], result["placement"]["operations"]) == (True, {"cpu": 1})


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("defect", "code", "says"),
    [
        ("create:crash", "worker-died", "SIGSEGV"),
        ("set_input:abort", "worker-died", "SIGABRT"),
        ("issue_query:crash", "worker-died", "SIGSEGV"),
        ("issue_query:exit", "worker-died", "exited with 0 without reporting an error"),
        ("get_output:exit", "worker-died", "exited with 0 without reporting an error"),
        ("delete:crash", "worker-died", "SIGSEGV"),
        ("issue_query:fail", "capi-failed", "mlperf_backend_issue_query failed with status 1"),
        ("flush_queries:fail", "capi-failed", "mlperf_backend_flush_queries failed"),
        ("create:null", "model-refused", "libtest.so rejects"),
    ],
)
def test_a_library_that_fails(run: Run, defect: str, code: str, says: str) -> None:
    result, done = run(*PERFORMANCE, defect=defect)
    assert (result["valid"], result["error"]["code"]) == (False, code)
    assert says in result["error"]["summary"]
    assert done.returncode == result["error"]["exit_code"]


@pytest.mark.sampled(2)
@pytest.mark.parametrize("defect", ["create:hang", "issue_query:hang"])
def test_a_library_that_hangs(run: Run, defect: str) -> None:
    result, _ = run(*PERFORMANCE, "--set", "silence_timeout_s=5", defect=defect)
    assert (result["valid"], result["error"]["code"]) == (False, "worker-silent")


@pytest.mark.sampled(2)
@pytest.mark.parametrize("defect", ["issue_query:close", "issue_query:print", "create:thread", "issue_query:leak"])
def test_a_library_with_bad_manners(run: Run, defect: str) -> None:
    """It closes the standard streams, prints on them, leaves threads behind, leaks: the result is still reported."""
    result, done = run(*PERFORMANCE, defect=defect)
    assert result["error"] is None, done.stderr
    assert result["valid"], result["rules"]


def test_a_library_that_crashes_when_it_is_probed(run: Run) -> None:
    result, _ = run(*PERFORMANCE, "--set", "device_model=crash")
    assert result["error"]["code"] == "worker-died"


def test_a_device_that_is_not_supported(run: Run) -> None:
    """The user reads the vendor's own words."""
    result, done = run(*PERFORMANCE, "--set", "device_model=case 2", "--set", "device_manufacturer=Your phone")
    assert result["error"]["code"] == "backend-unusable"
    assert "Your phone is too old, update it" in done.stderr
