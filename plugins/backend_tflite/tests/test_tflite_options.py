from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from mlperf_mobile.contracts import CompileRequest
from mlperf_mobile_backend_tflite.backend import TFLiteBackend
from mlperf_mobile_backend_tflite.options import TFLiteOptions


def test_defaults() -> None:
    options = TFLiteOptions()
    assert (options.runtime, options.threads, options.shards) == (None, 1, None)
    assert (options.xnnpack, options.delegate, options.delegate_options) == (True, None, {})


def test_every_option_is_described() -> None:
    assert all(field.description for field in TFLiteOptions.model_fields.values())


@pytest.mark.parametrize(
    ("cores", "threads", "shards", "expected"),
    [(8, 1, None, 8), (8, 4, None, 2), (8, 3, None, 2), (2, 4, None, 1), (8, 1, 3, 3)],
)
def test_shards(monkeypatch, cores: int, threads: int, shards: int | None, expected: int) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)
    assert TFLiteBackend(TFLiteOptions.model_validate({"threads": threads, "shards": shards})).shards == expected


def test_shards_where_affinity_is_unknown(monkeypatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert TFLiteBackend(TFLiteOptions.model_validate({"threads": 2})).shards == 3


def test_numbers_among_the_delegates_options_become_text() -> None:
    options = TFLiteOptions.model_validate({"delegate": "libx.so", "delegate_options": {"cache": 3}})
    assert options.delegate_options == {"cache": "3"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"threads": 0},
        {"threads": "many"},
        {"shards": 0},
        {"runtime": "tensorflow"},
        {"delegate": ""},
        {"delegate": "libx.so", "delegate_options": {"cache": [1]}},
        {"thread": 1},
    ],
)
def test_wrong_values_are_named(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=list(wrong)[-1]):
        TFLiteOptions.model_validate(wrong)


def test_delegate_options_without_a_delegate() -> None:
    with pytest.raises(ValidationError, match="delegate_options needs the option delegate"):
        TFLiteOptions.model_validate({"delegate_options": {"a": "b"}})


def test_options_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        TFLiteOptions().threads = 2


def test_the_cpu_beside_a_delegate(models: Path, delegate: str, tmp_path: Path) -> None:
    """Sessions of both may work side by side; the CPU's have no delegate."""
    backend = TFLiteBackend(TFLiteOptions.model_validate({"delegate": delegate}))
    placements = {}
    for accelerator, other in (("cpu", "delegate"), ("delegate", "cpu")):
        request = CompileRequest(models / "add.tflite", accelerator, directory=tmp_path, beside=(other,))
        with backend.load(backend.compile(request)) as session:
            placements[accelerator] = session.placement().operations
            x = np.array([[1, 2, 3, 4]], np.float32)
            np.testing.assert_array_equal(session.run((x,))[0], x + x)
    assert placements == {"cpu": {"cpu": 1}, "delegate": {"delegate": 1}}
