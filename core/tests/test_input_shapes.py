"""Sizes that a model leaves open: where they come from, and what becomes of backends that do not heed them."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mlperf_mobile.backend_checks import OpenShapes, fixed, sized
from mlperf_mobile.config import layers
from mlperf_mobile.config.document import read_text
from mlperf_mobile.config.settings import Settings
from mlperf_mobile.contracts import Artifact, Placement, Probe, Purpose, TensorSpec
from mlperf_mobile.errors import BackendError, ModelError, UsageError
from mlperf_mobile.plan import CompilePlan, ModelRef, read
from mlperf_mobile.plugin import Capability
from mlperf_mobile.worker import shapes
from mlperf_mobile.worker.prepare import OpenedBackend
from mlperf_mobile.worker.used_files import UsedFiles

F32 = np.dtype(np.float32)
OPEN = TensorSpec("image", (1, 1, 1, 3), F32, open_axes=(0, 1, 2))
MASK = TensorSpec("mask", (1, 1), F32, open_axes=(1,))
FIXED = TensorSpec("image", (1, 8, 8, 3), F32)


class TestSpecs:
    def test_what_is_open_is_written_as_a_question_mark(self):
        assert str(OPEN) == "float32[1,?,?,3]"
        assert str(TensorSpec("x", (1, 0, -1, 3), F32)) == "float32[1,?,?,3]"
        assert str(TensorSpec("x", (1,), F32, open_axes=(0,))) == "float32[?]"
        assert str(FIXED) == "float32[1,8,8,3]"

    def test_the_first_of_several_dimensions_counts_samples(self):
        assert not TensorSpec("x", (1, 4), F32, open_axes=(0,)).is_open
        assert TensorSpec("x", (0, 4), F32, open_axes=(0,)).is_open
        assert TensorSpec("x", (1,), F32, open_axes=(0,)).is_open

    def test_sizes_are_put_in(self):
        assert sized([OPEN, MASK], {"image": (1, 8, 8, 3), "mask": (1, 5)}, "m") == (
            FIXED, TensorSpec("mask", (1, 5), F32),
        )  # fmt: skip
        assert sized([OPEN], {"image": (7, 8, 8, 3)}, "m")[0].shape == (7, 8, 8, 3)
        assert sized([FIXED], {}, "m") == (FIXED,)

    def test_what_stays_open_is_named(self):
        with pytest.raises(OpenShapes) as error:
            sized([FIXED, MASK], {}, "m.tflite")
        assert error.value.line() == (
            "error[open-shape]: m.tflite leaves the size of its input open: mask float32[1,?]; "
            "give a size for each question mark: --set input_shapes.mask=[1,?]"
        )
        assert error.value.inputs == (FIXED, MASK)

    @pytest.mark.parametrize(
        "asked",
        [{"image": (1, 8, 8)}, {"image": (1, 8, 8, 4)}, {"image": (1, 0, 8, 3)}, {"other": (1,)}, {"image": ()}],
    )
    def test_what_does_not_fit_is_refused(self, asked):
        with pytest.raises(ModelError) as error:
            sized([OPEN], asked, "m")
        assert error.value.code == "input-shapes"

    def test_a_backend_of_fixed_shapes_always_refuses_open_ones(self):
        for asked in ({}, {"image": (1, 8, 8, 3)}):
            with pytest.raises(ModelError, match="backend acme supports fixed shapes only") as error:
                fixed([OPEN], asked, "m", "backend acme")
            assert error.value.code == "open-shape"
            assert not isinstance(error.value, OpenShapes)  # nothing that anybody could say would help
        fixed([FIXED], {"image": (1, 8, 8, 3)}, "m", "backend acme")


class TestSetting:
    def check(self, text):
        return layers.check(Settings, read_text(text.encode(), "run.yaml")).input_shapes

    def test_one_shape_or_several_by_name(self):
        assert self.check("input_shapes: [1, 128, 128, 3]") == {"*": (1, 128, 128, 3)}
        assert self.check("input_shapes: {a: [1, 2], 'b.c:0': [3]}") == {"a": (1, 2), "b.c:0": (3,)}
        assert self.check("input_shapes: {}") == {}

    @pytest.mark.parametrize("key", ["a", "b.c:0", "serving_default_x:0", "x/y.z"])
    def test_flags_and_variables(self, key):
        flag = layers.resolve_names(layers.from_assignments([f"input_shapes.{key}=[1, 2]"]), {})
        variable = layers.resolve_names(
            layers.from_environment({"MLPERF_MOBILE_INPUT_SHAPES": f"{{'{key}': [1, 2]}}"}), {}
        )
        for layer in (flag, variable):
            assert layers.check(Settings, layer).input_shapes == {key: (1, 2)}

    @pytest.mark.parametrize(
        "text",
        ["[]", "[1, 0]", "[1, -1]", "[true]", "[1.0]", "['1']", "7", "[1, 20000, 20000]", "[268435457]", "[[1]]",
         "[1, 1, 1, 1, 1, 1, 1, 1, 1]", "{a: 7}", "{a: []}", "text"],
    )  # fmt: skip
    def test_what_is_no_shape(self, text):
        with pytest.raises(UsageError) as error:
            self.check(f"input_shapes: {text}")
        assert error.value.code == "bad-value"
        assert error.value.summary.startswith("run.yaml:1:")
        assert "input_shapes" in error.value.summary


class Session:
    def __init__(self, inputs, backend):
        self.inputs, self.outputs, self.backend = inputs, (TensorSpec("y", (1, 4), F32),), backend

    def run(self, inputs):
        raise AssertionError("loaded, and not run")

    def placement(self):
        return Placement({"cpu": 1})

    def __enter__(self):
        self.backend.open += 1
        return self

    def __exit__(self, *exc):
        self.backend.open -= 1


class Backend:
    """A correct one; how it sizes is what tests break."""

    shards = 2

    def __init__(self, *inputs, load=sized, early=False):
        self.inputs, self.size, self.early = inputs, load, early
        self.requests, self.open = [], 0

    def compile(self, request):
        self.requests.append(dict(request.input_shapes))
        if self.early:  # a compiler cannot make anything of open inputs
            sized(self.inputs, request.input_shapes, "m")
        return Artifact(request.model, request.accelerator, request.batch, input_shapes=request.input_shapes)

    def load(self, artifact):
        return Session(tuple(self.size(self.inputs, artifact.input_shapes, "m")), self)


class Watch:
    @contextmanager
    def phase(self, *args, **kwargs):
        yield


def load(tmp_path, backend, input_shapes=None, ask=lambda inputs: {}, how=shapes.load, all_of_them=True):
    channel = SimpleNamespace(phase=lambda *a: None, measured=lambda *a: None)
    (tmp_path / "m.x").touch()
    plan = CompilePlan(
        schema=1, run_id="r", created="", model=ModelRef(name="m", path=tmp_path / "m.x", format="x"), backend="acme",
        accelerators={"cpu": None}, batch=1, input_shapes=input_shapes or {}, silence_timeout_s=1, compile_timeout_s=1,
        backend_options={}, offered_by={}, cache=tmp_path / "cache", sources={},
    )  # fmt: skip
    info = SimpleNamespace(capabilities=frozenset({Capability.BATCH}))
    offer = SimpleNamespace(info=info, source=SimpleNamespace(distribution="mlperf-mobile"))
    plan = read(plan.model_dump_json(by_alias=True).encode())
    opened = OpenedBackend(plan, offer, backend, Probe(usable=True), "0", UsedFiles(plan, tmp_path))
    with ExitStack() as stack:
        if how is shapes.compile_only:
            return how(opened, channel, Watch(), tmp_path)
        purpose = Purpose("offline" if all_of_them else "single-stream", parallel=all_of_them)
        _, pool = how(opened, 1, channel, Watch(), tmp_path, stack, ask, purpose)
        found = pool.sessions[0].inputs
        assert backend.open == len(pool.sessions) == (2 if all_of_them else 1), "sessions of an attempt stay open"
        pool.load(all_of_them=True)
        assert backend.open == 2
    assert backend.open == 0
    return found


def refusal(*args, **kwargs):
    backend = args[1]
    with pytest.raises((ModelError, BackendError, shapes._DifferentShapes)) as caught:
        load(*args, **kwargs)
    assert backend.open == 0
    return caught.value


SHAPE = (1, 8, 8, 3)


@pytest.mark.parametrize("early", [False, True])
@pytest.mark.parametrize("all_of_them", [False, True])
class TestLoading:
    def test_a_fixed_model_is_loaded_once(self, tmp_path, early, all_of_them):
        backend = Backend(FIXED, early=early)
        assert load(tmp_path, backend, all_of_them=all_of_them) == (FIXED,)
        assert backend.requests == [{}]

    def test_the_shape_of_the_only_input(self, tmp_path, early, all_of_them):
        backend = Backend(OPEN, early=early)
        assert load(tmp_path, backend, {"*": SHAPE}, all_of_them=all_of_them) == (FIXED,)
        assert backend.requests == [{}, {"image": SHAPE}]

    def test_shapes_by_name(self, tmp_path, early, all_of_them):
        backend = Backend(OPEN, MASK, early=early)
        found = load(tmp_path, backend, {"image": SHAPE, "mask": (1, 5)}, all_of_them=all_of_them)
        assert [spec.shape for spec in found] == [SHAPE, (1, 5)]
        assert backend.requests == [{"image": SHAPE, "mask": (1, 5)}]

    def test_the_task_knows_what_is_not_set(self, tmp_path, early, all_of_them):
        backend, asked = Backend(OPEN, MASK, early=early), []

        def ask(inputs):
            asked.append([str(spec) for spec in inputs])
            return {"image": (1, 99, 99, 3), "mask": (1, 5)}

        found = load(tmp_path, backend, {"image": SHAPE}, ask, all_of_them=all_of_them)
        assert [spec.shape for spec in found] == [SHAPE, (1, 5)]  # the user's own stays
        assert asked == [["float32[1,8,8,3]", "float32[1,?]"]]

    def test_nobody_knows(self, tmp_path, early, all_of_them):
        error = refusal(tmp_path, Backend(OPEN, early=early), all_of_them=all_of_them)
        assert (error.code, error.exit_code) == ("open-shape", 3)

    def test_a_task_that_knows_another_rank(self, tmp_path, early, all_of_them):
        error = refusal(tmp_path, Backend(OPEN, early=early), {}, lambda _: {"image": (8, 8)}, all_of_them=all_of_them)
        assert error.code == "input-shapes"

    @pytest.mark.parametrize(
        ("inputs", "asked", "says"),
        [
            ([OPEN, MASK], {"*": SHAPE}, "m has 2 inputs"),
            ([OPEN], {"imgae": SHAPE}, "no input 'imgae'"),
            ([FIXED], {"*": (1, 9, 9, 3)}, r"which [1,9,9,3] does not fit"),
            ([FIXED], {"image": (1, 9, 9, 3)}, r"which [1,9,9,3] does not fit"),
        ],
    )
    def test_settings_that_do_not_fit(self, tmp_path, early, all_of_them, inputs, asked, says):
        error = refusal(tmp_path, Backend(*inputs, early=early), asked, all_of_them=all_of_them)
        assert (error.code, error.exit_code) == ("input-shapes", 3)
        assert says in error.summary

    def test_a_setting_that_says_what_is_fixed(self, tmp_path, early, all_of_them):
        assert load(tmp_path, Backend(FIXED, early=early), {"*": SHAPE}, all_of_them=all_of_them) == (FIXED,)


IGNORE = {"load": lambda inputs, asked, model: inputs}


class TestBackendsThatDoNotHeedIt:
    """None of them is measured: each defect is refused centrally."""

    def test_open_inputs_are_returned(self, tmp_path):
        assert refusal(tmp_path, Backend(OPEN, **IGNORE)).code == "open-shape"
        assert refusal(tmp_path, Backend(OPEN, **IGNORE), {"*": SHAPE}).code == "open-shape"

    @pytest.mark.parametrize("shape", [(1, -1, 8, 3), (1, 0, 0, 3), (0, 8, 8, 3)])
    def test_invalid_sizes(self, tmp_path, shape):
        error = refusal(tmp_path, Backend(TensorSpec("image", shape, F32), **IGNORE))
        assert error.code == "open-shape"
        assert "image float32[" in error.summary

    @pytest.mark.parametrize("asked", [{"*": SHAPE}, {"image": SHAPE}])
    def test_size_one_for_what_is_open(self, tmp_path, asked):
        error = refusal(tmp_path, Backend(TensorSpec("image", (1, 1, 1, 3), F32), **IGNORE), asked)
        assert (error.code, error.exit_code) == ("shapes-ignored", 5)
        assert "float32[1,1,1,3] in backend acme, not [1,8,8,3]" in error.summary

    def test_names_that_are_ignored(self, tmp_path):
        error = refusal(tmp_path, Backend(FIXED, **IGNORE), {"other": SHAPE})
        assert (error.code, error.hint) == ("input-shapes", "known: image")


def test_compiling_alone(tmp_path):
    backend = Backend(OPEN, early=True)
    load(tmp_path, backend, {"*": SHAPE}, how=shapes.compile_only)
    assert backend.requests == [{}, {"image": SHAPE}]
    assert refusal(tmp_path, Backend(OPEN, early=True), how=shapes.compile_only).code == "open-shape"


class Compiler(Backend):
    """Leaves a file, which is kept."""

    def compile(self, request):
        artifact = super().compile(request)
        path = request.directory / "made"
        path.write_text(os.fspath(request.model))
        return Artifact(path, artifact.accelerator, artifact.batch, input_shapes=artifact.input_shapes)


def test_compiled_models_are_kept_by_their_shapes(tmp_path):
    counts = []
    for shape in (SHAPE, (1, 9, 9, 3), SHAPE, (1, 9, 9, 3)):
        backend = Compiler(OPEN)
        assert load(tmp_path, backend, {"image": shape})[0].shape == shape, "what is kept remembers its shapes"
        counts.append(len(backend.requests))
    assert counts == [1, 1, 0, 0]
    assert len(list(Path(tmp_path, "cache", "compiled").iterdir())) == 2
