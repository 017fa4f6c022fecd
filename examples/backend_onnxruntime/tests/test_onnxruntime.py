"""What the kit cannot know: placement from a profile, and a whole run."""

from __future__ import annotations

from pathlib import Path

from mlperf_mobile.contracts import Artifact
from mlperf_mobile.testing.command import Command
from mlperf_mobile_example_onnxruntime.backend import OnnxRuntimeBackend
from mlperf_mobile_example_onnxruntime.options import Options
from mlperf_mobile_example_onnxruntime.runtime import placement

MODEL = Path(__file__).with_name("models") / "double.onnx"


def test_the_placement_is_what_the_profile_says() -> None:
    with OnnxRuntimeBackend(Options()).load(Artifact(MODEL, "cpu")) as session:
        assert session.placement().operations == {"cpu": 1}
        assert session.placement().names == {"cpu": {"Add": 1}}


def test_another_provider_is_not_the_cpu() -> None:
    event = {"cat": "Node", "args": {"provider": "XnnpackExecutionProvider", "op_name": "Conv"}}
    assert placement([event, {"cat": "Session"}]).operations == {"XnnpackExecutionProvider": 1}


def test_a_model_can_be_measured(tmp_path: Path) -> None:
    """The whole way, with an option."""
    quick = ("--rules", "rapid", "--set", "min_duration_s=0.1", "--set", "intra_op_threads=1")
    done = Command(tmp_path).json("run", "--model", MODEL, "--backend", "example-onnxruntime", *quick)
    (result,) = done[0]["results"]
    assert result["runtime"].startswith("onnxruntime ")
    assert result["performance"]["queries"] >= 64
    assert result["placement"]["operations"] == {"cpu": 1}
