"""Profiles of operators: real ones against the operators that the file has, and their summary."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from mlperf_mobile.contracts import Artifact, NativePlace, NativeRequest, ReportingSession
from mlperf_mobile.errors import BackendError
from mlperf_mobile_backend_tflite import profiled, profiler_events, runtime
from mlperf_mobile_backend_tflite.backend import TFLiteBackend
from mlperf_mobile_backend_tflite.options import TFLiteOptions
from mlperf_mobile_backend_tflite.profiled import Profiler, summarise
from mlperf_mobile_backend_tflite.profiler_events import DELEGATED, OPERATOR, PHASE, Event, Unavailable
from mlperf_mobile_backend_tflite.runtime import Runtime
from mlperf_mobile_tflite_model import reader

KERNELS = {"ADD": "Add", "MUL": "Multiply", "RELU": "Clamp"}
"""XNNPACK's names of the operators (src/operator-strings.yaml of google/XNNPACK)."""


@pytest.fixture
def litert() -> Runtime:
    found = runtime.load()
    if found.name != "litert" or profiled._release(found.version) < profiled.LEAST or not runtime.installed_library():
        pytest.skip("needs LiteRT with its C interface")
    return found


def report(session) -> dict:
    session.run(tuple(np.full(spec.shape, 1, spec.dtype) for spec in session.inputs))
    assert isinstance(session, ReportingSession)
    found = session.report()
    assert json.loads(json.dumps(found)) == found
    return found["profile"]


def test_the_operators_are_those_of_the_file(load, models: Path, litert: Runtime) -> None:
    with load("mixed", profile=True) as session:
        found = report(session)
    expected = [KERNELS[operator.name] for operator in reader.read(models / "mixed.tflite").operators]
    in_order = sorted(found["nodes"], key=lambda node: node["index"])
    assert [node["node"].split()[0] for node in in_order] == expected
    assert [node["index"] for node in in_order] == list(range(len(expected)))
    assert found["node_count"] == len(expected)
    assert found["phases"]["Invoke"]["count"] == found["runs"] == profiled.RUNS


def test_a_real_networks_time_is_in_its_convolutions(litert: Runtime, load) -> None:
    quickstart = pytest.importorskip("mlperf_mobile_task_image_classification")
    path = Path(quickstart.__path__[0], "quickstart", "fashion_mobilenet_float32.tflite")
    with load(path, profile=True) as session:
        found = report(session)
    operators = Counter(operator.name for operator in reader.read(path).operators)
    kernels = Counter(node["node"].split(" (")[0] for node in found["nodes"])
    depthwise = sum("DWConv" in node["node"] for node in found["nodes"])
    assert depthwise == operators["DEPTHWISE_CONV_2D"]
    assert kernels["Softmax"] == operators["SOFTMAX"]
    # XNNPACK runs convolutions of 1 x 1 as fully connected operators.
    computing = operators["CONV_2D"] + operators["DEPTHWISE_CONV_2D"] + operators["FULLY_CONNECTED"]
    assert kernels["Convolution"] + kernels["Fully Connected"] == computing
    means = [node["mean"] for node in found["nodes"]]
    assert means == sorted(means, reverse=True)
    assert sum(node["share"] for node in found["nodes"]) == pytest.approx(1, abs=0.01)
    assert 0 < found["total"] <= found["phases"]["Invoke"]["mean"]


def test_built_in_kernels_have_the_files_names(load, models: Path, litert: Runtime) -> None:
    with load("gather", profile=True) as session:
        found = report(session)
    assert [node["node"] for node in found["nodes"]] == [
        operator.name for operator in reader.read(models / "gather.tflite").operators
    ]


def test_a_batch_is_profiled_whole(load, litert: Runtime) -> None:
    with load("open_batch", batch=3, profile=True) as session:
        found = report(session)
    assert (found["batch"], found["node_count"]) == (3, 1)


def test_a_model_that_litert_does_not_run_says_why(load, litert: Runtime) -> None:
    with load("dynamic", profile=True) as session:
        assert report(session)["problem"].startswith("there is no profile: LiteRtRunCompiledModel failed")


def test_without_the_option_there_is_no_report(load) -> None:
    with load("add") as session:
        assert not isinstance(session, ReportingSession)


@pytest.mark.parametrize(("options", "artifact", "why"), [
    ({"xnnpack": False}, {}, "always applies XNNPACK"),
    ({}, {"tokens": True}, "language model"),
    ({}, {"facts": {"pipeline": True}}, "pipeline"),
    ({"delegate": "libany.so"}, {"accelerator": "delegate"}, "external delegates"),
])  # fmt: skip
def test_what_cannot_be_profiled_is_refused(models: Path, options: dict, artifact: dict, why: str) -> None:
    backend = TFLiteBackend(TFLiteOptions(profile=True, **options))
    with pytest.raises(BackendError, match=why) as raised:
        backend.load(Artifact(models / "add.tflite", **({"accelerator": "cpu"} | artifact)))
    assert raised.value.code == "no-profile"


@pytest.mark.parametrize(("name", "version", "why"), [
    ("tflite-runtime", "2.14.0", "has no profiler"),
    ("litert", "2.1.0", "older than 2.3"),
    ("litert", "unknown", "older than 2.3"),
])  # fmt: skip
def test_other_runtimes_say_why_there_is_none(models: Path, name: str, version: str, why: str) -> None:
    found = Profiler(Runtime(name, version, None), models / "add.tflite", 1).profile([])
    assert why in found["problem"]


def test_a_wheel_without_the_library_says_so(models: Path, monkeypatch) -> None:
    monkeypatch.setattr(profiled, "installed_library", lambda: None)
    found = Profiler(Runtime("litert", "2.3.0", None), models / "add.tflite", 1).profile([])
    assert "has no libLiteRt.so" in found["problem"]


def test_a_library_without_the_profiler_says_so(tmp_path: Path, models: Path) -> None:
    library = tmp_path / "libLiteRt.so"
    library.write_bytes(b"no library")
    with pytest.raises(Unavailable, match="cannot be loaded"), profiler_events.opened(library, models, 1, []):
        pass


@pytest.mark.parametrize(
    ("written", "is_full"), [(2 * 104, True), (2 * 104 - 4, True), (2 * 88, False), (2 * 112, False)]
)
def test_events_of_another_size_are_not_read(written: int, is_full: bool) -> None:
    memory = b"\0" * written + b"\xa5" * (4 * 104 - written)
    assert profiler_events._is_full(memory, 2) is is_full


class TestSummary:
    RUNS = (
        [Event("Invoke", PHASE, 30), Event("Conv", DELEGATED, 20), Event("ADD", OPERATOR, 4), Event("x", 32, 9)],
        [Event("Invoke", PHASE, 50), Event("Conv", DELEGATED, 40), Event("ADD", OPERATOR, 16), Event("x", 32, 9)],
    )

    def test_means_and_shares(self) -> None:
        found = summarise(self.RUNS)
        assert found["nodes"] == [
            {"node": "Conv", "index": 0, "mean": 30.0, "unit": "us", "share": 0.75},
            {"node": "ADD", "index": 1, "mean": 10.0, "unit": "us", "share": 0.25},
        ]
        assert found["phases"] == {"Invoke": {"count": 2, "total": 80, "mean": 40.0, "unit": "us"}}
        assert (found["total"], found["node_count"], found["runs"]) == (40.0, 2, 2)

    def test_only_the_slowest_are_listed(self) -> None:
        found = summarise([[Event("ADD", OPERATOR, time) for time in range(1000)]])
        assert [node["index"] for node in found["nodes"]] == list(range(999, 949, -1))
        assert found["node_count"] == 1000

    @pytest.mark.parametrize(("runs", "why"), [
        ([[Event("Invoke", PHASE, 1)]], "timed no operator"),
        ([[Event("ADD", OPERATOR, 1)], [Event("MUL", OPERATOR, 1)]], "differ between runs"),
        ([[Event("WHILE", OPERATOR, 2), Event("ADD", OPERATOR, 1)]], "WHILE"),
    ])  # fmt: skip
    def test_what_has_no_summary(self, runs, why: str) -> None:
        with pytest.raises(Unavailable, match=why):
            summarise(runs)


def test_the_native_runner_has_no_profiles(models: Path) -> None:
    place = NativePlace(system="linux", machine="x86_64", same=True)
    request = NativeRequest(model=models / "add.tflite", accelerator="cpu", place=place)
    with pytest.raises(BackendError) as caught:
        TFLiteBackend(TFLiteOptions(profile=True)).native(request)
    assert (caught.value.code, "profile" in caught.value.summary) == ("native-option", True)
