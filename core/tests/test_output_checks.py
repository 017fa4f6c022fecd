"""Outputs that are not what a session announces, or not the same for the same sample, end the run; nothing is timed."""

from __future__ import annotations

import io
import re
from array import array
from types import SimpleNamespace

import numpy as np
import pytest

from mlperf_mobile.backend_checks import outputs_apart, wrong_outputs
from mlperf_mobile.contracts import AnsweredCall, Load, Score, Seeds, TensorSpec
from mlperf_mobile.errors import BackendError, DataError, MobileError, ModelError
from mlperf_mobile.loadgen import Responder, WrongCount
from mlperf_mobile.scenarios.offline import Offline
from mlperf_mobile.scenarios.single_stream import SingleStream
from mlperf_mobile.scoring import score_log
from mlperf_mobile.worker import loaded_run, untimed
from mlperf_mobile.worker.blame import blame_truth
from mlperf_mobile.worker.outputs import Checks, checking
from mlperf_mobile.worker.system import System

X = TensorSpec("x", (1, 4), np.dtype(np.float32))
SAMPLES = 8
WARM_UP = 8
"""Calls of a session before the timed run: one, three that give the latency, and four."""
QUERIES = 64


class Data:
    """Vectors that differ from each other; the response is the first output as it is."""

    takes_infinity = False

    def __len__(self):
        return SAMPLES

    def sample(self, index):
        return index

    def encode(self, sample):
        return (np.arange(4, dtype=np.float32)[None] + 10 * sample,)

    def decode(self, outputs):
        return outputs[0].tobytes()


class Session:
    """y = x + x, until ``spoil`` makes something else of it, from call ``since`` on."""

    inputs = (X,)
    outputs = (TensorSpec("y", (1, 4), np.dtype(np.float32)),)
    since = 0

    def __init__(self):
        self.calls = 0
        self.held = np.zeros((1, 4), np.float32)

    def spoil(self, outputs, inputs):
        return outputs

    def run(self, inputs):
        self.calls += 1
        outputs = (inputs[0] + inputs[0],)
        return self.spoil(outputs, inputs) if self.calls > self.since else outputs

    def run_batch(self, samples):
        return [self.run(sample) for sample in samples]

    def placement(self):
        raise NotImplementedError

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        pass


class Silent:
    def phase(self, *args):
        return io.BytesIO()


def system(sessions, batch=1, data=None):
    data = data or Data()
    return System(sessions, batch, data, data, Silent())


def load(expected_latency_ns):
    return Load(
        min_query_count=QUERIES,
        min_duration_s=0.0,
        max_duration_s=0.0,
        percentile=0.9,
        performance_sample_count=SAMPLES,
        seeds=Seeds(qsl=1, sample_index=2, schedule=3),
        expected_latency_ns=expected_latency_ns,
    )


def measured(sessions, logs, scenario=SingleStream, batch=1, data=None):
    """What a worker does between loading and scoring: warm up, measure, answer once more."""
    driven = system(sessions, batch, data)
    checks = Checks(driven, "acme", ["cpu"] * (len(sessions) - 1) + ["npu"])
    best = untimed.warm_up(driven, untimed.load(driven), 0.0, checks)
    latencies = array("q")
    told = scenario({}).run(driven, load(best), latencies, logs)
    untimed.answer_again(driven, checks, told.answered)
    return told, checks


def nan(self, outputs, inputs):
    outputs[0][0, 2] = np.nan
    return outputs


def infinity(self, outputs, inputs):
    outputs[0][0, 2] = -np.inf
    return outputs


def previous(self, outputs, inputs):
    """The answer of the sample before."""
    before, self.held = self.held, outputs[0]
    return (before,)


def accumulated(self, outputs, inputs):
    self.held = self.held + inputs[0]
    return (self.held,)


def in_place(self, outputs, inputs):
    inputs[0][...] += 1
    return outputs


def noisy(self, outputs, inputs):
    """One unit in the last place, every other time."""
    return outputs if self.calls % 2 else (np.nextafter(outputs[0], np.float32(np.inf)),)


WRONG = {
    "shape": (lambda self, y, x: (y[0].reshape(4),), "output y is float32[4], not an array of float32[1,4]"),
    "transposed": (lambda self, y, x: (y[0].T,), "output y is float32[4,1], not an array of float32[1,4]"),
    "dtype": (lambda self, y, x: (y[0].astype(np.float64),), "output y is float64[1,4], not an array of float32[1,4]"),
    "byte order": (lambda self, y, x: (y[0].astype(">f4"),), "output y is >f4[1,4], not an array of float32[1,4]"),
    "too few": (lambda self, y, x: (), "it returns 0 output tensors, not 1"),
    "too many": (lambda self, y, x: y + y, "it returns 2 output tensors, not 1"),
    "bare array": (lambda self, y, x: y[0], "run() returned float32[1,4], a tuple of 1 arrays was expected"),
    "None": (lambda self, y, x: None, "run() returned None, a tuple of 1 arrays was expected"),
    "dictionary": (lambda self, y, x: {"y": y[0]}, "run() returned dict, a tuple of 1 arrays was expected"),
    "lists": (lambda self, y, x: [y[0].tolist()], "output y is list, not an array of float32[1,4]"),
    "scalar": (lambda self, y, x: (y[0][0, 0],), "output y is float32, not an array of float32[1,4]"),
    "NaN": (nan, "output y has NaN in 1 of 4 numbers"),
    "infinity": (infinity, "output y has an infinite number in 1 of 4 places"),
}


class TestWhatOutputsAre:
    @pytest.mark.parametrize(("spoil", "told"), WRONG.values(), ids=WRONG)
    def test_from_the_first_call(self, tmp_path, spoil, told):
        with pytest.raises(BackendError) as caught:
            measured([type("Wrong", (Session,), {"spoil": spoil})()], tmp_path)
        assert caught.value.code == "wrong-outputs"
        assert caught.value.summary == f"backend acme: {told} (session 1 of 1 on npu, at the first call)"
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("name", ["shape", "dtype", "too many", "NaN", "infinity"])
    def test_from_a_later_call(self, tmp_path, name):
        """The decoder does not mind, the timed run ends, and the check after it finds them."""
        spoil, told = WRONG[name]
        session = type("Wrong", (Session,), {"spoil": spoil, "since": WARM_UP + 50})()
        with pytest.raises(BackendError) as caught:
            measured([session], tmp_path)
        assert caught.value.code == "wrong-outputs"
        assert caught.value.summary == f"backend acme: {told} (session 1 of 1 on npu, after the timed run)"
        assert session.calls == WARM_UP + QUERIES + 1

    @pytest.mark.parametrize("name", ["None", "bare array", "lists"])
    def test_that_the_decoder_cannot_take(self, name):
        """In the middle of a timed run the decoder fails; the backend is to blame, not the task."""
        spoil, told = WRONG[name]

        class Strict(Data):
            def decode(self, outputs):
                (y,) = outputs
                _, _ = y.shape
                return y.tobytes()

        driven = system([type("Wrong", (Session,), {"spoil": spoil})()], data=Strict())
        driven.load_samples([0])
        for answer in (lambda: driven.answer(0), lambda: driven.answer_batch([0], 0)):
            with pytest.raises(BackendError, match="the outputs cannot be decoded") as caught:
                answer()
            assert caught.value.code == "wrong-outputs"
            assert told in caught.value.summary

    def test_a_decoder_that_fails_by_itself(self):
        class Broken(Data):
            def decode(self, outputs):
                raise ZeroDivisionError

        driven = system([Session()], data=Broken())
        driven.load_samples([0])
        with pytest.raises(ModelError) as caught:
            driven.answer(0)
        assert caught.value.code == "task-failed"

    @pytest.mark.parametrize("wrong", [0, 1, 2])
    def test_of_any_session(self, tmp_path, wrong):
        sessions = [Session(), Session(), Session()]
        sessions[wrong] = type("Wrong", (Session,), {"spoil": nan})()
        with pytest.raises(BackendError, match="NaN") as caught:
            measured(sessions, tmp_path, Offline)
        where = f"session {wrong + 1} of 3 on {'npu' if wrong == 2 else 'cpu'}"
        assert where in caught.value.summary

    def test_an_infinite_answer_that_the_task_takes(self, tmp_path):
        class Masked(Data):
            takes_infinity = True

        measured([type("Wrong", (Session,), {"spoil": infinity})()], tmp_path, data=Masked())
        with pytest.raises(BackendError, match="NaN in 1 of 4"):
            measured([type("Wrong", (Session,), {"spoil": nan})()], tmp_path, data=Masked())

    def test_read_only_outputs_are_fine(self, tmp_path):
        def frozen(self, outputs, inputs):
            outputs[0].flags.writeable = False
            return outputs

        told, checks = measured([type("Frozen", (Session,), {"spoil": frozen})()], tmp_path)
        assert told.samples == QUERIES
        assert (checks.compared, checks.variation) == (2, 0.0)


class Batched(Session):
    """One at a time it is right."""

    def batch(self, answers):
        return answers

    def run_batch(self, samples):
        return self.batch([self.run(sample) for sample in samples])


def one_buffer(self, answers):
    """Each answer is a view of the same memory, which holds the last one."""
    self.held[...] = answers[-1][0]
    return [(self.held,) for _ in answers]


BATCHES = {
    "padded": (lambda self, a: [*a, a[-1]], "wrong-outputs", "run_batch() returned 4 for a batch of 3 samples"),
    "short": (lambda self, a: a[:-1], "wrong-outputs", "run_batch() returned 2 for a batch of 3 samples"),
    "stacked": (
        lambda self, a: np.stack([y for (y,) in a]),
        "wrong-outputs",
        "run_batch() returned ndarray for a batch of 3",
    ),
    "NaN": (lambda self, a: [*a[:-1], (a[-1][0] * np.float32("nan"),)], "wrong-outputs", "NaN in 4 of 4 numbers"),
    "reversed": (lambda self, a: a[::-1], "outputs-changed", "differ between calls"),
    "one buffer": (one_buffer, "outputs-changed", "differ between calls"),
}


class TestBatches:
    @pytest.mark.parametrize(("batch", "code", "told"), BATCHES.values(), ids=BATCHES)
    def test_wrong_in_batches_only(self, tmp_path, batch, code, told):
        with pytest.raises(BackendError) as caught:
            measured([type("Wrong", (Batched,), {"batch": batch})()], tmp_path, Offline, batch=3)
        assert caught.value.code == code
        assert told in caught.value.summary

    def test_right_ones(self, tmp_path):
        """A count that the batch does not divide; each session's first and last batch are compared."""
        told, checks = measured([Batched(), Batched()], tmp_path, Offline, batch=3)
        sessions = {each.session for each in told.answered}
        assert checks.compared == sum(len(each.indices) for each in told.answered)
        assert len(told.answered) == 2 * len(sessions)
        assert all(len(each.indices) <= 3 for each in told.answered)

    def test_too_few_answers_in_the_timed_run(self):
        """LoadGen does not hear of answers that nobody gave, and the backend is named."""
        driven = system([type("Short", (Batched,), {"batch": lambda self, answers: answers[:-1]})()], batch=4)
        driven.load_samples(range(SAMPLES))
        with pytest.raises(WrongCount) as caught:
            Responder().complete_all([1, 2, 3, 4], driven.answer_batch([0, 1, 2, 3], 0))
        error = loaded_run.in_a_callback(SimpleNamespace(backend="acme", scenario="offline"), caught.value)
        assert isinstance(error, BackendError)
        assert (error.code, error.summary) == ("wrong-outputs", "backend acme: 4 samples have 3 responses")


CHANGED = {"previous": previous, "accumulated": accumulated, "noisy": noisy}


class TestWhetherOutputsVary:
    """A backend that returns the same outputs for every sample, such as zeros, is fast and wrong."""

    WARNING = "backend acme: the outputs are the same for 8 different samples (session 1 of 1 on npu); "

    @pytest.mark.parametrize("scenario", [SingleStream, Offline])
    @pytest.mark.parametrize("batch", [1, 3])
    def test_zeros(self, tmp_path, scenario, batch):
        if scenario is SingleStream and batch > 1:
            pytest.skip("single-stream issues one sample")
        zeros = type("Zeros", (Session,), {"spoil": lambda self, outputs, inputs: (outputs[0] * 0,)})()
        _, checks = measured([zeros], tmp_path, scenario, batch)
        (warning,) = checks.warnings
        assert warning.startswith(self.WARNING)

    def test_of_one_session_among_several(self, tmp_path):
        zeros = type("Zeros", (Session,), {"spoil": lambda self, outputs, inputs: (outputs[0] * 0,)})()
        _, checks = measured([Session(), zeros], tmp_path, Offline)
        assert ["session 2 of 2" in warning for warning in checks.warnings] == [True]

    @pytest.mark.parametrize("other", [0, 3, 7])
    def test_one_sample_that_differs_is_enough(self, tmp_path, other):
        def mostly_zeros(self, outputs, inputs):
            return outputs if inputs[0][0, 0] == 10 * other else (outputs[0] * 0,)

        _, checks = measured([type("Mostly", (Session,), {"spoil": mostly_zeros})()], tmp_path)
        assert checks.warnings == []

    def test_samples_that_do_not_differ(self, tmp_path):
        class Same(Data):
            def encode(self, sample):
                return (np.ones((1, 4), np.float32),)

        _, checks = measured([Session()], tmp_path, data=Same())
        assert checks.warnings == []

    def test_a_few_samples_prove_nothing(self, tmp_path, monkeypatch):
        monkeypatch.setattr(untimed, "WARM_UP_SAMPLES", 3)
        zeros = type("Zeros", (Session,), {"spoil": lambda self, outputs, inputs: (outputs[0] * 0,)})()
        _, checks = measured([zeros], tmp_path)
        assert checks.warnings == []


class TestTheSameEveryTime:
    @pytest.mark.parametrize("spoil", CHANGED.values(), ids=CHANGED)
    @pytest.mark.parametrize("since", [0, WARM_UP], ids=["at once", "in the timed run"])
    @pytest.mark.parametrize("scenario", [SingleStream, Offline])
    def test_state_and_noise(self, tmp_path, spoil, since, scenario):
        """The sample before shines through, or the last bit changes: found at warm-up, or after the timed run."""
        with pytest.raises(BackendError) as caught:
            measured([type("Changing", (Session,), {"spoil": spoil, "since": since})()], tmp_path, scenario)
        assert caught.value.code == "outputs-changed"
        assert ("warm-up" if since == 0 else "after") in caught.value.summary

    def test_inputs_that_are_overwritten(self, tmp_path):
        with pytest.raises(BackendError, match=r"outputs for sample .* differ between calls"):
            measured([type("InPlace", (Session,), {"spoil": in_place})()], tmp_path)

    def test_of_one_session_among_several(self, tmp_path):
        late = type("Late", (Session,), {"spoil": previous, "since": WARM_UP})()
        with pytest.raises(BackendError) as caught:
            measured([late, type("Slow", (Session,), {})()], tmp_path, Offline)
        assert caught.value.code == "outputs-changed"
        assert "session 1 of 2 on cpu" in caught.value.summary

    def test_other_answers_in_the_timed_run_only(self, tmp_path):
        """What was timed counts: a session that computes before and after it, and answers by rote meanwhile."""

        def by_rote(self, outputs, inputs):
            return (np.ones((1, 4), np.float32),) if self.calls <= WARM_UP + QUERIES else outputs

        with pytest.raises(BackendError) as caught:
            measured([type("Rote", (Session,), {"spoil": by_rote, "since": WARM_UP})()], tmp_path)
        assert caught.value.code == "outputs-changed"
        ones = np.ones(4, np.float32).tobytes().hex()
        assert f"but was 16 bytes {ones} in the timed run" in caught.value.summary

    def test_views_that_the_next_run_overwrites_are_fine(self, tmp_path):
        """As the contract has it: they hold until the next run."""

        def view(self, outputs, inputs):
            self.held[...] = outputs[0]
            return (self.held,)

        _, checks = measured([type("View", (Session,), {"spoil": view})()], tmp_path)
        assert checks.compared == 2

    def test_the_first_and_the_last_query_are_reported(self, tmp_path):
        """By a system that writes down what it is asked."""
        asked = []

        class Noting(System):
            def __init__(self, *arguments):
                super().__init__(*arguments)
                answer = self.answer
                self.answer = lambda index: asked.append(index) or answer(index)

        driven = Noting([Session()], 1, Data(), Data(), Silent())
        told = SingleStream(None).run(driven, load(1000), array("q"), tmp_path)
        expected = [(2 * (np.arange(4, dtype=np.float32) + 10 * asked[place])).tobytes() for place in (0, -1)]
        assert [each.indices for each in told.answered] == [(asked[0],), (asked[-1],)]
        assert [each.responses for each in told.answered] == [(expected[0],), (expected[1],)]

    def test_a_scenario_that_does_not_tell(self, tmp_path):
        """Its sessions are still held to giving the same again."""
        session = type("Late", (Session,), {"spoil": previous, "since": WARM_UP})()
        driven = system([session])
        checks = Checks(driven, "acme", ["cpu"])
        untimed.warm_up(driven, untimed.load(driven), 0.0, checks)
        with pytest.raises(BackendError, match=r"outputs for sample .* differ between calls"):
            untimed.answer_again(driven, checks, ())
        assert checks.compared == 0

    def test_one_sample(self, tmp_path):
        class One(Data):
            def __len__(self):
                return 1

        driven = system([Session()], data=One())
        checks = Checks(driven, "acme", ["cpu"])
        assert untimed.warm_up(driven, untimed.load(driven), 0.0, checks) > 0
        untimed.answer_again(driven, checks, [AnsweredCall(0, (0,), ((2 * np.arange(4, dtype=np.float32)).tobytes(),))])
        assert checks.compared == 1


class TestVariation:
    def session(self, variation, noise):
        def spoil(self, outputs, inputs):
            return (outputs[0] * np.float32(1 + noise * (self.calls % 2)),)

        return type("Varying", (Session,), {"spoil": spoil, "variation": variation})()

    def test_within_what_is_declared(self, tmp_path):
        _, checks = measured([self.session(0.01, 0.005)], tmp_path)
        assert checks.variation == 0.01

    @pytest.mark.parametrize(("variation", "noise"), [(0.01, 0.02), (0.0, 1e-6), (0.1, 0.2)])
    def test_beyond_it(self, tmp_path, variation, noise):
        with pytest.raises(BackendError, match=r"outputs for sample .* differ between calls") as caught:
            measured([self.session(variation, noise)], tmp_path)
        assert caught.value.code == "outputs-changed"

    @pytest.mark.parametrize("variation", [-0.1, 0.2, float("nan"), "little", None])
    def test_declarations_that_mean_nothing(self, variation):
        with pytest.raises(BackendError, match="declares a variation of") as caught:
            Checks(system([self.session(variation, 0.0)]), "acme", ["cpu"])
        assert caught.value.code == "plugin-broken"


class TestComparing:
    """The arithmetic, against numbers worked out by hand."""

    Q = TensorSpec("q", (3,), np.dtype(np.uint8), 0.5, 128)
    INDEX = TensorSpec("i", (3,), np.dtype(np.int32))

    @pytest.mark.parametrize(
        ("one", "other", "spec", "variation", "apart"),
        [
            ([1, 2, 10], [1, 2, 10], X, 0.0, False),
            ([1, 2, 10], [1, 2, 10.001], X, 0.0, True),
            ([1, 2, 10], [1.09, 2, 10], X, 0.01, False),  # 1 % of 10 is 0.1
            ([1, 2, 10], [1.11, 2, 10], X, 0.01, True),
            ([1, 2, np.inf], [1, 2, np.inf], X, 0.01, False),
            ([1, 2, np.inf], [1, 2, 10], X, 0.01, True),
            ([0, 0, 0], [0, 0, 1e-6], X, 0.01, True),
            ([0, 9, 10], [1, 9, 10], Q, 0.01, False),  # one step
            ([0, 9, 10], [2, 9, 10], Q, 0.01, True),
            ([0, 9, 10], [1, 9, 10], Q, 0.0, True),
            ([0, 9, 10], [7, 9, 10], INDEX, 0.01, False),
            ([0, 9, 10], [7, 9, 10], INDEX, 0.0, True),
        ],
    )
    def test_how_far_apart(self, one, other, spec, variation, apart):
        here, there = ((np.array(values, spec.dtype),) for values in (one, other))
        assert bool(outputs_apart(here, there, (spec,), variation)) is apart

    @pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64"])
    def test_every_float_is_looked_at(self, dtype):
        spec = TensorSpec("y", (2,), np.dtype(dtype))
        assert wrong_outputs((np.array([0, 1], dtype),), (spec,)) == ""
        assert "NaN in 1 of 2" in wrong_outputs((np.array([0, np.nan], dtype),), (spec,))
        assert "infinite" in wrong_outputs((np.array([0, np.inf], dtype),), (spec,))
        assert wrong_outputs((np.array([0, np.inf], dtype),), (spec,), infinite=True) == ""

    @pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "int64"])
    def test_whole_numbers_are_finite(self, dtype):
        assert wrong_outputs((np.zeros((0, 2), dtype),), (TensorSpec("y", (0, 2), np.dtype(dtype)),)) == ""


class TestBlame:
    """The backend is not to blame for what the task, the data set or the scenario does."""

    @pytest.mark.parametrize("decoded", [None, "text", 7, bytearray(b"x"), np.zeros(2, np.uint8)])
    def test_a_response_that_is_not_bytes(self, decoded):
        data = Data()
        data.decode = lambda outputs: decoded
        driven = system([Session()], data=data)
        driven.load_samples(range(SAMPLES))
        with pytest.raises(ModelError, match=r"decode\(\) of the task returned .*, bytes were expected"):
            Checks(driven, "acme", ["cpu"]).first(0, [0])
        with pytest.raises(ModelError, match="bytes were expected"):
            checking(data, (X,), "acme")((np.ones((1, 4), np.float32),))

    def test_an_input_with_nan(self):
        data = Data()
        data.encode = lambda sample: (np.full((1, 4), np.nan, np.float32),)
        driven = system([Session()], data=data)
        driven.load_samples(range(SAMPLES))
        with pytest.raises(ModelError, match="the input for sample 3 has NaN") as caught:
            Checks(driven, "acme", ["cpu"]).first(0, [3])
        assert caught.value.code == "task-failed"

    def test_a_sample_that_changes(self):
        data, drawn = Data(), iter(range(1000))
        data.sample = lambda index: next(drawn)
        driven = system([Session()], data=data)
        driven.load_samples(range(SAMPLES))
        with pytest.raises(DataError, match="sample 2 is not the same each time"):
            Checks(driven, "acme", ["cpu"]).again([AnsweredCall(0, (2,), (b"another",))])

    def test_a_sample_that_is_not_loaded(self):
        for driven in (system([Session()]), system([Session()], 2)):
            driven.load_samples([0, 1])
            for ask in (lambda: driven.answer_batch([5], 0), lambda: driven.answer(5)):  # noqa: B023
                with pytest.raises(BackendError, match="the scenario asked for sample 5, which is not loaded"):
                    ask()

    def test_a_key_error_of_the_backend(self):
        class Broken(Session):
            def run(self, inputs):
                raise KeyError(5)

        driven = system([Broken()])
        driven.load_samples([5])
        with pytest.raises(BackendError, match="inference failed: KeyError: 5"):
            driven.answer(5)

    def test_a_truth_that_cannot_be_read(self, tmp_path):
        class Unlabelled(Data):
            def truth(self, index):
                raise LookupError("no labels")

        data = Unlabelled()
        for raises, error in ((lambda: data.truth(0), DataError), (lambda: 1 / 0, ZeroDivisionError)):
            with pytest.raises(error), blame_truth("mine", data):
                raises()


class TestAccuracy:
    def test_every_answer_is_checked(self):
        decode = checking(Data(), (X,), "acme")
        right = np.ones((1, 4), np.float32)
        assert decode((right,)) == right.tobytes()
        for wrong in ((right * np.float32("nan"),), (right[0],), right, None):
            with pytest.raises(BackendError, match=r"backend acme: .*in the accuracy run") as caught:
                decode(wrong)
            assert caught.value.code == "wrong-outputs"

    @pytest.mark.parametrize("value", [float("nan"), float("inf")])
    def test_a_score_that_is_no_number(self, tmp_path, value):
        with pytest.raises(MobileError) as caught:
            self.scored(tmp_path, Score("exact", value, 1))
        assert caught.value.code == "score-not-finite"
        assert str(tmp_path) not in caught.value.summary  # the folder is renamed at the end of the run
        assert "metric of the task first" in caught.value.hint
        with pytest.raises(MobileError, match=f"the metric part is {value}, not a finite number"):
            self.scored(tmp_path, Score("exact", 1.0, 1, {"part": value}))

    def scored(self, folder, found):
        """What becomes of the score of a log with two responses."""

        class Metric:
            def update(self, index, response):
                pass

            def score(self):
                return found

        log = folder / "mlperf_log_accuracy.json"
        log.write_text('[\n{"seq_id": 0, "qsl_idx": 0, "data": "00"},\n{"seq_id": 1, "qsl_idx": 1, "data": "00"}\n]\n')
        return score_log(log, Metric(), 2)

    def test_numbers_of_numpy_are_numbers(self, tmp_path):
        told = self.scored(tmp_path, Score("exact", np.float32(0.5), np.int64(2), {"part": np.int8(1)}))
        assert told == Score("exact", 0.5, 2, {"part": 1.0})
        assert {type(told.value), type(told.details["part"]), type(told.samples)} == {float, int}

    @pytest.mark.parametrize(
        ("found", "text"),
        [
            (Score("exact", 1.0, 3), "Score.samples is 3, but 2 responses were scored"),
            (Score("exact", 1.0, -2), "Score.samples is -2, but 2 responses were scored"),
            (Score("exact", 1.0, 0), "Score.samples is 0"),
            (Score("exact", 1.0, 1.5), "'float' object cannot be interpreted as an integer"),
            (Score("", 1.0, 2), "Score.metric is a value of type str, a name was expected"),
            (0.5, "score() returned a value of type float, a Score was expected"),
            (None, "score() returned None, a Score was expected"),
        ],
    )
    def test_a_score_that_cannot_be(self, tmp_path, found, text):
        with pytest.raises((TypeError, ValueError), match=re.escape(text)):
            self.scored(tmp_path, found)
