"""Models compile, are stored, restored, and agree with LiteRT on the CPU.

Kernels of 8 bits round layer by layer, each in its own way: LiteRT's own differ by up to 13 steps from each other on
MobileNetV2, so that a model's last layer may differ by some steps. Floats differ by the order of their sums.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from mlperf_mobile.contracts import Artifact, TensorSpec
from mlperf_mobile.errors import MobileError
from mlperf_mobile_backend_tflite.options import TFLiteOptions
from mlperf_mobile_tflite_model.reader import read

tflite = pytest.importorskip("mlperf_mobile_backend_tflite.backend")
pytest.importorskip("ai_edge_litert.interpreter")

QUICKSTARTS = {
    "image_classification": "fashion_mobilenet",
    "object_detection": "fashion_ssd",
    "question_answering": "facts_transformer",
    "semantic_segmentation": "fashion_segmenter",
    "super_resolution": "photo_edsr",
}


def sample(specs: tuple[TensorSpec, ...], rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    def tensor(spec: TensorSpec) -> np.ndarray:
        if spec.dtype.kind == "f":
            return rng.standard_normal(spec.shape).astype(spec.dtype)
        if spec.dtype.itemsize > 1:
            return rng.integers(0, 2, spec.shape).astype(spec.dtype)  # indices, which any table has
        limits = np.iinfo(spec.dtype)
        return rng.integers(limits.min, limits.max + 1, spec.shape).astype(spec.dtype)

    return tuple(map(tensor, specs))


def agree(backend: Callable, load: Callable, model: Path, steps: int, share: float) -> None:
    """Outputs are within ``steps`` of 8-bit numbers, or within ``share`` of the largest of floats."""
    rng = np.random.default_rng(0)
    with (
        load(backend(), model) as ours,
        tflite.TFLiteBackend(TFLiteOptions.model_validate({"threads": 1})).load(Artifact(model, "cpu")) as theirs,
    ):
        for mine, wanted in ((ours.inputs, theirs.inputs), (ours.outputs, theirs.outputs)):
            assert [(s.name, s.shape, s.dtype, s.zero_point) for s in mine] == [
                (s.name, s.shape, s.dtype, s.zero_point) for s in wanted
            ]
            assert [s.scale for s in mine] == pytest.approx([s.scale for s in wanted])
        assert set(ours.placement().operations) == {"npu"}
        names = {operator.name for operator in read(model).operators}
        assert set(ours.placement().names["npu"]) <= names
        for _ in range(3):
            inputs = sample(ours.inputs, rng)
            got, wanted = ([array.astype(np.float64) for array in each.run(inputs)] for each in (ours, theirs))
            for spec, a, b in zip(ours.outputs, got, wanted, strict=True):
                if spec.dtype.kind != "f" and not spec.scale:  # labels, of scores that may be near each other
                    assert (a == b).mean() > 0.995, spec.name
                    continue
                limit = share * np.abs(b).max() if spec.dtype.kind == "f" else steps
                assert np.abs(a - b).max() <= limit, spec.name


@pytest.mark.parametrize("kind", ["float32", "int8"])
@pytest.mark.parametrize(("task", "name"), QUICKSTARTS.items(), ids=QUICKSTARTS)
def test_quickstart_models(backend, load, task, name, kind):
    package = f"mlperf_mobile_task_{task}"
    pytest.importorskip(package)
    agree(backend, load, Path(str(files(package))) / "quickstart" / f"{name}_{kind}.tflite", steps=3, share=1e-5)


@pytest.mark.sampled(2)
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "steps", "share"),
    [
        ("efficientnet_lite0_uint8", 3, 0),
        ("deeplabv3_float", 0, 1e-4),
        ("ssd_mobilenetv2_oidv4_fp16", 0, 1e-4),
        ("esrgan_slim_x2_uint8", 8, 0),
        ("mobilebert_qa_random_dynint8", 0, 5e-2),  # LiteRT quantises activations as it runs; the adapter gets floats
    ],
)
def test_models_of_official_size(backend, load, shared, name, steps, share):
    agree(backend, load, shared / f"{name}.tflite", steps, share)


def test_operations_that_no_adapter_has(backend, compile_model, shared, monkeypatch):
    """They are named before the adapter is asked; MobileBERT's lookup is one, but is written as another."""
    from mlperf_mobile_backend_neuron import compiling

    monkeypatch.setattr(compiling, "translate", lambda graph: graph)
    with pytest.raises(MobileError) as caught:
        compile_model(backend(), shared / "mobilebert_qa_random_dynint8.tflite")
    assert caught.value.code == "unsupported-operations"
    assert "EMBEDDING_LOOKUP" in caught.value.summary
