"""``verify-plugin`` tests an installed plugin without a line of its author's, and survives what it does."""

from __future__ import annotations

import json
from textwrap import dedent
from types import SimpleNamespace

import pytest

from mlperf_mobile.errors import UsageError
from mlperf_mobile.registry import Registry
from mlperf_mobile.testing.command import Command
from mlperf_mobile_authoring import fakes
from mlperf_mobile_authoring.recorder import _detail
from mlperf_mobile_authoring.task_material import Material
from mlperf_mobile_authoring.verification import find

OFFER = """
from mlperf_mobile.plugin import BackendInfo, Capability, Ref, hookimpl

@hookimpl
def mlperf_mobile_backends():
    yield BackendInfo(
        name="acme", summary="a test", vendor="v", backend=Ref("acme_backend:AcmeBackend"), model_formats=("tflite",),
        capabilities=frozenset({Capability.BATCH}), hook_api=(2, 0),
    )
"""

BACKEND = """
import os
import numpy as np
from mlperf_mobile.backend_checks import sized
from mlperf_mobile.contracts import Artifact, Placement, Probe, TensorSpec
from mlperf_mobile.errors import BackendError, ModelError
from mlperf_mobile.sessions import CheckedSession
from mlperf_mobile.testing.models import packaged

SPEC = TensorSpec("x", (1, 4), np.dtype(np.float32))

class AcmeSession(CheckedSession):
    def infer(self, samples):
        return [(x + x,) for (x,) in samples]
    def placement(self):
        return Placement({"cpu": 1})

class AcmeBackend:
    shards = 1
    def __init__(self, options):
        pass
    def probe(self):
        return Probe(True, ("cpu",), {"acme": "1"}, "acme 1")
    def compile(self, request):
        return Artifact(request.model, request.accelerator, request.batch, input_shapes=request.input_shapes)
    def load(self, artifact):
        if artifact.accelerator != "cpu":
            raise BackendError("no-accelerator", "there is only cpu")
        if not artifact.path.is_file() or artifact.path.read_bytes() != packaged("double", "tflite").read_bytes():
            raise ModelError("not-mine", "another model than the only one")
        specs = sized([SPEC], artifact.input_shapes, "double")
        return AcmeSession("double", specs, specs, artifact.batch)
"""


class Site:
    def __init__(self, folder):
        self.folder, self.site = folder, folder / "site"
        self.command = Command(folder, env={"PYTHONPATH": str(self.site)})
        fakes.installed(self.site, "acme_plugin", "acme")
        self.write(OFFER, BACKEND)

    def write(self, offer=OFFER, backend=BACKEND, more=""):
        (self.site / "acme_plugin.py").write_text(offer)
        (self.site / "acme_backend.py").write_text(backend + dedent(more))

    def verify(self, *arguments, name="acme", **more):
        return self.command.json("verify-plugin", name, *arguments, **more)

    def listed(self):
        told, _ = self.command.json("list-plugins")
        return next(each["conformance"] for each in told["plugins"] if each["name"] == "acme")


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


def outcomes(told, outcome):
    return {each["test"]: each["detail"] for each in told["tests"] if each["outcome"] == outcome}


@pytest.mark.slow
def test_a_conformant_plugin_until_it_is_edited(site):
    """The record is kept, and cannot speak for other files than those that were tested."""
    assert site.listed() is None
    told, done = site.verify("--output", site.folder / "conformance.json")
    assert done.returncode == 0, done.stderr + str(outcomes(told, "failed"))
    assert told["conformant"]
    assert told["passed"] >= 20
    assert told["failed"] == 0
    assert json.loads((site.folder / "conformance.json").read_text())["files_sha256"] == told["files_sha256"]
    listed = site.listed()
    assert (listed["state"], listed["passed"]) == ("conformant", told["passed"])
    assert "conformant (" in site.command("list-plugins").stdout
    site.write(OFFER.replace("a test", "another"))
    assert site.listed()["state"] == "changed since it was verified"


@pytest.mark.slow
def test_required_capabilities_turn_skips_into_failures(site):
    told, done = site.verify("--require", "report,batch")
    assert done.returncode == 1
    assert list(outcomes(told, "failed")) == ["test_reports_are_plain_data"]
    assert "report is required: the backend reports nothing" in outcomes(told, "failed")["test_reports_are_plain_data"]
    assert told["required"] == ["batch", "report"]


@pytest.mark.nightly
@pytest.mark.slow
def test_crashes_and_hangs_cost_one_test_each(site):
    more = """
    def run_batch(self, samples):
        os.kill(os.getpid(), 11)
    AcmeSession.run_batch = run_batch

    def placement(self):
        while True:
            pass
    AcmeSession.placement = placement
    """
    site.write(more=more)
    told, done = site.verify("--timeout", "20")
    assert done.returncode == 1
    crashed, hung = outcomes(told, "crashed"), outcomes(told, "hung")
    assert set(crashed) == {"test_batch_outputs_match_their_specs", "test_batches_are_answered_in_order"}
    assert set(crashed.values()) == {"the process was killed by SIGSEGV"}
    assert set(hung) == {"test_placement_accounts_for_every_operation"}
    assert outcomes(told, "failed") == {}
    assert site.listed()["state"] == "not conformant"


@pytest.mark.slow
def test_the_report_names_the_fault(site):
    site.write(more="AcmeSession.infer = lambda self, samples: [(3 * x,) for (x,) in samples]")
    done = site.command("verify-plugin", "acme")
    assert done.returncode == 1
    assert "FAILED test_computes_the_model: The outputs are right, regardless of earlier inputs." in done.stdout
    assert "not conformant" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.slow
def test_a_plugin_that_cannot_be_imported_is_not_conformant(site):
    site.write(offer="raise OSError('no driver')")
    told, done = site.verify()
    assert done.returncode == 1
    assert told["tests"] == []
    assert "problem[import-failed] acme 1.0: OSError: no driver" in told["problems"][0]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["acme", "acme-twin"])
def test_a_duplicate_is_why_no_test_ran(site, name):
    """Whichever of the two is told to change; what was not tested leaves no record."""
    fakes.installed(site.site, "acme_twin", "acme-twin")
    (site.site / "acme_twin.py").write_text(OFFER)
    told, done = site.verify(name=name)
    assert (done.returncode, told["tests"], told["conformant"]) == (1, [], False)
    (problem,) = told["problems"]
    assert "backend 'acme' is offered by acme 1.0 and acme-twin 1.0, so none is used" in problem
    done = site.command("verify-plugin", name)
    assert "so none is used" in done.stdout
    assert done.stdout.endswith("no test ran, so no record is kept\n")
    assert site.listed() is None


@pytest.mark.slow
def test_what_is_left_out_is_found_by_its_name(site):
    command = (
        "from mlperf_mobile.plugin import CommandInfo, Ref, hookimpl\n@hookimpl\ndef mlperf_mobile_commands():\n"
        "    yield CommandInfo(name='hello', summary='a test', command=Ref('x:y'), group='results', hook_api=(2, 0))\n"
    )
    for name in ("hi-one", "hi-two"):
        fakes.installed(site.site, name.replace("-", "_"), name)
        (site.site / f"{name.replace('-', '_')}.py").write_text(command)
    done = site.command("verify-plugin", "hello")
    assert done.returncode == 2
    assert "'hello' may be hi-one (hi-one 1.0), hi-two (hi-two 1.0)" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("acne",), "unknown-plugin", "did you mean acme?"),
        (("acme", "--require", "btach"), "bad-value", "did you mean batch?"),
        (("acme", "--timeout", "0"), "bad-value", "is not above 0"),
        (("acme", "--backend", "tflight"), "unknown-backend", "did you mean tflite?"),
    ],
)
def test_wrong_arguments(site, arguments, code, told):
    done = site.command("verify-plugin", *arguments)
    assert done.returncode == 2
    assert f"error[{code}]" in done.stderr
    assert told in done.stderr


@pytest.mark.slow
def test_a_plugin_is_found_by_what_it_offers(site):
    """Also by the name of its distribution."""
    site.write(offer=OFFER.replace('name="acme"', 'name="acme-npu"'), backend="raise OSError('no SDK')")
    told, _ = site.verify(name="acme-npu")
    assert told["plugin"] == "acme"
    assert "no SDK" in outcomes(told, "failed")["test_references_lead_to_objects"]


@pytest.mark.parametrize(
    ("name", "plugin"),
    [
        ("verify-plugin", "authoring"), ("telemetry", "telemetry"), ("adb", "device_adb"), ("native", "native_runner"),
        ("farm", "farm"), ("server", "scenarios"), ("mlperf-mobile-rounds", "rounds"),
    ],
)  # fmt: skip
def test_everything_that_is_offered_names_its_plugin(name, plugin):
    assert find(Registry(), name).plugin == plugin


def test_a_suite_of_several_plugins_names_them():
    with pytest.raises(UsageError, match=r"'quickstart' may be .*image-classification"):
        find(Registry(), "quickstart")


def test_the_backend_of_a_task_can_be_chosen(tmp_path):
    """Otherwise its tests are skipped where several can run its model."""
    plan = Material(Registry(), "image_classification", tmp_path, "tflite")._plan
    assert (plan.backend, plan.sources["backend"]) == ("tflite", "--backend")


def test_advice_about_flags_of_pytest_is_left_out():
    text = "assert [1] == [2]\n  At index 0 diff: 1 != 2\n  ...Full output truncated (3 lines), use '-vv' to show"
    with pytest.raises(AssertionError) as caught:
        raise AssertionError(f"{text}\n  Use -v to get more diff")
    told = _detail(SimpleNamespace(outcome="failed"), SimpleNamespace(excinfo=caught))
    assert told.startswith("AssertionError: assert [1] == [2] At index 0 diff: 1 != 2 (test_verify_plugin.py:")
