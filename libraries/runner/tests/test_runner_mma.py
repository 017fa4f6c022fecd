"""The engine for vendors' libraries, on the library that stands in for one in the tests of the backend capi."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from mlperf_mobile.testing.c_library import compile_c

VENDOR = Path(__file__).resolve().parents[3] / "plugins" / "backend_capi" / "tests" / "test_vendor.c"


@pytest.fixture(scope="module")
def vendors(tmp_path_factory):
    """Two stand-ins: with an allocator of its own, and without."""
    folder = tmp_path_factory.mktemp("vendors")
    return [
        str(compile_c(folder / "libwith.so", VENDOR, "-DWITH_BUFFERS")),
        str(compile_c(folder / "libwithout.so", VENDOR)),
    ]


@pytest.fixture
def made(case, vendors, tmp_path, tensor):
    """A case with the model ``double`` of 16 numbers."""
    model = tmp_path / "double.model"
    model.write_text("CAPITEST double float32 16 end")

    def make(**fields):
        random = np.random.default_rng(5)
        row = [tensor("float32", 1, 16)]
        samples = [(random.random((1, 16), np.float32),) for _ in range(20)]
        start = {"engine": "mma", "library": vendors[0], "model": str(model), "inputs": row, "outputs": row}
        return case(
            **start | {"samples": samples, "options": {"device_model": "any", "accelerator_desc": "HTP"}} | fields
        )

    return make


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("batch", [1, 4])
def test_answers_are_the_librarys(made, vendors, which, batch):
    one = made(library=vendors[which], batch=batch)
    one.plan["performance"]["settings"] |= {"scenario": "Offline" if batch > 1 else "SingleStream"}
    outcome = one.run()

    assert outcome.ended, outcome.events
    assert outcome.outputs() == b"".join((sample + sample).tobytes() for (sample,) in one.samples)
    assert outcome.part("runner")["versions"]["vendor_name"]
    assert outcome.part("runner_placement")["claim"] == "HTP"


def test_settings_reach_the_library(made):
    outcome = made(options={"device_model": "any", "settings": [["defect", "issue_query:fail"]]}).run()

    assert outcome.failure["code"] == "backend-failed"
    assert "mlperf_backend_issue_query failed" in outcome.failure["summary"]


def test_device_that_the_library_does_not_support(made):
    for model in ("case 2", "case 3", "case 4"):
        outcome = made(options={"device_model": model, "device_manufacturer": "Maker", "native_lib_path": "/l"}).run()
        assert outcome.failure["code"] == "mma-device"
    assert "libraries are in /l" in outcome.failure["summary"]


def test_library_holds_one_model_at_a_time(made):
    assert made(sessions=2).run().failure["code"] == "runner-plan"


def test_tensors_are_compared_by_their_numbers_of_elements(made, tensor):
    wrong = made(inputs=[tensor("float32", 1, 15)], samples=[(np.zeros((1, 15), np.float32),)] * 20)

    assert wrong.run().failure["code"] == "model-tensors"
    shaped = [tensor("float32", 4, 4)]
    assert made(inputs=shaped, outputs=shaped).run().ended


def test_model_that_the_library_rejects(made, tmp_path):
    wrong = tmp_path / "wrong.model"
    wrong.write_text("nothing")

    assert made(model=str(wrong)).run().failure["code"] == "model-refused"


def test_description_has_the_librarys_settings(made):
    one = made(model="")
    path = one.folder / "described.json"
    path.write_text(json.dumps(one.plan))
    found = subprocess.run([*one.command, "--describe", "--plan", path], check=True, capture_output=True)

    assert 'benchmark_id: "image_classification_v2"' in json.loads(found.stdout)["mma_settings"]


@pytest.mark.parametrize("how", ["crash", "abort", "exit"])
def test_library_that_ends_the_process_leaves_a_run_that_has_not_ended(made, how):
    outcome = made(options={"device_model": "any", "settings": [["defect", f"issue_query:{how}"]]}).run()

    assert not outcome.ended
    assert all(event["event"] != "failed" for event in outcome.events)
