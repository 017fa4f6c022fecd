"""Errors name the author's fault: which plugin, what it did, and what was expected of it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from pydantic import BaseModel

from mlperf_mobile.backend_checks import wrong_outputs
from mlperf_mobile.config.choice import _left_out
from mlperf_mobile.config.document import read_resource
from mlperf_mobile.contracts import Artifact, Device, Placement, Probe, TensorSpec
from mlperf_mobile.errors import BackendError, UsageError
from mlperf_mobile.options import complete, constructed
from mlperf_mobile.plugin import Ref
from mlperf_mobile.problems import Problem, Source, duplicate
from mlperf_mobile.worker import returned


class Session:
    def run(self, inputs): ...
    def placement(self): ...
    def __enter__(self): ...
    def __exit__(self, *exc): ...


class Half:
    def __enter__(self): ...
    def __exit__(self, *exc): ...


SPEC = TensorSpec("x", (1, 4), np.dtype(np.float32))
GOOD = Probe(True, ("cpu",), {"sdk": "1"}, "sdk 1")
HERE = Path(__file__)
WRONG = {
    "probe None": (lambda: returned.probe("acme", None), "probe() returned None, a Probe was expected"),
    "probe dict": (lambda: returned.probe("acme", {}), "probe() returned a value of type dict, a Probe was expected"),
    "one accelerator as a text": (
        lambda: returned.probe("acme", Probe(True, "cpu")), "Probe.accelerators is 'cpu', not a tuple of names",
    ),
    "versions as a text": (
        lambda: returned.probe("acme", Probe(True, ("cpu",), "2.3")), "Probe.versions is '2.3', not a mapping",
    ),
    "usable as a text": (
        lambda: returned.probe("acme", Probe("no", ("cpu",))), "Probe.usable is 'no', not True or False",
    ),
    "a version as a number": (
        lambda: returned.probe("acme", Probe(True, ("cpu",), {"numpy": 2})), "Probe.versions is {'numpy': 2}, not a",
    ),
    "a runtime as a number": (lambda: returned.probe("acme", Probe(True, ("cpu",), {}, 2)), "Probe.runtime is 2, not"),
    "a reason as a list": (
        lambda: returned.probe("acme", Probe(False, reason=["no"])), "Probe.reason is ['no'], not a text",
    ),
    "a device without a name": (
        lambda: returned.probe("acme", Probe(True, ("cpu",), devices=(Device("cpu", None),))), "Device.name is None",
    ),
    "facts of a device as a list": (
        lambda: returned.probe("acme", Probe(True, ("cpu",), devices=(Device("cpu", "x", "1", ["a"]),))),
        "Device.facts is ['a'], not a mapping",
    ),
    "no shards": (lambda: returned.shards("acme", 0), "backend acme: shards is 0, a whole number of at least 1 was"),
    "shards as a text": (lambda: returned.shards("acme", "2"), "backend acme: shards is '2', a whole number of"),
    "shards as a method": (lambda: returned.shards("acme", len), "a whole number of at least 1 was expected"),
    "devices as texts": (
        lambda: returned.probe("acme", Probe(True, ("cpu",), devices=("npu0",))), "not a tuple of Device records",
    ),
    "functional only as a list": (
        lambda: returned.probe("acme", Probe(True, ("cpu",), functional_only=["cpu"])), "not a mapping of accelerators",
    ),
    "unusable without a reason": (
        lambda: returned.probe("acme", Probe(usable=False)), "usable=False without a reason, Probe(reason=...",
    ),
    "compile None": (lambda: returned.artifact("acme", None), "compile() returned None, an Artifact was expected"),
    "compile a path": (lambda: returned.artifact("acme", HERE), "an Artifact was expected"),
    "an artifact's path as a text": (
        lambda: returned.artifact("acme", Artifact(str(HERE), "cpu")), "Artifact.path is a value of type str, a Path",
    ),
    "an artifact that is missing": (
        lambda: returned.artifact("acme", Artifact(HERE / "x", "cpu")), "x, which does not exist",
    ),
    "load None": (lambda: returned.session("acme", None), "load() returned None, a Session was expected"),
    "load the class": (lambda: returned.session("acme", 7), "load() returned a value of type int, a Session was"),
    "load half a session": (
        lambda: returned.session("acme", Half()), "of type Half without run and placement, a Session was expected",
    ),
    "__enter__ None": (
        lambda: returned.session("acme", None, "__enter__"), "__enter__() returned None, a Session was expected",
    ),
    "one spec without a tuple": (
        lambda: returned.specs("acme", SimpleNamespace(inputs=SPEC, outputs=(SPEC,))), "a tuple of TensorSpec was",
    ),
    "a dtype as a class": (
        lambda: returned.specs("acme", SimpleNamespace(inputs=(TensorSpec("x", (1,), np.float32),), outputs=())),
        "np.dtype(np.float32) was expected",
    ),
    "placement None": (
        lambda: returned.placement("acme", None, ("npu",)), "placement() returned None, a Placement was expected",
    ),
    "operations as a number": (lambda: returned.placement("acme", Placement(3), ("npu",)), "such as {'npu': 64}"),
    "an accelerator that nobody offered": (
        lambda: returned.placement("acme", Placement({"npu": 3, "gpu0": 1}), ("npu", "gpu")),
        "placement() names 'gpu0', and it offers npu, gpu; add it to BackendInfo.accelerators",
    ),
    "bind None": (lambda: returned.codec("acme", None), "task acme: bind() returned None, a Codec was expected"),
    "metric without a score": (
        lambda: returned.metric("acme", SimpleNamespace(update=print)), "without score, a Metric was expected",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("check", "told"), WRONG.values(), ids=WRONG)
def test_wrong_return_values(check, told):
    with pytest.raises(BackendError) as caught:
        check()
    assert caught.value.code == "plugin-broken"
    assert "acme" in caught.value.summary
    assert told in caught.value.summary


def test_right_return_values_pass(tmp_path):
    assert returned.probe("acme", GOOD) is GOOD
    unusable = Probe(usable=False, reason="no driver", fix="install it")
    assert returned.probe("acme", unusable) is unusable
    assert returned.artifact("acme", Artifact(tmp_path, "cpu")).path == tmp_path
    described = Probe(True, ["cpu"], {"sdk": "1"}, devices=(Device("cpu", "x", "1", {"cores": 4, "fast": True}),))
    assert returned.probe("acme", described) is described
    assert returned.shards("acme", np.int64(2)) == 2
    session = Session()
    assert returned.session("acme", session) is session
    returned.specs("acme", SimpleNamespace(inputs=(SPEC,), outputs=[SPEC]))
    placed = Placement({"npu": np.int64(3), "cpu": 1})
    assert returned.placement("acme", placed, ("npu",)) is placed


def test_a_shape_as_a_list_is_as_good_as_a_tuple():
    """Runtimes report shapes as lists, and arrays have tuples."""
    spec = TensorSpec("y", [1, 4], np.dtype(np.float32), scales=[0.5, 0.25], zero_points=[0, 1], axis=1)
    assert spec == TensorSpec("y", (1, 4), np.dtype(np.float32), scales=(0.5, 0.25), zero_points=(0, 1), axis=1)
    assert wrong_outputs((np.zeros((1, 4), np.float32),), (spec,)) == ""


class Options(BaseModel):
    threads: int = 1


class Plugin:
    shards = 1

    def __init__(self, options):
        self.options = options

    def probe(self): ...
    def compile(self, request): ...
    def load(self, artifact): ...


class NoOptions:
    def __init__(self): ...


class NotWhole:
    shards = 1

    def __init__(self, options): ...
    def probe(self): ...


class Raising:
    def __init__(self, options):
        raise TypeError("of its own")


NOT_A_CLASS = 7


def offer(path, options="Options"):
    info = SimpleNamespace(name="acme", backend=Ref(path), options=Ref(f"{__name__}:{options}"))
    return SimpleNamespace(info=info, source=SimpleNamespace(distribution="acme-npu"))


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, __name__, SimpleNamespace(**globals()))


REFS = {
    "no such module": ("no_such_module_xyz:B", "No module named 'no_such_module_xyz'"),
    "no such name": (f"{__name__}:Plugni", "has no 'Plugni'; did you mean Plugin?"),
    "dots only": (f"{__name__}.Plugin", "is not of the form Ref('package.module:name')"),
    "not a class": (f"{__name__}:NOT_A_CLASS", "a value of type int, a class was expected"),
    "a constructor without options": (f"{__name__}:NoOptions", "should be __init__(self, options)"),
}


@pytest.mark.parametrize(("path", "told"), REFS.values(), ids=REFS)
def test_references_that_lead_nowhere(path, told):
    with pytest.raises(BackendError) as caught:
        constructed("backend", offer(path), {})
    assert caught.value.code == "plugin-broken"
    assert caught.value.summary.startswith("backend acme: ")
    assert told in caught.value.summary


def test_a_plugin_is_constructed_with_its_options():
    assert constructed("backend", offer(f"{__name__}:Plugin"), {"threads": 3}).options == Options(threads=3)


class Whole:
    """Has everything, but for what a test takes away."""

    shards = interval_s = 1
    parallel, root = False, "/data"

    def anything(self): ...

    probe = compile = load = bind = metric = __len__ = sample = truth = run = start = begin = end = stop = anything
    __enter__ = __exit__ = facts = push = pull = read = signal = remove = anything


LACKING = {
    "backend": ("compile", "compile()"), "task": ("metric", "metric()"), "dataset": ("truth", "truth()"),
    "scenario": ("parallel", "parallel"), "observer": ("end", "end()"), "transport": ("facts", "facts()"),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "lacking"), LACKING.items(), ids=LACKING)
def test_what_is_missing_is_named_at_once(kind, lacking):
    name, told = lacking
    whole = Whole()
    assert complete(kind, "acme", whole) is whole
    part = type("Part", (), {key: value for key, value in vars(Whole).items() if key not in (name, "__dict__")})
    with pytest.raises(BackendError) as caught:
        complete(kind, "acme", part())
    assert caught.value.code == "plugin-broken"
    assert caught.value.summary == f"{kind} acme: Part lacks {told}, which every {kind} must have"


def test_a_property_that_raises_is_not_read():
    """Whoever needs it reports what it raises."""

    class Raising(Whole):
        @property
        def shards(self):
            raise OSError("no driver")

    complete("backend", "acme", Raising())


def test_an_object_without_a_method_is_refused_when_it_is_constructed():
    with pytest.raises(BackendError, match=r"NotWhole lacks compile\(\) and load\(\)"):
        constructed("backend", offer(f"{__name__}:NotWhole"), {})


def test_what_a_constructor_raises_is_its_own():
    with pytest.raises(TypeError, match="of its own"):
        constructed("backend", offer(f"{__name__}:Raising"), {})


@pytest.mark.parametrize("settings", ["settings.yaml", "acme/settings.yaml", "acme:", ":x.yaml", "a:../x.yaml", "a:/x"])
def test_settings_in_another_form(settings):
    with pytest.raises(UsageError) as caught:
        read_resource(settings, "scenario acme")
    assert caught.value.code == "settings"
    assert f"scenario acme: its settings are {settings!r}, not of the form 'package:file.yaml'" in caught.value.summary


def test_a_backend_that_is_left_out_is_named_for_a_format_that_none_runs():
    sources = [Source(name, name, "1.0") for name in ("acme", "twin")]
    problems = [duplicate("backend", "acme-npu", sources), Problem("import-failed", sources[0], "no driver", "fix")]
    told = _left_out(SimpleNamespace(registry=SimpleNamespace(problems=problems)))
    assert told.startswith("backend acme-npu is left out: backend 'acme-npu' is offered by acme 1.0 and twin 1.0")
    assert "no driver" not in told
    assert _left_out(SimpleNamespace(registry=SimpleNamespace(problems=problems[1:]))) == ""
