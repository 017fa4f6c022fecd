"""A .tflite file with an open input gives no shape; an option that describes the inputs does."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlperf_mobile.errors import ModelError
from mlperf_mobile_backend_capi.shapes import of_model

MODEL = Path(__file__).parents[2] / "backend_tflite" / "tests" / "models" / "open_row.tflite"


@pytest.mark.parametrize("asked", [{}, {"x": (1, 6)}])
def test_open_inputs_are_refused(asked: dict[str, tuple[int, ...]]) -> None:
    pytest.importorskip("mlperf_mobile_tflite_model")
    if not MODEL.exists():
        pytest.skip("the models of backend_tflite's tests are not here")
    with pytest.raises(ModelError, match=r"x float32\[1,\?\]; backend capi supports fixed shapes only") as error:
        of_model(MODEL, asked)
    assert error.value.code == "open-shape"
    assert len(of_model(MODEL, None)[0]) == 1
