"""Options are checked before anything reaches a library."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile_backend_neuron.backend import NeuronBackend
from mlperf_mobile_backend_neuron.options import NeuronOptions, tensor


def test_the_reference_apps_are_the_defaults():
    options = NeuronOptions()
    assert (options.preference, options.priority, options.allow_fp16) == ("turbo_boost", "high", True)


@pytest.mark.parametrize(
    "options",
    [
        {"preference": "fastest"},
        {"priority": 110},
        {"boost": 101},
        {"boost": -1},
        {"optimize": ["low_latency", "magic"]},
        {"soc": "sm8650"},
        {"soc": "mt6989; rm -rf /"},
        {"arch": "mdla3"},
        {"arch": "mdla3.0 --help"},
        {"dma_heap": "../../etc/passwd"},
        {"memory": "gpu"},
        {"via": "nnapi"},
        {"l1_kb": 0},
        {"abort_ms": 65536},
        {"shards": 0},
        {"thread_pool_size": 16},
        {"ncc_options": ["-d", "/etc/passwd"]},
        {"ncc_options": ["--arch=mdla5.1"]},
        {"ncc_options": ["--dla-file=x"]},
        {"ncc_options": ["model.tflite"]},
        {"ncc_options": ["--opt-bw --relax-fp32"]},
        {"inputs": ["uint8"]},
        {"inputs": ["x=complex64[1]"]},
        {"inputs": ["uint8[0]"]},
        {"inputs": ["uint8[1,]"]},
        {"inputs": ["uint8[1] nan 0"]},
        {"inputs": ["uint8[1] -1 0"]},
        {"inputs": ["uint8[1] 0.5 0.5"]},
        {"outputs": ["float32[99999999999]"]},
    ],
    ids=str,
)
def test_wrong_ones_are_refused(options):
    with pytest.raises(ValidationError, match=next(iter(options))):
        NeuronOptions.model_validate(options)


def test_right_ones_are_taken():
    options = {
        "preference": "low_power", "priority": "low", "boost": 0, "optimize": ["deep_fusion", "low_latency"],
        "soc": "MT6989", "arch": "mdla5.1,edpa1.0", "ncc_options": ["--opt-bw", "--l1-size-kb=2048", "-O3"],
    }  # fmt: skip
    assert NeuronBackend(NeuronOptions.model_validate(options)).shards == 1


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("uint8[1,224,224,3]", TensorSpec("tensor_7", (1, 224, 224, 3), np.dtype(np.uint8))),
        ("image=int8[1,4] 0.0078125 -128", TensorSpec("image", (1, 4), np.dtype(np.int8), 0.0078125, -128)),
        (" a:0=float32[10] ", TensorSpec("a:0", (10,), np.dtype(np.float32))),
    ],
)
def test_tensors_as_text(text, spec):
    assert tensor(text, 7) == spec
