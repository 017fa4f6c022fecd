"""A correct backend in numpy, and one broken one for each test of the kit; run by ``test_kit_proofs.py``."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
import text_sessions
import token_sessions
from defects import Offered, Proofs

from mlperf_mobile.backend_checks import sized
from mlperf_mobile.contracts import Artifact, Placement, Probe, TensorSpec
from mlperf_mobile.errors import BackendError, ModelError
from mlperf_mobile.plugin import HOOK_API, BackendInfo, Capability, Ref
from mlperf_mobile.testing.backend import BackendConformance
from mlperf_mobile.testing.text_engine import StandInTextSession

SPEC = TensorSpec("x", (1, 4), np.dtype(np.float32))
MODEL = b"double: y = x + x, in a format made up for these proofs"
QUANTIZED = b"double: y = x + x, of int8"
TWO = b"double and triple: y = x + x, z = y + x"
OPEN = b"double: y = x + x, of any length"


LANGUAGE = b"a language model, of a few lines"


class Session:
    inputs = outputs = (SPEC,)
    closed = False

    def __init__(self, inputs=None):
        if inputs:
            self.inputs = self.outputs = inputs

    def run(self, inputs):
        (x,) = inputs
        if self.closed:
            raise BackendError("closed", "the session is closed")
        if x.shape != self.inputs[0].shape or x.dtype != np.float32:
            raise BackendError("input", "wrong input")
        return (x + x,)

    def run_batch(self, samples):
        return [self.run(sample) for sample in samples]

    def placement(self):
        return Placement({"cpu": 1})

    def __enter__(self):
        return self

    def report(self):
        return {"runs": 1}

    def __exit__(self, *exc):
        self.closed = True


class TwoSession(Session):
    outputs = (replace(SPEC, name="y"), replace(SPEC, name="z"))

    def run(self, inputs):
        return (2 * inputs[0], 3 * inputs[0])


class QuantizedSession(Session):
    inputs = (replace(SPEC, dtype=np.dtype(np.int8), scale=0.5, zero_point=-3),)
    outputs = (replace(SPEC, dtype=np.dtype(np.int8), scale=1.0, zero_point=7),)

    def run(self, inputs):
        return ((inputs[0].astype(np.int16) + 3 + 7).astype(np.int8),)


class Backend:
    shards = 1
    session = Session
    quantized_session = QuantizedSession
    two_session = TwoSession
    token_session = token_sessions.TokenSession
    text_session = None

    def __init__(self, options):
        pass

    def probe(self):
        return Probe(usable=True, accelerators=("cpu",), versions={"numpy": "2"}, runtime="numpy 2")

    def compile(self, request):
        if not request.model.is_file() or request.model.read_bytes() not in (MODEL, QUANTIZED, OPEN, TWO, LANGUAGE):
            raise ModelError("model", "no such model")
        path = request.directory / "compiled"
        path.write_bytes(request.model.read_bytes())
        return Artifact(path, request.accelerator, request.batch, input_shapes=request.input_shapes)

    def load(self, artifact):
        if artifact.accelerator != "cpu":
            raise BackendError("accelerator", "there is no such accelerator")
        if artifact.path.read_bytes() == LANGUAGE:
            return self.text_session() if self.text_session else self.token_session()
        if artifact.path.read_bytes() == QUANTIZED:
            return self.quantized_session()
        if artifact.path.read_bytes() == TWO:
            return self.two_session()
        if artifact.path.read_bytes() == OPEN:
            return self.session(self.sized(replace(SPEC, shape=(1, 1), open_axes=(1,)), artifact))
        if artifact.path.read_bytes() != MODEL:
            raise ModelError("model", "no such model")
        told = self.sized(SPEC, artifact)
        return self.session(told if told[0].shape != SPEC.shape else None)

    def sized(self, spec, artifact):
        return sized([spec], artifact.input_shapes, "the model")


OFFER = BackendInfo(
    name="numpy",
    summary="adds in numpy",
    vendor="nobody",
    backend=Ref("backend_defects:Backend"),
    model_formats=("double",),
    capabilities=frozenset({*Capability}),
    options=Ref("defects:Options"),
    hook_api=HOOK_API,
)


class TestCorrect(Offered, BackendConformance):
    offer = OFFER

    @pytest.fixture
    def model(self, tmp_path):
        path = tmp_path / "model.double"
        path.write_bytes(MODEL)
        return path

    @pytest.fixture
    def open_model(self, tmp_path):
        path = tmp_path / "open.double"
        path.write_bytes(OPEN)
        return path

    @pytest.fixture
    def two_outputs_model(self, tmp_path):
        path = tmp_path / "two.double"
        path.write_bytes(TWO)
        return path

    @pytest.fixture
    def language_model(self, tmp_path):
        path = tmp_path / "language.double"
        path.write_bytes(LANGUAGE)
        return path

    @pytest.fixture
    def quantized_model(self, tmp_path):
        path = tmp_path / "quantized.double"
        path.write_bytes(QUANTIZED)
        return path


PROOFS = Proofs(TestCorrect, "backend")


def broken(name, backend=None, session=None, **changes):
    """A test class for one defect: what differs from the correct backend and its session."""
    parts = dict(backend or {})
    if session:
        parts["session"] = type("Session", (Session,), session)
    return PROOFS.broken(name, type(f"{name}Backend", (Backend,), parts) if parts else None, **changes)


def generating(session):
    """A test class for a backend whose token sessions are ``session``."""
    return broken(f"Tokens{session.__name__}", {"token_session": session})


def streaming(session):
    """A test class for a backend whose text sessions are ``session``."""
    capabilities = frozenset({Capability.TEXT_STREAM})
    return broken(f"Text{session.__name__}", {"text_session": session}, capabilities=capabilities)


def refuses_throughput(self, artifact):
    if artifact.purpose.parallel:
        raise BackendError("purpose", "for latency only")
    return Backend.load(self, artifact)


def raises(error):
    def function(*arguments):
        raise error

    return function


def with_state(self, inputs):
    self.total = getattr(self, "total", 0) + inputs[0]
    return (self.total + self.total,)


def in_place(self, inputs):
    inputs[0][...] *= 2
    return (inputs[0].copy(),)


def from_call(number, spoil):
    """``run`` that is right until that call."""

    def run(self, inputs):
        self.calls = getattr(self, "calls", 0) + 1
        outputs = Session.run(self, inputs)
        return spoil(self, outputs) if self.calls >= number else outputs

    return {"run": run}


def previous(self, outputs):
    """The answer of the sample before."""
    before, self.held = getattr(self, "held", outputs), outputs
    return before


def trembling(share):
    """Outputs that differ by so much from run to run."""
    return from_call(1, lambda self, outputs: (outputs[0] * np.float32(1 + share * (self.calls % 2)),))["run"]


def nan(self, outputs):
    return (np.full((1, 4), np.nan, np.float32),)


def in_one_buffer(self, samples):
    """Every answer is a view of the same memory."""
    answers = [self.run(sample)[0] for sample in samples]
    return [(answers[-1],) for _ in answers]


class Shared:
    """A buffer that all sessions use."""

    x = np.zeros((1, 4), np.float32)
    ready = threading.Barrier(2, timeout=0.05)


def through_a_shared_buffer(self, inputs):
    Shared.x[...] = inputs[0]
    try:
        Shared.ready.wait()
    except threading.BrokenBarrierError:
        Shared.ready.reset()
    return (Shared.x + Shared.x,)


def once_only(self, artifact):
    if getattr(type(self), "used", False):
        raise BackendError("busy", "the device is taken")
    type(self).used = True
    return Session()


def compiled_whatever_it_is(self, request):
    path = request.directory / "compiled"
    path.write_bytes(MODEL if request.model.exists() else b"")
    return Artifact(path, request.accelerator, request.batch)


def on_any_accelerator(self, artifact):
    return Backend.load(self, replace(artifact, accelerator="cpu"))


def beside_the_model(self, request):
    artifact = Backend.compile(self, request)
    artifact.path.rename(request.model.with_suffix(".compiled"))
    return replace(artifact, path=request.model.with_suffix(".compiled"))


def where_it_was_compiled(self, artifact):
    if "kept" in artifact.path.parts:
        raise BackendError("moved", "it is not where it was")
    return Backend.load(self, artifact)


def whatever_it_holds(self, artifact):
    return self.session() if artifact.accelerator == "cpu" else Backend.load(self, artifact)


def at_size_one(self, spec, artifact):
    return sized([replace(spec, open_axes=())], artifact.input_shapes, "the model")


def whatever_is_asked_for(self, spec, artifact):
    told = sized([spec], artifact.input_shapes, "the model") if spec.open_axes else (spec,)
    return told if spec.open_axes else tuple(replace(s, shape=artifact.input_shapes.get("x", s.shape)) for s in told)


def told_and_ignored(self, spec, artifact):
    return (spec,) if spec.open_axes else sized([spec], artifact.input_shapes, "the model")


def placed(operations):
    return {"placement": lambda self: Placement(operations)}


def padded(self, samples):
    answers = [self.run(sample) for sample in samples]
    return answers + answers[-1:] * (3 - len(answers))


crossed = type("Crossed", (TwoSession,), {"run": lambda self, inputs: (3 * inputs[0], 2 * inputs[0])})
overlapping = type("Overlapping", (TwoSession,), {"run": lambda self, inputs: (3 * inputs[0],) * 2})
one_of_two = type("OneOfTwo", (TwoSession,), {"outputs": (replace(SPEC, name="y"),)})


DEFECTS = {
    **PROOFS.of_any_offer("test_computes_the_model"),
    "test_probe_answers_on_any_machine": broken("Mute", {"probe": lambda self: Probe(usable=False)}),
    "test_probe_names_runtime_and_accelerators": broken(
        "Boaster", {"probe": lambda self: Probe(True, ("cpu", "npu"), {"numpy": "2"}, "numpy 2")}
    ),
    "test_shards_are_counted": broken("NoShards", {"shards": 0}),
    "test_model_formats_are_suffixes": broken("Dotted", model_formats=(".double",)),
    "test_missing_model_is_a_model_error": broken("Leaky", {"compile": raises(FileNotFoundError("model"))}),
    "test_damaged_model_is_a_model_error": broken("Trusting", {"compile": compiled_whatever_it_is}),
    "test_probe_reports_functional_only_accelerators": broken(
        "Simulator",
        {"probe": lambda self: Probe(True, ("cpu",), {"numpy": "2"}, "numpy 2", functional_only={"cpu": ""})},
    ),
    "test_accelerators_that_are_not_there_are_refused": broken("Anywhere", {"load": on_any_accelerator}),
    "test_compiles_into_its_folder_only": broken("Litter", {"compile": beside_the_model}),
    "test_every_purpose_computes_the_model": broken("OnlyLatency", {"load": refuses_throughput}),
    "test_artifacts_may_be_moved": broken("Rooted", {"load": where_it_was_compiled}),
    "test_damaged_artifacts_are_refused": broken("Careless2", {"load": whatever_it_holds}),
    "test_reports_are_plain_data": broken("Talker", session={"report": lambda self: {"runs": float("nan")}}),
    "test_closed_sessions_refuse_to_run": broken("Undead", session={"__exit__": lambda self, *exc: None}),
    "test_quantized_tensors_report_their_scale": broken(
        "Unscaled", {"quantized_session": type("Unscaled", (QuantizedSession,), {"outputs": QuantizedSession.inputs})}
    ),
    "test_specs_describe_the_model": broken("Batched", session={"inputs": (replace(SPEC, shape=(4,)),)}),
    "test_computes_the_model": broken("Triple", session={"run": lambda self, inputs: (3 * inputs[0],)}),
    "test_outputs_match_their_specs": broken(
        "Doubles", session={"run": lambda self, inputs: (inputs[0].astype(np.float64) * 2,)}
    ),
    "test_same_input_same_output": broken("Stateful", session={"run": with_state}),
    "test_inputs_are_left_alone": broken("InPlace", session={"run": in_place}),
    "test_wrong_input_is_refused": broken("Careless", session={"run": lambda self, inputs: (inputs[0] * 2,)}),
    "test_open_inputs_are_reported": broken("SizeOne", {"sized": at_size_one}),
    "test_open_inputs_take_the_requested_size": broken("Ignorant", {"sized": told_and_ignored}),
    "test_other_shapes_than_the_models_are_refused": broken("Pliant", {"sized": whatever_is_asked_for}),
    "test_several_outputs_are_in_order": broken("Crossed", {"two_session": crossed}),
    "test_sessions_are_independent": broken("OneBuffer", session={"run": through_a_shared_buffer}),
    "test_sessions_close_and_load_again": broken("Once", {"load": once_only}),
    "test_placement_accounts_for_every_operation": broken("Nowhere", session=placed({})),
    "test_variation_is_small": broken("Loose", session={"variation": 0.5}),
    "test_batch_outputs_match_their_specs": broken(
        "BatchNan", session={"run_batch": lambda self, samples: [nan(self, None) for _ in samples]}
    ),
    "test_batches_are_answered_in_order": broken("Padding", session={"run_batch": padded}),
    **{test: generating(session) for test, session in token_sessions.BROKEN.items()},
    **{test: streaming(session) for test, session in text_sessions.BROKEN.items()},
}
MORE = [
    *PROOFS.more_of_any_offer(),
    ("test_outputs_match_their_specs", broken("Nan", session=from_call(50, nan))),
    ("test_outputs_match_their_specs", broken("Infinite", session=from_call(50, lambda s, y: (y[0] / np.float32(0),)))),
    ("test_outputs_match_their_specs", broken("Bare", session=from_call(1, lambda self, outputs: outputs[0]))),
    ("test_outputs_match_their_specs", broken("Two", session=from_call(50, lambda self, outputs: outputs * 2))),
    ("test_outputs_match_their_specs", broken("Flat", session=from_call(50, lambda self, outputs: (outputs[0][0],)))),
    ("test_outputs_match_their_specs", broken("Lists", session=from_call(9, lambda s, y: [y[0].tolist()]))),
    ("test_same_input_same_output", broken("Pipelined", session=from_call(1, previous))),
    ("test_same_input_same_output", broken("Trembling", session={"run": trembling(1e-6)})),
    ("test_same_input_same_output", broken("Shaking", session={"run": trembling(0.05), "variation": 0.01})),
    ("test_several_outputs_are_in_order", broken("Overlapping", {"two_session": overlapping})),
    ("test_several_outputs_are_in_order", broken("OneOfTwo", {"two_session": one_of_two})),
    ("test_batch_outputs_match_their_specs", broken("NoRunBatch", session={"run_batch": None})),
    ("test_batches_are_answered_in_order", broken("OneView", session={"run_batch": in_one_buffer})),
    *((test, generating(session)) for test, session in token_sessions.MORE),
    *((test, streaming(session)) for test, session in text_sessions.MORE),
]
"""Further defects that a test of the kit catches."""

TEXT = streaming(StandInTextSession)
PASSES = [
    *((test, TEXT) for test in text_sessions.BROKEN),
    ("test_same_input_same_output", broken("Varying", session={"run": trembling(0.005), "variation": 0.01})),
    ("test_variation_is_small", broken("Varying", session={"run": trembling(0.005), "variation": 0.01})),
]
"""What a test of the kit does not mind."""
PROOFS.publish(*DEFECTS.values(), *(case for _, case in [*MORE, *PASSES]))
