"""A task whose model cannot be loaded here is skipped by the kit; one that is broken fails it."""

from __future__ import annotations

import numpy as np
import pytest

from mlperf_mobile.errors import ModelError
from mlperf_mobile.registry import Registry
from mlperf_mobile_authoring import task_material
from mlperf_mobile_authoring.task_material import Material


@pytest.fixture
def material(tmp_path, monkeypatch):
    monkeypatch.setattr(task_material, "MOST_SAMPLES", 10**6)  # none is answered here
    return Material(Registry(), "image_classification", tmp_path, "tflite")


def patched(monkeypatch, material, kind, name, value):
    offer = getattr(material._registry, f"{kind}s")
    plan = material._plan
    chosen = {"task": plan.task, "backend": plan.backend, "dataset": plan.dataset.offer}[kind]
    monkeypatch.setattr(getattr(offer[chosen].info, kind).load(), name, value)


def broken(encoded):
    """A ``bind`` whose codec encodes every sample to this."""

    class Codec:
        def encode(self, sample):
            return encoded

        def decode(self, outputs):
            return b""

    return lambda self, inputs, outputs: Codec()


def refuses(*_):
    raise ModelError("model-input", "another model, please")


@pytest.mark.parametrize(
    ("encoded", "told"),
    [(None, "encode() returned None"), ((np.zeros((2, 64), np.float32),), "encode() returned float32[2,64] for input")],
)
def test_wrong_encoding_fails_every_test(monkeypatch, material, encoded, told):
    patched(monkeypatch, material, "task", "bind", broken(encoded))
    for part in (material.dataset, material.inputs, material.outputs, material.answers):
        with pytest.raises(pytest.fail.Exception) as caught:
            part()
        assert "task image_classification: sample 0 is encoded wrongly" in str(caught.value)
        assert told in str(caught.value)


def test_a_task_that_refuses_its_own_model_fails(monkeypatch, material):
    patched(monkeypatch, material, "task", "bind", refuses)
    with pytest.raises(pytest.fail.Exception, match="another model, please"):
        material.answers()


def test_no_samples_are_a_failure(monkeypatch, material):
    patched(monkeypatch, material, "dataset", "__len__", lambda self: 0)
    with pytest.raises(pytest.fail.Exception, match="has no samples"):
        material.dataset()


def test_a_model_that_cannot_be_loaded_is_skipped(monkeypatch, material):
    patched(monkeypatch, material, "backend", "load", refuses)
    with pytest.raises(pytest.skip.Exception, match="another model, please"):
        material.answers()
