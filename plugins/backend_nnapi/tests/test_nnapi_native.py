"""What the backend tells a runner without Python: the network's file, the engine's options, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mlperf_mobile.contracts import NativeEngine, NativePlace, NativeRequest
from mlperf_mobile.errors import MobileError, OutputError
from mlperf_mobile_backend_nnapi.backend import NNAPIBackend
from mlperf_mobile_backend_nnapi.options import NNAPIOptions

PHONE = NativePlace(system="android", machine="aarch64", same=False, cores=8)
HERE = NativePlace(system="linux", machine="x86_64", same=True, here=True)
QUICKSTART = (
    Path(__file__)
    .parents[3]
    .joinpath("tasks", "image_classification", "src", "mlperf_mobile_task_image_classification", "quickstart")
)
INT8, FLOAT32 = (QUICKSTART / f"fashion_mobilenet_{kind}.tflite" for kind in ("int8", "float32"))


def native(model: Path, folder: Path, place: NativePlace = PHONE, batch: int = 1, **options: object) -> NativeEngine:
    backend = NNAPIBackend(NNAPIOptions.model_validate(options))
    return backend.native(
        NativeRequest(model=model, accelerator="npu", place=place, batch=batch, directory=folder)
    )  # fmt: skip


def level_of(engine: NativeEngine) -> int:
    """The feature level in the file."""
    assert engine.model is not None
    text = engine.model.read_bytes()[24:]
    return int(json.JSONDecoder().raw_decode(text.decode("latin-1"))[0]["feature_level"])


def test_the_engine_for_a_phone(tmp_path):
    engine = native(INT8, tmp_path, device="acme-npu", priority="high", shards=3, run_timeout_s=2.5)
    assert (engine.engine, engine.library, engine.model) == (
        "nnapi", "libneuralnetworks.so", tmp_path / "fashion_mobilenet_int8.nnapi",
    )  # fmt: skip
    assert engine.options == {
        "accelerator": "npu", "device": "acme-npu", "disallow_cpu": False, "allow_fp16": False,
        "preference": "fast_single_answer", "priority": "high", "burst": True, "timing": True, "run_timeout_s": 2.5,
    }  # fmt: skip
    assert engine.sessions == 3
    assert [(spec.shape, spec.dtype) for spec in (*engine.inputs, *engine.outputs)] == [
        ((1, 28, 28, 1), np.int8), ((1, 10), np.int8),
    ]  # fmt: skip
    assert not engine.functional_only  # only the runner can see what its library is


@pytest.mark.parametrize(("model", "level"), [(INT8, 4), (FLOAT32, 3)], ids=["int8", "float32"])
def test_a_phone_gets_the_lowest_level_that_has_all_operations(tmp_path, model, level):
    """Signed 8-bit tensors came with Android 11, devices to choose from with Android 10 (NeuralNetworksTypes.h)."""
    assert level_of(native(model, tmp_path)) == level


def test_the_level_is_the_option(tmp_path):
    assert level_of(native(FLOAT32, tmp_path, feature_level=6)) == 6
    with pytest.raises(MobileError, match="cannot run on feature level 3") as caught:
        native(INT8, tmp_path, feature_level=3)
    assert caught.value.code == "unsupported-operations"


def test_this_machines_driver_is_asked(backend, tmp_path):
    asked = backend(DEVICES="a:accelerator:30")
    engine = asked.native(NativeRequest(model=FLOAT32, accelerator="npu", place=HERE, directory=tmp_path))
    assert level_of(engine) == 4
    with pytest.raises(MobileError, match="no device for accelerator gpu"):
        asked.native(NativeRequest(model=FLOAT32, accelerator="gpu", place=HERE, directory=tmp_path))


def test_a_level_that_the_device_does_not_have(backend, load, double):
    with pytest.raises(MobileError, match="a has feature level 4, and the option feature_level is 5") as caught:
        load(backend(DEVICES="a:accelerator:30", feature_level=5), double)
    assert caught.value.code == "feature-level"


def test_equal_models_give_equal_files(tmp_path):
    files = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        made = native(INT8, tmp_path / name).model
        assert made is not None
        files.append(made.read_bytes())
    assert files[0] == files[1]


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"partial": True}, "native-option"),
        ({"driver_cache": True}, "native-option"),
        ({"library": "/no/libneuralnetworks.so"}, "native-library"),
        ({"batch": 2}, "batch-size"),
    ],
    ids=str,
)
def test_what_the_engine_does_not_do(tmp_path, options, code):
    with pytest.raises(MobileError) as caught:
        native(INT8, tmp_path, **options)
    assert caught.value.code == code
    assert next(iter(options)) in caught.value.summary + caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_library_of_this_machine_is_sent(tmp_path, library):
    assert native(INT8, tmp_path, library=str(library)).library == library


def test_a_damaged_model(tmp_path):
    model = tmp_path / "broken.tflite"
    model.write_bytes(INT8.read_bytes()[:2000])
    with pytest.raises(MobileError) as caught:
        native(model, tmp_path)
    assert caught.value.code == "model-damaged"


def test_a_folder_that_cannot_be_written(tmp_path):
    with pytest.raises(OutputError) as caught:
        native(INT8, tmp_path / "missing")
    assert caught.value.code == "output-unwritable"
