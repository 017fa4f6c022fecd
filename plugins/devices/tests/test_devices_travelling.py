"""All files of a model travel, and the plan on the device names them there."""

from __future__ import annotations

import json

import pytest

from mlperf_mobile.errors import ModelError
from mlperf_mobile.plan import CompilePlan, ModelFileRef, ModelRef, identity
from mlperf_mobile_devices.travelling import digested, for_device


@pytest.fixture
def plan(tmp_path):
    for name in ("lm.tflite", "tokenizer.model"):
        (tmp_path / name).write_text(name)
    files = {name: ModelFileRef(path=tmp_path / name) for name in ("lm.tflite", "tokenizer.model")}
    model = ModelRef(name="lm", path=tmp_path / "lm.tflite", format="tflite", files=files)
    return CompilePlan(
        schema=1, **identity("test"), model=model,
        backend="acme", accelerators={"npu": None}, batch=1, silence_timeout_s=1, compile_timeout_s=1,
        backend_options={}, offered_by={}, cache=tmp_path / "cache", sources={},
    )  # fmt: skip


def test_every_file_travels_once(plan, tmp_path):
    (tmp_path / "cache").mkdir()
    items = digested(plan, tmp_path / "results")
    assert [item.name for item in items] == ["lm.tflite", "tokenizer.model"]
    places = {str(tmp_path / item.name): f"/data/store/{item.sha256}/{item.name}" for item in items}
    model = json.loads(for_device(plan, places, "/data"))["model"]
    there = {name: part["path"] for name, part in model["files"].items()}
    assert there == {item.name: f"/data/store/{item.sha256}/{item.name}" for item in items}
    assert model["path"] == there["lm.tflite"]


def test_a_missing_file_is_named(plan, tmp_path):
    (tmp_path / "tokenizer.model").unlink()
    with pytest.raises(ModelError, match=r"tokenizer\.model: it does not exist"):
        digested(plan, tmp_path / "results")
