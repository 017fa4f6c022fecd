"""LiteRT's own compiler plugin for MediaTek drives the stand-in; what it stores runs here, and agrees with LiteRT."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from mlperf_mobile.contracts import Artifact, Session
from mlperf_mobile.errors import MobileError
from mlperf_mobile_backend_tflite.options import TFLiteOptions

pytest.importorskip("ai_edge_litert.aot")
tflite = pytest.importorskip("mlperf_mobile_backend_tflite.backend")

pytestmark = pytest.mark.slow

COMPILE = """
import sys
from ai_edge_litert.aot import aot_compile
from ai_edge_litert.aot.vendors.mediatek import target

wanted = target.Target(target.SocModel(sys.argv[3]))
done = aot_compile.aot_compile(sys.argv[1], output_dir=sys.argv[2], target=wanted, keep_going=False)
assert done.models_with_backend and not done.failed_backends, done.failed_backends
"""


def ahead_of_time(model: Path, folder: Path, libraries: Path, soc: str = "MT6989") -> Path:
    """The .tflite file that LiteRT's compiler makes of ``model``, with the stand-in for the Neuron adapter."""
    env = os.environ | {"LD_LIBRARY_PATH": str(libraries), "TMPDIR": str(folder)}
    command = [sys.executable, "-W", "ignore", "-c", COMPILE, model, folder, soc]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=250, check=False)
    told = "".join(path.read_text(errors="replace")[-3000:] for path in folder.glob("*.error"))
    assert done.returncode == 0, done.stderr[-3000:] + told
    (made,) = [path for path in folder.glob("*.tflite") if path.stat().st_size]
    return made


def sample(session: Session, seed: int) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    return tuple(
        rng.standard_normal(spec.shape).astype(np.float32)
        if spec.dtype == np.float32
        else rng.integers(np.iinfo(spec.dtype).min, np.iinfo(spec.dtype).max + 1, spec.shape).astype(spec.dtype)
        for spec in session.inputs
    )


def agree(ours: Session, model: Path, step: float) -> None:
    """Outputs are within ``step`` of LiteRT's: of the range of floats, or in steps of quantised ones."""
    with tflite.TFLiteBackend(TFLiteOptions.model_validate({"threads": 1})).load(Artifact(model, "cpu")) as theirs:
        assert [(spec.shape, spec.dtype) for spec in ours.inputs] == [(s.shape, s.dtype) for s in theirs.inputs]
        assert ours.outputs[0].scale == pytest.approx(theirs.outputs[0].scale)
        for seed in range(3):
            inputs = sample(ours, seed)
            mine = [np.array(array, np.float64) for array in ours.run(inputs)]
            wanted = [np.array(array, np.float64) for array in theirs.run(inputs)]
            for a, b in zip(mine, wanted, strict=True):
                span = 1.0 if ours.outputs[0].dtype != np.float32 else max(1e-6, np.abs(b).max())
                assert np.abs(a - b).max() <= step * span


@pytest.mark.parametrize(("kind", "step"), [("float32", 1e-2), ("int8", 6)])
def test_a_quickstart_model(backend, load, libraries, tmp_path, on_soc, kind, step):
    """The steps are those between two kernels: halves of 11 bits, and roundings of 8 bits layer by layer."""
    package = "mlperf_mobile_task_image_classification"
    pytest.importorskip(package)
    model = Path(str(files(package))) / "quickstart" / f"fashion_mobilenet_{kind}.tflite"
    (tmp_path / "out").mkdir()
    made = ahead_of_time(model, tmp_path / "out", libraries)
    with on_soc("mt6989"), load(backend(SOC="mt6989"), made) as session:
        assert session.placement().names == {"npu": {"COMPILED_NETWORK": 1}}
        agree(session, model, step)


def test_it_is_for_a_soc_and_a_version(backend, compile_model, libraries, double, tmp_path, on_soc):
    (tmp_path / "out").mkdir()
    made = ahead_of_time(double, tmp_path / "out", libraries, "MT6991")
    with on_soc("mt6991"):
        artifact = compile_model(backend(), made)
        backend(SOC="mt6991").load(artifact).__exit__(None, None, None)
        assert artifact.facts["soc"] == "mt6991"
        assert artifact.facts["version"] == backend().probe().versions["neuron_adapter"]
    with on_soc("mt6989"), pytest.raises(MobileError) as caught:
        backend(SOC="mt6989").load(artifact)
    assert caught.value.code == "network-soc"


def test_what_litert_leaves_to_the_cpu(backend, compile_model, libraries, tmp_path):
    """The plugin takes no DEPTH_TO_SPACE: such a file is refused by name, not run in part."""
    package = "mlperf_mobile_task_super_resolution"
    pytest.importorskip(package)
    model = Path(str(files(package))) / "quickstart" / "photo_edsr_float32.tflite"
    (tmp_path / "out").mkdir()
    with pytest.raises(MobileError) as caught:
        compile_model(backend(), ahead_of_time(model, tmp_path / "out", libraries))
    assert caught.value.code == "network-partial"
    assert "DEPTH_TO_SPACE" in caught.value.summary
