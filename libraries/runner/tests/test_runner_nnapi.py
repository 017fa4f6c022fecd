"""The engine for NNAPI, on the library that stands in for it: the answers and refusals of the Python backend."""

import json
import os
import subprocess
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from network_files import lowered

from mlperf_mobile.contracts import Artifact
from mlperf_mobile_backend_nnapi.backend import NNAPIBackend
from mlperf_mobile_backend_nnapi.options import NNAPIOptions
from mlperf_mobile_neural_networks_stand_in import build

TASKS = Path(__file__).resolve().parents[3] / "tasks"
FIXED = ("image_classification", "object_detection", "question_answering", "semantic_segmentation", "super_resolution")
"""Tasks whose models are no pipelines and have no caches."""
MODELS = [model for task in FIXED for model in sorted(TASKS.glob(f"{task}/src/*/quickstart/*.tflite"))]


@pytest.fixture(scope="session")
def stand_in(built):
    """``stand_in(feature_level=4)``: the stand-in, compiled, or as it was compiled before."""
    return partial(build, built, "neuralnetworks", flags=("-Werror",))


@pytest.fixture
def double(models):
    """``y = x + x`` on float32[1, 4]."""
    return models.parents[2] / "backend_nnapi" / "tests" / "double.tflite"


def run(made, **settings):
    """The outcome of a case on a stand-in with settings: ``run(made, UNSUPPORTED="ADD")``."""
    variables = {f"NN_STAND_IN_{name}": str(value) for name, value in settings.items()}
    return made.outcome(made.start(env=os.environ | variables))


def described(made, **settings):
    """The process of ``--describe``."""
    path = made.folder / "described.json"
    path.write_text(json.dumps(made.plan))
    variables = {f"NN_STAND_IN_{name}": str(value) for name, value in settings.items()}
    command = [*made.command, "--describe", "--plan", path]
    return subprocess.run(command, check=False, capture_output=True, text=True, env=os.environ | variables)


def _drawn(random, spec):
    if spec.dtype.kind == "f":
        return random.random(spec.shape, spec.dtype)
    low, high = (0, 2) if spec.dtype.itemsize > 1 else (-100, 100)  # indices of words, and masks
    return random.integers(low, high, spec.shape).astype(spec.dtype)


@pytest.fixture
def made(case, stand_in, double, tensor, tmp_path):
    """``made(model, **fields)``: a case of a model, lowered; by default of ``double``."""

    def make(model=double, *, level=4, library=None, options=None, samples=12, **fields):
        network = lowered(model, tmp_path / f"{model.stem}.nnapi", level)
        library = str(library or stand_in())
        session = NNAPIBackend(NNAPIOptions(library=library)).load(Artifact(model, "cpu"))
        with session:
            ends = [
                [tensor(spec.dtype.name, *spec.shape, name=spec.name) for spec in specs]
                for specs in (session.inputs, session.outputs)
            ]
            random = np.random.default_rng(7)
            drawn = [tuple(_drawn(random, spec) for spec in session.inputs) for _ in range(samples)]
            answers = b"".join(output.tobytes() for sample in drawn for output in session.run(sample))
        found = case(
            engine="nnapi", library=library, model=str(network), options=options or {},
            inputs=ends[0], outputs=ends[1], samples=drawn, **fields,
        )  # fmt: skip
        if found.plan["performance"]:
            found.plan["performance"]["settings"] |= {"min_query_count": 32, "min_duration_ms": 1}
        found.answers = answers
        return found

    return make


@pytest.mark.sampled(3)
@pytest.mark.parametrize("model", MODELS, ids=lambda path: path.stem)
def test_answers_are_the_bits_of_the_python_backend(made, model):
    one = made(model, level=8)  # the stand-in's
    outcome = one.run()

    assert outcome.ended, outcome.events
    assert outcome.outputs() == one.answers


@pytest.mark.nightly
@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "efficientnet_lite0_uint8",
        "deeplabv3_float",
        "ssd_mobilenetv2_oidv4_fp16",
        "esrgan_slim_x2_uint8",
        "mobilebert_qa_random_dynint8",
    ],
)
def test_answers_of_real_models(made, shared, name):
    one = made(shared / f"{name}.tflite", level=8, samples=2, performance=None)
    outcome = one.run()

    assert outcome.ended, outcome.events
    assert outcome.outputs() == one.answers


def test_operators_are_placed_by_the_drivers_answer(made, quickstart):
    placed = made(quickstart / "fashion_mobilenet_int8.tflite").run().part("runner_placement")
    assert placed["operations"] == {"npu": 14}
    assert placed["names"]["npu"] == {
        "CONV_2D": 6, "DEPTHWISE_CONV_2D": 5, "MEAN": 1, "FULLY_CONNECTED": 1, "SOFTMAX": 1,
    }  # fmt: skip


@pytest.mark.parametrize(("level", "reused"), [(3, False), (4, False), (5, True)])
@pytest.mark.parametrize("burst", [True, False])
def test_libraries_of_every_level_are_driven_as_they_allow(made, stand_in, level, reused, burst):
    one = made(library=stand_in(feature_level=level), level=3, options={"burst": burst})
    outcome = one.run()

    assert outcome.ended, outcome.events
    assert outcome.outputs() == one.answers == b"".join((2 * sample).tobytes() for (sample,) in one.samples)
    (report,) = outcome.part("runner_sessions")["reports"]
    assert (report["burst"], report["reused"], report["shared_memory"]) == (burst, reused, True)


def test_a_driver_that_takes_no_shared_memory(made):
    one = made()
    outcome = run(one, FAIL="ANeuralNetworksMemory_createFromFd=OP_FAILED")

    assert outcome.outputs() == one.answers
    assert not outcome.part("runner_sessions")["reports"][0]["shared_memory"]


def test_the_drivers_durations_are_reported(made):
    (report,) = made().run().part("runner_sessions")["reports"]
    assert report["on_hardware"]["count"] >= 32
    assert 0 < report["on_hardware"]["p50_ns"] <= report["on_hardware"]["p90_ns"]
    (report,) = made(options={"timing": False}).run().part("runner_sessions")["reports"]
    assert "on_hardware" not in report


def test_sessions_answer_at_the_same_time(made):
    one = made(sessions=3)
    one.plan["performance"]["settings"] |= {"scenario": "Offline", "min_query_count": 300}
    outcome = one.run()

    assert outcome.ended, outcome.events
    assert outcome.outputs() == one.answers
    assert len(outcome.part("runner_sessions")["reports"]) == 3


def test_a_stand_in_is_named(made):
    facts = made().run().part("runner")

    assert facts["runtime"] == "NNAPI stand-in feature level 8"
    assert "never speed" in facts["stand_in"]
    assert facts["versions"]["nnapi"] == "8"


DEVICES = "a:accelerator,b:gpu,c:accelerator:30,nnapi-reference:cpu"


@pytest.mark.parametrize(
    ("options", "name", "level"),
    [
        ({}, "a", 8),
        ({"device": "c"}, "c", 4),
        ({"accelerator": "gpu"}, "b", 8),
        ({"accelerator": "cpu"}, "nnapi-reference", 8),
    ],
)
def test_one_device_is_selected(made, options, name, level):
    device = run(made(options=options), DEVICES=DEVICES).part("runner")["device"]

    assert (device["name"], device["feature_level"]) == (name, level)


@pytest.mark.parametrize(
    ("devices", "options", "code", "told"),
    [
        ("none", {}, "no-device", "NNAPI lists no device"),
        (DEVICES, {"device": "d"}, "no-device", "NNAPI has no device d"),
        (DEVICES, {"accelerator": "other"}, "no-accelerator", "no device for accelerator other"),
        ("nnapi-reference:cpu", {"disallow_cpu": True, "accelerator": "cpu"}, "no-device", "NNAPI lists no device"),
        ("old:accelerator:29", {}, "feature-level", "old has feature level 3, and the model was lowered for feature"),
    ],
)
def test_no_device_fits(made, devices, options, code, told):
    outcome = run(made(options=options), DEVICES=devices)

    assert (outcome.failure["code"], outcome.returncode) == (code, 5)
    assert told in outcome.failure["summary"]


def test_operations_that_the_device_does_not_take_are_named(made, quickstart):
    outcome = run(made(quickstart / "fashion_mobilenet_int8.tflite"), UNSUPPORTED="DEPTHWISE_CONV_2D,SOFTMAX")

    assert (outcome.failure["code"], outcome.returncode) == ("unsupported-operations", 3)
    told = "stand-in-npu does not support 6 of 14 operators of fashion_mobilenet_int8.nnapi"
    assert outcome.failure["summary"] == f"{told}: 5 DEPTHWISE_CONV_2D, 1 SOFTMAX"


@pytest.mark.parametrize(
    "options",
    [{"preference": "fast"}, {"priority": "urgent"}, {"run_timeout_s": -1}, {"run_timeout_s": 1e9}, {"partial": True}],
)
def test_options_that_are_wrong(made, options):
    outcome = made(options=options).run()

    assert outcome.failure["code"] == "runner-option"
    assert next(iter(options)) in outcome.failure["summary"]


def test_options_reach_the_driver(made, tmp_path):
    trace = tmp_path / "trace"
    options = {"priority": "high", "run_timeout_s": 2.5, "allow_fp16": True, "preference": "low_power"}
    assert run(made(options=options), TRACE=trace).ended
    calls = Counter(line.split()[0].removeprefix("ANeuralNetworks") for line in trace.read_text().splitlines())
    assert {
        "Compilation_setPreference", "Compilation_setPriority", "Execution_setTimeout",
        "Model_relaxComputationFloat32toFloat16",
    } <= set(calls)  # fmt: skip
    assert calls["Execution_create"] == 1  # for all runs


@pytest.mark.parametrize(("option", "value"), [("priority", "low"), ("run_timeout_s", 1.0)])
def test_options_that_an_older_library_lacks(made, stand_in, option, value):
    outcome = made(library=stand_in(feature_level=3), level=3, options={option: value}).run()

    assert outcome.failure["code"] == "runner-symbol"
    assert option in outcome.failure["summary"]


@pytest.mark.parametrize("library", ["missing", "too old"])
def test_libraries_that_do_not_fit(made, stand_in, tmp_path, library):
    one = made()
    one.plan["library"] = str(stand_in(feature_level=2) if library == "too old" else tmp_path / "libno-nnapi.so")
    outcome = one.run()

    assert outcome.failure["code"] == ("runner-symbol" if library == "too old" else "runner-library")


def test_one_sample_a_call(made):
    assert made(batch=2).run().failure["code"] == "batch-size"


FAULTS = {  # at a call: code, and what the summary says; the meanings are those of NeuralNetworks.h
    "Model_create=OUT_OF_MEMORY": ("device-memory", "Model_create gave OUT_OF_MEMORY"),
    "Model_addOperand=BAD_DATA": ("driver-refused", "BAD_DATA for operand 0"),
    "Model_addOperation=BAD_DATA": ("driver-refused", "BAD_DATA for operation 0, ADD"),
    "Model_finish=BAD_STATE": ("driver-failed", "Model_finish gave BAD_STATE"),
    "Model_getSupportedOperationsForDevices=DEAD_OBJECT": ("device-lost", "DEAD_OBJECT"),
    "Compilation_createForDevices=UNAVAILABLE_DEVICE": ("device-busy", "UNAVAILABLE_DEVICE"),
    "Compilation_finish=MISSED_DEADLINE_PERSISTENT": ("device-timeout", "MISSED_DEADLINE_PERSISTENT"),
    "Burst_create=RESOURCE_EXHAUSTED_PERSISTENT": ("device-busy", "RESOURCE_EXHAUSTED_PERSISTENT"),
    "Execution_setInputFromMemory=BAD_DATA": ("driver-refused", "Execution_setInputFromMemory"),
    "Execution_burstCompute@3=DEAD_OBJECT": ("device-lost", "burstCompute gave DEAD_OBJECT"),
    "Execution_burstCompute@9=4711": ("driver-failed", "the unknown result 4711"),
}


@pytest.mark.parametrize(("fault", "expected"), FAULTS.items(), ids=FAULTS)
def test_results_of_a_call(made, fault, expected):
    outcome = run(made(), FAIL=f"ANeuralNetworks{fault}")

    code, told = expected
    assert (outcome.failure["code"], outcome.returncode) == (code, 5)
    assert told in outcome.failure["summary"]


@pytest.mark.parametrize("how", ["crash", "exit"])
def test_driver_that_ends_the_process_leaves_a_run_that_has_not_ended(made, how):
    outcome = run(made(), FAIL=f"ANeuralNetworksExecution_burstCompute@20={how}")

    assert not outcome.ended
    assert all(event["event"] != "failed" for event in outcome.events)


def test_everything_is_freed_after_a_description(made, tmp_path):
    trace = tmp_path / "trace"
    found = described(made(), TRACE=trace)
    assert json.loads(found.stdout)["placement"]["operations"] == {"npu": 1}
    calls = [line.split()[0].removeprefix("ANeuralNetworks") for line in trace.read_text().splitlines()]
    created = Counter(call.partition("_")[0] for call in calls if "_create" in call)
    assert created == Counter(call.partition("_")[0] for call in calls if call.endswith("_free"))
    assert set(created) == {"Model", "Compilation", "Burst", "Execution", "Memory"}
