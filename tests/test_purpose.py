"""A backend learns what a model is for: the scenario, the sessions and the cores; what it compiles is kept for each."""

from __future__ import annotations

import os

import pytest

from mlperf_mobile.worker.environment import usable_cores

PLUGIN = """
    from mlperf_mobile.plugin import BackendInfo, Capability, Ref, hookimpl

    @hookimpl
    def mlperf_mobile_backends():
        yield BackendInfo(name="eager", summary="a test", vendor="nobody", backend=Ref("eager_parts:Eager"),
                          model_formats=("toy",), capabilities=frozenset({CAPABILITIES}), hook_api=(2, 3))
"""
PARTS = """
    from dataclasses import asdict

    from mlperf_mobile.contracts import Artifact, Probe
    from toy_parts import BackendOptions, ToyBackend, ToySession

    class Eager(ToyBackend):
        def probe(self):
            return Probe(usable=True, accelerators=("cpu",), versions={"eager": "1"}, runtime="eager 1")

        def compile(self, request):
            path = request.directory / "model.bin"
            path.write_bytes(request.model.read_bytes())
            return Artifact(path, request.accelerator, request.batch, {"purpose": asdict(request.purpose)})

        def load(self, artifact):
            return EagerSession(2, artifact)

    class EagerSession(ToySession):
        def __init__(self, factor, artifact):
            super().__init__(factor, artifact.accelerator, BackendOptions())
            self.purpose = artifact.purpose

        def report(self):
            return asdict(self.purpose)
"""
RUN = ("run", "product", "--backend", "eager", "--set", "min_duration_s=0.05", "--set", "warmup_s=0", "--quiet")
ANY = {"scenario": "", "parallel": False, "sessions": 1, "cores": 0}


@pytest.fixture
def eager(command):
    def install(capabilities="Capability.PURPOSE"):
        code = PLUGIN.replace("CAPABILITIES", capabilities)
        command.write_plugin("eager", code, files={"eager_parts/__init__.py": PARTS})
        return command

    return install


def measured(command, *arguments):
    found, done = command.json(*RUN, *arguments)
    (result,) = found["results"]
    assert done.returncode == 0, done.stderr
    return result["report"]["cpu"], result["compiled"]["cpu"]


@pytest.mark.parametrize(
    ("arguments", "parallel", "sessions"),
    [
        (("--scenario", "single-stream"), False, 1),
        (("--scenario", "offline"), True, 2),
        (("--scenario", "offline", "--accelerator", "cpu:3"), True, 3),
    ],
)
def test_the_run_says_what_the_model_is_for(eager, arguments, parallel, sessions):
    """The toy has two shards by itself."""
    reported, compiled = measured(eager(), *arguments)
    expected = {
        "scenario": arguments[1], "parallel": parallel, "sessions": sessions, "cores": len(os.sched_getaffinity(0)),
    }  # fmt: skip
    assert (reported, compiled["facts"]["purpose"]) == (expected, expected)


def test_what_is_compiled_is_kept_for_each_purpose(eager):
    command = eager()
    first, again = (measured(command, "--mode", "performance")[1] for _ in range(2))
    other = measured(command, "--scenario", "offline")[1]
    assert (first["cached"], again["cached"], other["cached"]) == (False, True, False)
    assert first["key"] == again["key"] != other["key"]


def test_ahead_of_time_for_a_scenario(eager):
    command = eager()
    for scenario in ("single-stream", "offline"):
        found, _ = command.json("compile", "product", "--backend", "eager", "--set", f"scenario={scenario}", "--quiet")
        assert measured(command, "--scenario", scenario)[1]["key"] == found["models"][0]["compiled"][0]["key"]


def test_a_backend_that_does_not_distinguish_compiles_once(eager):
    """It still learns what a model is for when it loads it."""
    command = eager("")
    reported, first = measured(command)
    _, other = measured(command, "--scenario", "offline")
    assert (reported["scenario"], first["facts"]["purpose"]) == ("single-stream", ANY)
    assert (other["cached"], other["key"]) == (True, first["key"])


def test_usable_cores_are_those_of_this_process():
    assert usable_cores() == len(os.sched_getaffinity(0))
