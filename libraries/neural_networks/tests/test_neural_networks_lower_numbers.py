"""What lowered operators compute on the stand-in is what TensorFlow Lite computes.

LiteRT's own kernels are the measure, not XNNPACK. Floats may differ by rounding; quantised outputs not at all where the
arithmetic is the same, and by a step where the API prescribes other roundings or the lowering goes through float32.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest

from mlperf_mobile.contracts import Tensors
from mlperf_mobile_neural_networks.build import Model
from mlperf_mobile_neural_networks.compilation import compile_network
from mlperf_mobile_neural_networks.devices import devices
from mlperf_mobile_neural_networks.driver import Dialect, Driver
from mlperf_mobile_neural_networks.execution import Execution, Running
from mlperf_mobile_neural_networks.graph import Graph
from mlperf_mobile_neural_networks.lower import lower, unsupported
from mlperf_mobile_tflite_model.reader import read

STEP = 1
"""Quantised values may differ by so much: LiteRT multiplies in fixed point, and others in floating point."""

MOVES = {
    "BATCH_TO_SPACE_ND", "DEPTH_TO_SPACE", "EXPAND_DIMS", "GATHER", "MAX_POOL_2D", "MIRROR_PAD", "PACK", "PAD", "PADV2",
    "RELU", "RELU6", "RESHAPE", "RESIZE_NEAREST_NEIGHBOR", "REVERSE_V2", "SELECT", "SLICE", "SPACE_TO_BATCH_ND",
    "SPACE_TO_DEPTH", "SPLIT", "SPLIT_V", "SQUEEZE", "STRIDED_SLICE", "TILE", "TOPK_V2", "TRANSPOSE", "UNPACK",
}  # fmt: skip
"""Nothing is computed: there is nothing to round."""


@pytest.fixture(scope="session")
def driver(built: Path) -> Driver:
    """The stand-in for NNAPI."""
    stand_in = pytest.importorskip("mlperf_mobile_neural_networks_stand_in")
    library = stand_in.build(built, "neuralnetworks", flags=("-Werror",))
    return Driver(str(library), Dialect("ANeuralNetworks", "NNAPI", {0: "NO_ERROR"}, (), ""))


@contextmanager
def running(driver: Driver, graph: Graph) -> Iterator[Execution]:
    device = next(device for device in devices(driver) if device.kind == "accelerator")
    with closing(Model(driver, graph)) as network:
        assert all(network.supported([device.pointer])), [
            operation.code.name
            for operation, takes in zip(graph.operations, network.supported([device.pointer]), strict=True)
            if not takes
        ]
        with (
            closing(compile_network(driver, network, [device.pointer])) as compilation,
            closing(
                Execution(driver, compilation.pointer, graph.input_specs, graph.output_specs, Running(), "made")
            ) as execution,
        ):
            yield execution


def litert(path: Path, sample: Tensors) -> list[np.ndarray]:
    module = pytest.importorskip("ai_edge_litert.interpreter")
    kernels = module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = module.Interpreter(model_path=str(path), experimental_op_resolver_type=kernels)
    interpreter.allocate_tensors()
    for detail, tensor in zip(interpreter.get_input_details(), sample, strict=True):
        interpreter.set_tensor(detail["index"], tensor)
    interpreter.invoke()
    return [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]


@pytest.mark.parametrize("level", [8, 5])
def test_operators(driver, maker, each_case, level) -> None:
    def check(case) -> None:
        path = maker.write([case])
        model = read(path)
        if unsupported(model, level):
            return  # by test_neural_networks_lower_structure.py, where it may be
        rng = np.random.default_rng(5)
        with running(driver, lower(model, level)) as execution:
            for _ in range(3):
                fed = [t for t in case.inputs if t is not None and t.value is None]
                sample = tuple(t.draw(rng, case.low) for t in fed)
                wanted = litert(path, sample)
                found = execution.run(sample)
                for ours, theirs in zip(found, wanted, strict=True):
                    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
                    if ours.dtype == np.float32:
                        np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=max(2e-6, case.loose))
                    else:
                        steps = np.abs(ours.astype(np.int64) - theirs.astype(np.int64)).max()
                        assert steps <= (STEP if ours.dtype.itemsize == 1 and case.name not in MOVES else 0)

    each_case(check)


@pytest.mark.parametrize("background", [True, False])
@pytest.mark.parametrize("regular", [True, False])
def test_detector(driver, maker, detector, background, regular) -> None:
    path = maker.write([detector(background=background, use_regular_nms=regular)])
    rng = np.random.default_rng(5)
    with running(driver, lower(read(path), 8)) as execution:
        for _ in range(5):
            boxes, scores = (rng.uniform(-1, 1, spec.shape).astype(np.float32) for spec in execution.inputs)
            sample = (boxes, np.abs(scores))
            found, wanted = execution.run(sample), litert(path, sample)
            count = int(wanted[3].item())
            assert found[3].item() == count
            for ours, theirs in zip(found[:3], wanted[:3], strict=True):
                np.testing.assert_allclose(ours[:, :count], theirs[:, :count], rtol=1e-5, atol=1e-6)
