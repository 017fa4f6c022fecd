"""With ``partial``, the CPU runs what the device does not take, and the placement says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mlperf_mobile.errors import ModelError

litert = pytest.importorskip("ai_edge_litert.interpreter")

TASKS = Path(__file__).parents[3] / "tasks"
(MODEL,) = TASKS.glob("*/src/*/quickstart/fashion_mobilenet_float32.tflite")


def sample(session):
    rng = np.random.default_rng(0)
    return tuple(rng.uniform(0, 1, spec.shape).astype(spec.dtype) for spec in session.inputs)


def expected(inputs):
    interpreter = litert.Interpreter(model_path=str(MODEL))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], *inputs)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def test_without_it_nothing_falls_back(backend, load):
    with pytest.raises(ModelError) as caught:
        load(backend(UNSUPPORTED="DEPTHWISE_CONV_2D,SOFTMAX"), MODEL)
    assert "does not support 6 of 14 operators" in caught.value.summary
    assert "5 DEPTHWISE_CONV_2D, 1 SOFTMAX" in caught.value.summary
    assert "partial=true" in caught.value.hint


@pytest.mark.parametrize(
    ("refused", "on_cpu"),
    [
        ("SOFTMAX", {"SOFTMAX": 1}),
        ("DEPTHWISE_CONV_2D", {"DEPTHWISE_CONV_2D": 5}),
        ("CONV_2D,SOFTMAX", {"CONV_2D": 6, "SOFTMAX": 1}),
    ],
)
def test_the_cpu_runs_the_rest(backend, load, refused, on_cpu):
    with load(backend(UNSUPPORTED=refused, partial=True), MODEL) as session:
        placement = session.placement()
        assert placement.names["cpu"] == on_cpu
        assert placement.operations == {"npu": 14 - sum(on_cpu.values()), "cpu": sum(on_cpu.values())}
        assert placement.kernels == {"nnapi": placement.operations["npu"], "litert": placement.operations["cpu"]}
        x = sample(session)
        for _ in range(3):
            outputs = session.run(x)
            np.testing.assert_allclose(outputs[0], expected(x), atol=1e-6)
            del outputs
        parts = session.report()["parts"]
        assert parts
        assert all(part["on_hardware"]["count"] == 3 for part in parts)


def test_a_model_that_is_taken_whole_is_not_divided(backend, load):
    with load(backend(partial=True), MODEL) as session:
        assert session.placement().operations == {"npu": 14}
        assert "parts" not in session.report()


def test_operations_that_nnapi_has_not(backend, load, stand_in):
    """A device of an old feature level lacks operations before it is asked."""
    (model,) = TASKS.glob("*/src/*/quickstart/facts_transformer_int8.tflite")
    old = stand_in(feature_level=3)  # int8 came with feature level 4
    with pytest.raises(ModelError, match="feature level 3"):
        load(backend(old), model)
    with load(backend(old, partial=True), model) as session:
        assert session.placement().operations["cpu"] > 20


def test_the_drivers_cache_holds_every_part(backend, load, tmp_path):
    """Compiled once, loaded from what the driver kept."""
    trace = tmp_path / "trace"
    with load(backend(UNSUPPORTED="DEPTHWISE_CONV_2D", TRACE=trace, partial=True), MODEL):
        calls = trace.read_text()
    assert calls.count("cache-hit") == calls.count("cache-store") == 6
