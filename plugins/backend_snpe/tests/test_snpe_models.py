"""Real models, compiled for two SoCs and run on the simulator."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlperf_mobile.contracts import Artifact, Session
from mlperf_mobile_backend_snpe.backend import SnpeBackend

Compile = Callable[..., tuple[SnpeBackend, Artifact]]

ROOT = Path(__file__).parents[3]
GENERATIVE = ("language_model", "text_to_image")  # caches and pipelines, which need the tflite backend
QUICKSTART = [
    path
    for path in sorted(ROOT.glob("tasks/*/src/*/quickstart/*.tflite"))
    if not set(GENERATIVE).intersection(path.parts)
]
SOCS = ("SM8650", "SM8750")

pytestmark = pytest.mark.slow


def sample(session: Session) -> tuple[np.ndarray[Any, Any], ...]:
    """Numbers that any of these models takes: pixels, or token numbers of a small vocabulary."""
    random = np.random.default_rng(0)
    found = []
    for spec in session.inputs:
        if spec.dtype.kind == "f":
            found.append(random.uniform(-1, 1, spec.shape).astype(spec.dtype))
        elif spec.dtype.itemsize == 1:
            limits = np.iinfo(spec.dtype)  # type: ignore[type-var]
            found.append(random.integers(limits.min, limits.max, spec.shape, spec.dtype, endpoint=True))
        else:
            found.append(random.integers(0, 2, spec.shape).astype(spec.dtype))
    return tuple(found)


def real(session: Session, outputs: tuple[np.ndarray[Any, Any], ...]) -> list[np.ndarray[Any, Any]]:
    """Outputs as real numbers."""
    return [
        (values.astype(np.float64) - spec.zero_point) * (spec.scale or 1)
        for values, spec in zip(outputs, session.outputs, strict=True)
    ]


def compare(model: Path, compile_model: Compile) -> None:
    """Compile for both SoCs, and compare with the CPU.

    Kernels differ by several steps of quantisation (XNNPACK and TensorFlow Lite's own by up to 13 of 256), and the
    HTP computes floats in 16 bits. So outputs are held, in the root mean square, to a tenth of their own spread and
    two steps; what a wrong order, layout or scale would do is far beyond that.
    """
    backend, plain = compile_model(model, "cpu")
    with backend.load(plain) as cpu:
        x = sample(cpu)
        expected = [values.copy() for values in real(cpu, cpu.run(x))]
        specs = cpu.inputs, cpu.outputs
    contexts = []
    for soc in SOCS:
        backend, artifact = compile_model(model, soc_model=soc)
        contexts.append(artifact.path.with_name("model.bin").read_bytes())
        with backend.load(artifact) as session:
            assert (session.inputs, session.outputs) == specs
            assert set(session.placement().operations) == {"htp-simulator"}
            if soc == SOCS[0]:
                found = real(session, session.run(x))
        for spec, one, other in zip(specs[1], expected, found, strict=True):
            if spec.dtype.kind == "i" and spec.dtype.itemsize > 1:  # class numbers
                assert np.mean(one != other) < 0.05
            else:
                assert np.sqrt(np.mean((one - other) ** 2)) <= 0.1 * np.std(one) + 2 * spec.scale + 1e-3
    assert contexts[0] != contexts[1]


@pytest.mark.sampled(5)
@pytest.mark.skipif(not QUICKSTART, reason="the tasks' quickstart models are not here")
@pytest.mark.parametrize("model", QUICKSTART, ids=lambda path: path.stem)
def test_quickstart_models(model: Path, compiler: None, compile_model: Compile) -> None:
    compare(model, compile_model)


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    "name", ["efficientnet_lite0_uint8", "deeplabv3_float", "ssd_mobilenetv2_oidv4_fp16", "esrgan_slim_x2_uint8"]
)
def test_reference_models(name: str, shared: Path, compiler: None, compile_model: Compile) -> None:
    compare(shared / f"{name}.tflite", compile_model)


@pytest.mark.nightly
def test_mobilebert_is_reported_as_too_large(shared: Path, compiler: None, compile_model: Compile) -> None:
    from mlperf_mobile.errors import ModelError

    with pytest.raises(ModelError) as raised:
        compile_model(shared / "mobilebert_qa_random_dynint8.tflite")
    assert raised.value.code == "unsupported-operations"
    assert "EMBEDDING_LOOKUP" in raised.value.summary
