"""Language models in single-stream: what reaches LoadGen, what is counted, and how sessions may not behave."""

from __future__ import annotations

import json
import struct
import threading
import time
from array import array
from types import SimpleNamespace

import numpy as np
import pytest

from mlperf_mobile import loadgen
from mlperf_mobile.contracts import (
    AnsweredCall,
    Generation,
    Load,
    LoggedRun,
    Placement,
    PromptedSystem,
    Seeds,
    StreamingSystem,
    TensorSpec,
)
from mlperf_mobile.errors import BackendError, MobileError, ModelError
from mlperf_mobile.events import Progress
from mlperf_mobile.results import unfinished
from mlperf_mobile.results.measured import Parts
from mlperf_mobile.results.tokens import FIELDS, End, TokenFacts, answers, differing, facts
from mlperf_mobile.scenarios.offline import Offline
from mlperf_mobile.scenarios.single_stream import SingleStream
from mlperf_mobile.scenarios.sustained import Sustained, token_rates
from mlperf_mobile.terms import Mode
from mlperf_mobile.worker import token_answers, token_system
from mlperf_mobile.worker.first_token_times import Answered
from mlperf_mobile.worker.generating import generations
from mlperf_mobile.worker.system import System
from mlperf_mobile.worker.token_answers import wrong_ids
from mlperf_mobile.worker.token_checks import TokenChecks, spread
from mlperf_mobile.worker.token_system import TokenSystem
from mlperf_mobile.worker.watch import Meter

CONTEXT = 64
STOP = 7
SPEC = TensorSpec("tokens", (1, CONTEXT), np.dtype(np.int32))


class FakeSession:
    """A language model of a few lines: each token follows from the sum and the number of all earlier ones.

    With the prompts of :class:`Prompts`, 8 of 32 answers meet the stop id, after 6 tokens or more.
    """

    inputs = outputs = (SPEC,)
    context = CONTEXT
    vocabulary = 50
    pause_s = 0.0005

    def __init__(self):
        self.generated = 0
        self.prompts = []

    def answer(self, prompt, how):
        """The ids that are right."""
        known = prompt.tolist()
        for _ in range(min(how.max_new_tokens, self.context - prompt.size)):
            known.append((2 * sum(known) + 3 * len(known) + 5) % self.vocabulary)
            if known[-1] in how.stop_ids:
                break
        return np.array(known[prompt.size :], np.int32)

    def generate(self, prompt, how, first_token):
        self.prompts.append((prompt.tolist(), how.max_new_tokens))
        ids = self.answer(prompt, how)
        time.sleep(self.pause_s)
        for number in range(len(ids)):
            self.generated += 1
            if not number:
                first_token()
            time.sleep(self.pause_s / 10)
        return ids

    def run(self, inputs):
        raise NotImplementedError

    def placement(self):
        return Placement({"cpu": 1})

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        pass


class Prompts:
    """A data set and codec: prompt ``n`` has 1 + n % 9 tokens."""

    def __len__(self):
        return 32

    def sample(self, index):
        return index

    def truth(self, index):
        return index

    def encode(self, sample):
        return (np.arange(sample, sample + 1 + sample % 9, dtype=np.int32) % 50,)

    def decode(self, outputs):
        (ids,) = outputs
        return ids.astype("<i4").tobytes()


HOW = Generation(max_new_tokens=12, stop_ids=(STOP,))
LOAD = Load(
    min_query_count=70, min_duration_s=0, max_duration_s=0, performance_sample_count=32, seeds=Seeds(),
    expected_latency_ns=1_000_000,
)  # fmt: skip


class Silent:
    """A watch that reports nothing."""

    def phase(self, *arguments):
        from contextlib import nullcontext

        return nullcontext()


def system_of(session, how=HOW, data=None, **more):
    data = data or Prompts()
    return TokenSystem([session], how, data, data, Silent(), backend="fake", model="fake.lm", **more)


@pytest.fixture
def measured(tmp_path):
    def run(session, how=HOW, scenario=SingleStream, load=LOAD):
        system, latencies = system_of(session, how), array("q")
        return scenario(None).run(system, load, latencies, tmp_path), system, latencies

    return run


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    logs, latencies, system = tmp_path_factory.mktemp("logs"), array("q"), system_of(FakeSession())
    measured = SingleStream(None).run(system, LOAD, latencies, logs)
    return measured, system, latencies, loadgen.read_details(logs / loadgen.DETAIL_LOG)


class TestARun:
    def test_a_vision_system_streams_nothing(self):
        """Single-stream looks at the system once; without ``stream`` it issues as for every other task."""
        assert isinstance(system_of(FakeSession()), StreamingSystem)
        assert not issubclass(System, TokenSystem)
        assert not hasattr(System, "stream")

    def test_every_answer_is_counted(self, ran):
        measured, system, latencies, _ = ran
        assert measured.queries == len(latencies) == len(system.tokens) // FIELDS
        issued = [prompt for prompt, _ in system.token_sessions[0].prompts]
        for prompt, found in zip(issued, answers(system.tokens, latencies), strict=True):
            ids = FakeSession().answer(np.array(prompt, np.int32), HOW)
            assert (found.prompt, found.new) == (len(prompt), len(ids))
            assert found.end == (End.STOP_ID if ids[-1] == STOP else End.LIMIT)
            assert 0 < found.first_ns <= found.latency_ns

    def test_times_are_those_of_loadgen(self, ran):
        """All answers have two tokens or more, so all of LoadGen's times are right."""
        measured, _, _, details = ran
        assert measured.tokens["short"] == 0
        for ours, logged in (
            (measured.tokens["ttft_ns"], loadgen.first_token_latencies(details)),
            (measured.tokens["tpot_ns"], loadgen.times_per_token(details)),
        ):
            assert set(logged) >= set(ours) == {"mean", "p50", "p90", "p99", "min", "max"}
            assert {name: int(value) for name, value in ours.items()} == {name: int(logged[name]) for name in ours}
        assert measured.latency_source == "load generator"

    def test_the_score_is_the_decode_rate(self, ran):
        measured = ran[0]
        assert (measured.score.unit, measured.score.higher_is_better) == ("tokens/s", True)
        assert measured.score.value == pytest.approx(1e9 / measured.tokens["tpot_ns"]["mean"])
        assert {rule.name: rule.ok for rule in measured.rules}["token-count"]

    def test_its_part_is_typed(self, ran):
        TokenFacts.model_validate(json.loads(json.dumps(ran[0].tokens)))

    def test_first_and_last_answer_are_kept_to_repeat(self, ran):
        measured, system, _, _ = ran
        checks = TokenChecks(system, "fake")
        checks.again(measured.answered)
        assert checks.compared == 2
        changed = AnsweredCall(0, measured.answered[0].indices, (b"other",))
        with pytest.raises(BackendError, match="differs from the response in the timed run"):
            checks.again([changed])


class Short(FakeSession):
    """Every answer has ``count`` tokens."""

    count = 1

    def answer(self, prompt, how):
        return np.full(self.count, 3, np.int32)


class Empty(Short):
    count = 0


class TestShortAnswers:
    """LoadGen divides by tokens - 1, and calls the outcome valid."""

    @pytest.mark.parametrize("session", [Short(), Empty()])
    def test_they_do_not_reach_its_arithmetic(self, measured, tmp_path, session):
        found, _, _ = measured(session)
        details = loadgen.read_details(tmp_path / loadgen.DETAIL_LOG)
        assert details["errors"] == []
        assert all(0 <= value < 1e9 for value in loadgen.times_per_token(details).values())
        assert found.tokens["tpot_ns"] == {}
        assert found.tokens["decode_per_s"] is None
        assert (found.tokens["short"], found.tokens["empty"]) == (found.queries, found.queries * (1 - session.count))
        assert found.score.unit == "ns"

    def test_nothing_generated_is_not_valid(self, measured):
        for session, ok in ((Short(), True), (Empty(), False)):
            found, _, _ = measured(session)
            (rule,) = (rule for rule in found.rules if rule.name == "token-count")
            assert (rule.ok, rule.observed, rule.scope) == (ok, found.queries if ok else 0, "result")


def test_sustained_reports_both_ends(measured):
    found, system, latencies = measured(FakeSession(), scenario=Sustained)
    assert set(found.tokens["ends"]) == {"first_tenth", "last_tenth"}
    assert found.tokens["ends"] == token_rates(system.tokens, latencies, found.duration_s)


class Breaks(FakeSession):
    """A session whose ``generate`` is ``way``."""

    def __init__(self, way):
        super().__init__()
        self.way = way

    def generate(self, prompt, how, first_token):
        return self.way(self.answer(prompt, how), first_token)


def twice(ids, first_token):
    first_token()
    first_token()
    return ids


def never(ids, first_token):
    return ids


def without_a_token(ids, first_token):
    first_token()
    return ids[:0]


def too_many(ids, first_token):
    first_token()
    return np.arange(10, 10 + HOW.max_new_tokens + 1, dtype=np.int32)


def floats(ids, first_token):
    first_token()
    return ids.astype(np.float32)


def fails(ids, first_token):
    raise ZeroDivisionError("no kernel")


@pytest.mark.parametrize(
    ("way", "code", "what"),
    [
        (twice, "first-token", "first_token was called 2 times"),
        (never, "first-token", "first_token was never called for"),
        (without_a_token, "first-token", "first_token was called 1 times for 0 tokens"),
        (too_many, "wrong-outputs", "the answer has 13 tokens, but at most 12"),
        (floats, "wrong-outputs", "returned float32"),
        (fails, "backend-failed", "ZeroDivisionError"),
    ],
)
def test_sessions_that_break_the_contract(way, code, what):
    system = system_of(Breaks(way))
    system.load_samples([3])
    for call in (lambda: system.stream(3, lambda: None), lambda: system.answer(3), lambda: system.answer_batch([3], 0)):
        with pytest.raises(MobileError) as caught:
            call()
        assert caught.value.code == code
        assert what in caught.value.summary
        assert "backend fake" in caught.value.summary


def test_first_tokens_from_other_threads():
    """LoadGen would lose them."""

    def way(ids, first_token):
        thread = threading.Thread(target=first_token)
        thread.start()
        thread.join()
        return ids

    told, system = [], system_of(Breaks(way))
    system.load_samples([3])
    with pytest.raises(BackendError, match="from another thread than generate") as caught:
        system.stream(3, lambda: told.append(1))
    assert (caught.value.code, told) == ("first-token", [])


def test_interrupted_runs_keep_their_tokens(tmp_path):
    """The last latency was not saved yet."""
    (tmp_path / "latencies.bin").write_bytes(struct.pack("<2q", 5_000_000, 6_000_000))
    (tmp_path / "tokens.bin").write_bytes(struct.pack("<12q", 9, 3, 1_000_000, 0, 9, 6, 1_000_000, 1, 9, 9, 1, 1))
    saved = unfinished.rescued(tmp_path, "single-stream", Parts(), None).performance
    assert saved.tokens.generated["total"] == 9
    assert saved.tokens.tpot_ns["max"] == 2_000_000
    assert saved.tokens.times_undefined == ""


def test_interrupted_runs_of_whole_answers_have_no_times_of_tokens(tmp_path):
    """As when they are complete: the rate is that of all tokens, and offline has one query."""
    (tmp_path / "latencies.bin").write_bytes(struct.pack("<2q", 1_000_000_000, 2_000_000_000))
    (tmp_path / "tokens.bin").write_bytes(struct.pack("<12q", 9, 3, 0, 0, 9, 5, 0, 1, 9, 9, 0, 1))
    timed = Progress(phase="performance", done=2, total=9, fraction=None, elapsed_s=2.2)
    found = unfinished.rescued(tmp_path, "offline", Parts(samples_per_query=0), timed).performance
    assert (found.queries, found.samples, found.duration_s, found.throughput) == (1, 2, 2.0, 1.0)
    assert (found.tokens.generated["total"], found.tokens.generated_per_s) == (8, 4)
    assert "scenario offline asks for whole answers" in found.tokens.times_undefined
    assert found.tokens.ttft_ns == found.tokens.tpot_ns == {}


@pytest.mark.parametrize(("each", "queries"), [(1, 7), (2, 3), (8, 0), (0, 1)])
def test_queries_of_interrupted_runs_are_not_their_samples(tmp_path, each, queries):
    (tmp_path / "latencies.bin").write_bytes(struct.pack("<7q", *[1_000_000] * 7))
    saved = unfinished.rescued(tmp_path, "x", Parts(samples_per_query=each), None)
    lost = Parts(samples_per_query=each, rescued=saved.performance.performance)
    assert saved.performance.queries == queries
    assert unfinished.rescued(tmp_path, "x", lost, None).performance.queries == queries


class TestOtherScenarios:
    """Offline answers on all sessions, and reports no first token."""

    @pytest.mark.parametrize(("session", "ok"), [(FakeSession(), True), (Empty(), False)])
    def test_nothing_generated_is_not_valid(self, tmp_path, session, ok):
        found = Offline(None).run(system_of(session), LOAD, array("q"), tmp_path)
        (rule,) = [rule for rule in found.rules if rule.name == "token-count"]
        assert (rule.ok, rule.observed) == (ok, found.samples if ok else 0)

    def test_offline_says_why_it_has_no_times(self, tmp_path):
        """Lengths and ends are those of the answers, in whatever order, and the rate is that of all their tokens."""
        system = system_of(FakeSession())
        found = Offline(None).run(system, LOAD, array("q"), tmp_path)
        tokens = TokenFacts.model_validate(found.tokens)
        rows = [tuple(system.tokens[at : at + FIELDS]) for at in range(0, len(system.tokens), FIELDS)]
        answer, data = FakeSession().answer, Prompts()
        right = {(len(prompt), len(answer(prompt, HOW))) for (prompt,) in map(data.encode, range(32))}
        assert len(rows) == found.samples
        assert {(prompt, new) for prompt, new, _, _ in rows} <= right
        assert {first_ns for _, _, first_ns, _ in rows} == {0}
        assert tokens.generated["total"] == sum(new for _, new, _, _ in rows)
        assert tokens.generated_per_s == pytest.approx(tokens.generated["total"] / found.duration_s)
        assert tokens.stopped == sum(end == End.STOP_ID for _, _, _, end in rows) > 0
        assert tokens.stopped + tokens.cut == found.samples
        assert tokens.ttft_ns == tokens.tpot_ns == {}
        assert tokens.decode_per_s is tokens.decode_total_per_s is tokens.prefill_per_s is None
        assert "issued at once" in tokens.times_undefined
        assert not differing(tokens, facts(system.tokens, [0] * found.samples))
        assert found.score.unit == "samples/s"

    def test_scenarios_that_know_nothing_of_tokens_get_theirs(self):
        """Of whatever they asked the system for; nothing if that was none of its samples."""
        system = system_of(FakeSession())
        checks = TokenChecks(system, "fake")
        assert checks.whole_answers("burst", 2.0, 4) == (None, [])
        system.load_samples(range(4))
        system.answer_batch([0, 1, 2, 3], 0)
        found, (rule,) = checks.whole_answers("burst", 2.0, 4)
        assert found["generated_per_s"] == found["generated"]["total"] / 2
        assert "scenario burst" in found["times_undefined"]
        assert (rule.ok, rule.observed) == (True, 4)

    def test_answers_of_trials_are_not_those_of_the_run(self):
        """A search for a rate ends with the run that counts."""
        system = system_of(FakeSession())
        checks = TokenChecks(system, "fake")
        system.load_samples(range(8))
        for trial in ([0, 1, 2], [3, 4, 5], [6, 7]):
            system.answer_batch(trial, 0)
        lasting = system.tokens[-2 * FIELDS :]
        found, (rule,) = checks.whole_answers("search", 2.0, 2)
        assert system.tokens == lasting
        assert found["generated_per_s"] == sum(lasting[1::FIELDS]) / 2
        assert (found["stopped"] + found["cut"], rule.observed) == (2, 2)


class TestLateCalls:
    def test_after_the_answer_from_a_thread(self):
        """LoadGen is not told; the next answer, or the end of the run, raises."""
        calls, told = [], []

        def way(ids, first_token):
            calls.append(first_token)
            first_token()
            return ids

        system = system_of(Breaks(way))
        system.load_samples([3])
        system.stream(3, lambda: told.append(1))
        thread = threading.Thread(target=calls[0])
        thread.start()
        thread.join()
        assert told == [1]
        for call in (system.check, lambda: system.stream(3, lambda: told.append(1))):
            with pytest.raises(BackendError, match="after generate\\(\\) had returned"):
                call()

    def test_after_other_tokens(self):
        """A session that counts its tokens, and reports the first one when it has more."""

        class Late(FakeSession):
            def generate(self, prompt, how, first_token):
                ids = self.answer(prompt, how)
                self.generated += len(ids)
                first_token()
                return ids

        with pytest.raises(BackendError, match="first_token was called when 8 tokens were known"):
            TokenChecks(system_of(Late()), "fake").warm_up(0)


class Remembers(FakeSession):
    """The answer depends on the prompt before."""

    before = 0

    def answer(self, prompt, how):
        self.before, shift = int(prompt.sum()), self.before
        return (super().answer(prompt, how) + shift % 2 + 10).astype(np.int32)[: how.max_new_tokens]


class TestWarmUp:
    def test_a_few_tokens_at_the_longest_prompt(self):
        session = FakeSession()
        assert TokenChecks(system_of(session), "fake").warm_up(0) > 0
        lengths = [(len(prompt), limit) for prompt, limit in session.prompts]
        assert lengths == [(9, 8), (1, 1), (9, 8)]

    @pytest.mark.parametrize(("token_ms", "answers"), [(1, 8), (1000, 3), (40_000, 1)])
    def test_a_share_of_the_average_of_whole_answers(self, token_ms, answers, monkeypatch):
        """Half for eight answers; less for fewer, if they take more than 30 s of a clock that only answers move."""
        clock = SimpleNamespace(ns=0)

        class Counted(FakeSession):
            def generate(self, prompt, how, first_token):
                ids = super().generate(prompt, how, first_token)
                clock.ns += len(ids) * token_ms * 1_000_000
                return ids

        frozen = SimpleNamespace(perf_counter=lambda: clock.ns / 1e9, perf_counter_ns=lambda: clock.ns)
        monkeypatch.setattr("mlperf_mobile.worker.token_checks.time", frozen)
        session = Counted()
        expected_ns = TokenChecks(system_of(session), "fake").warm_up(0, whole=True)
        lengths = [len(session.answer(np.array(prompt), HOW)) for prompt, most in session.prompts if most > 8]
        assert len(lengths) == answers
        taken_ns = sum(lengths) * token_ms * 1_000_000
        assert expected_ns == max(token_ms * 1_000_000, round(taken_ns / 16))  # 8 / 16 of the average, 3 / 16, 1 / 16

    def test_prompts_for_whole_answers_do_not_follow_the_order_of_the_data(self):
        assert len(set(spread(1000))) == 16
        assert len(set(np.diff(sorted(spread(1000))))) > 8
        assert sorted(spread(5)) == [0, 1, 2, 3, 4]

    def test_every_answer_is_a_sign_of_life(self):
        """Also those of a session that does not count its tokens."""
        session = FakeSession()
        del session.generated
        session.generate = lambda prompt, how, first_token: (first_token(), session.answer(prompt, how))[1]
        system = system_of(session)
        TokenChecks(system, "fake").warm_up(0, whole=True)
        assert system.generated == 3 + 8

    def test_one_that_fails_stops_the_others(self):
        """In its first whole answer."""
        slow = threading.Event()

        class Fails(FakeSession):
            def generate(self, prompt, how, first_token):
                if how.max_new_tokens > 8:
                    slow.wait(60)
                    raise RuntimeError("out of order")
                return super().generate(prompt, how, first_token)

        class Slow(FakeSession):
            def generate(self, prompt, how, first_token):
                if how.max_new_tokens > 8:
                    slow.set()
                    time.sleep(0.5)
                return super().generate(prompt, how, first_token)

        other = Slow()
        system = TokenSystem([Fails(), other], HOW, Prompts(), Prompts(), Silent())
        with pytest.raises(BackendError, match="out of order"):
            TokenChecks(system, "fake").warm_up(0, whole=True)
        assert sum(most > 8 for _, most in other.prompts) < 8

    @pytest.mark.parametrize("variation", [-0.1, 5, float("nan"), "some"])
    def test_a_variation_that_excuses_everything_is_refused(self, variation):
        session = FakeSession()
        session.variation = variation
        with pytest.raises(BackendError, match=r"plugin-broken.*backend fake declares a variation of"):
            TokenChecks(system_of(session), "fake")

    def test_what_remains_from_another_prompt_is_found(self):
        with pytest.raises(BackendError) as caught:
            TokenChecks(system_of(Remembers(), data=Odd()), "fake").warm_up(0)
        assert caught.value.code == "outputs-changed"


class Clocked(FakeSession):
    """A session with a clock of its own: 50 ms for a prompt and 10 ms for each token."""

    now, at, pause_s = 0, 0, 0

    def generate(self, prompt, how, first_token):
        ids = self.answer(prompt, how)
        began = self.now
        self.now += {-1: 10_000, 0: 60_000_000, 1: (50 + 10 * len(ids)) * 1_000_000}[self.at]
        first_token()
        self.now = began + (50 + 10 * len(ids)) * 1_000_000
        return ids


class Early(Clocked):
    at = -1


class Late(Clocked):
    at = 1


@pytest.mark.parametrize(
    ("session", "limit", "times"),
    [
        (Clocked(), 20, None),
        (Early(), 20, "after 0.01 ms of 250 ms, and an answer of one token takes 60 ms"),
        (Early(), 1, "after 0.01 ms of 60 ms"),
        (Late(), 20, "after 250 ms of 250 ms"),
        (Late(), 4, None),
    ],
)
@pytest.mark.parametrize("asked", [False, True])
def test_first_tokens_are_reported_when_an_answer_of_one_token_has_them(monkeypatch, session, limit, times, asked):
    """Judged after the timed run, also for prompts of the scenario's own; with 100 tokens nothing ends an answer."""
    for module in (token_system, token_answers):
        monkeypatch.setattr(module, "perf_counter_ns", lambda: session.now)
    system = system_of(session, Generation(limit))
    checks = TokenChecks(system, "fake")
    system.load_samples([3])
    answered = [AnsweredCall(0, (3,), (system.stream(3, lambda: None)[0],))]
    if asked:
        system.tokens, answered = array("q"), []
        system.ask(system.prompt(3), Generation(limit))
    if times is None:
        checks.again(answered)
        return
    with pytest.raises(
        BackendError, match=f"first-token.*sample {0 if asked else 3}: the first token is reported {times}"
    ):
        checks.again(answered)


def test_answers_too_short_to_be_timed_are_not_judged():
    assert Answered(20, 10, 900_000).fits(900_000)
    assert not Answered(20, 10, 1_900_000).fits(1_900_000)


class Odd(Prompts):
    """Prompts whose sums are odd and even in turn."""

    def __len__(self):
        return 2

    def encode(self, sample):
        return (np.array([[1], [2, 2, 2]][sample], np.int32),)


class TestPrompts:
    @pytest.mark.parametrize(
        ("encoded", "code", "what"),
        [
            ((np.zeros(CONTEXT, np.int32),), "prompt-too-long", "a prompt of 64 tokens does not fit into fake.lm"),
            ((np.zeros(0, np.int32),), "task-failed", "a prompt must be int32[n]"),
            ((np.zeros((1, 3), np.int32),), "task-failed", "a prompt must be int32[n]"),
            ((np.zeros(3, np.int64),), "task-failed", "a prompt must be int32[n]"),
            ((np.zeros(3, np.int32), np.zeros(3, np.int32)), "task-failed", "not to one array"),
        ],
    )
    def test_those_that_do_not_fit_are_refused_before_anything_runs(self, encoded, code, what):
        class Wrong(Prompts):
            def encode(self, sample):
                return encoded

        with pytest.raises(ModelError) as caught:
            system_of(FakeSession(), data=Wrong()).load_samples([5])
        assert caught.value.code == code
        assert "sample 5: " in caught.value.summary or "sample 5 " in caught.value.summary
        assert what in caught.value.summary


def test_ids_that_go_on_after_a_stop_id():
    assert wrong_ids(np.array([1, STOP, 2], np.int32), HOW, 9) == "the answer goes on after the stop id 7"
    assert wrong_ids(np.array([1, -2], np.int32), HOW, 9) == "the answer has the token id -2"
    assert wrong_ids(np.array([1, STOP], np.int32), HOW, 9) == ""
    assert wrong_ids(np.array([1, 2, 3], np.int32), HOW, 2) == "the answer has 3 tokens, but at most 2 were requested"


class TestFacts:
    """Three answers by hand: 5 tokens in 10 + 40 ms, stopped; 1 token in 20 ms; none in 30 ms."""

    TOKENS = array("q", [100, 5, 10_000_000, 1, 300, 1, 20_000_000, 0, 50, 0, 0, 3])
    LATENCIES = array("q", [50_000_000, 21_000_000, 30_000_000])

    def test_they_follow(self):
        found = facts(self.TOKENS, self.LATENCIES)
        assert found["ttft_ns"] == {"mean": 15e6, "p50": 20e6, "p90": 20e6, "p99": 20e6, "min": 10e6, "max": 20e6}
        assert found["tpot_ns"]["mean"] == found["tpot_ns"]["max"] == 10e6
        assert (found["decode_per_s"], found["decode_total_per_s"]) == (100, 100)
        assert found["prefill_per_s"] == pytest.approx(400 / 0.03)
        assert found["prompt"] == {"mean": 150, "p50": 100, "min": 50, "max": 300, "total": 450}
        assert found["generated"] == {"mean": 2, "p50": 1, "min": 0, "max": 5, "total": 6}
        assert [found[name] for name in ("stopped", "cut", "short", "empty")] == [1, 1, 2, 1]

    def test_both_decode_rates_differ_with_the_lengths(self):
        """Answers of 2 tokens at 10 ms and of 101 tokens at 1 ms: the mean of times, and the ratio of sums."""
        tokens = array("q", [1, 2, 1, 0, 1, 101, 1, 0])
        found = facts(tokens, array("q", [10_000_001, 100_000_001]))
        assert found["decode_per_s"] == pytest.approx(1e9 / 5_500_000)
        assert found["decode_total_per_s"] == pytest.approx(101 / 0.11)

    def test_changed_ones_are_found(self):
        found = facts(self.TOKENS, self.LATENCIES)
        assert differing(TokenFacts(**found), found) == []
        assert differing(TokenFacts(**found | {"decode_per_s": 120.0}), found) == ["decode_per_s"]
        assert differing(TokenFacts(**found | {"ttft_ns": {"mean": 1.0}}), found) == ["ttft_ns"]
        assert differing(TokenFacts(**found | {"decode_per_s": None}), found) == ["decode_per_s"]

    def test_the_file_is_four_numbers_an_answer(self):
        """As documented: little-endian signed 64-bit."""
        data = struct.pack("<8q", 100, 5, 10_000_000, 1, 300, 2, 20_000_000, 0)
        values = array("q")
        values.frombytes(data)
        assert [each.prompt for each in answers(values, [1, 2, 3])] == [100, 300]
        assert [each.prompt for each in answers(values[:7], [1, 2])] == [100]


def test_a_trace_without_first_tokens_replaces_nothing(tmp_path):
    trace = tmp_path / "mlperf_log_trace.json"
    trace.write_text('{"name":"Sample","cat":"default","ph":"b","id":0,"ts":5.000,"args":{"complete_ns":9}}\n')
    latencies, tokens = array("q", [8]), array("q", [1, 2, 3, 0])
    assert not loadgen.start.trace.replace_tokens(latencies, tokens, trace, {}, {})
    assert (latencies, tokens) == (array("q", [8]), array("q", [1, 2, 3, 0]))


def test_measurements_without_tokens_have_none(tmp_path):
    (tmp_path / loadgen.SUMMARY_LOG).write_text("90.0th percentile latency (ns) : 5\n")
    details = {"errors": [], "result_mean_latency_ns": 5}
    found = SingleStream(None).measurement(LoggedRun(LOAD, array("q", [5]), details, tmp_path))
    assert found.tokens is None
    assert "token-count" not in {rule.name for rule in found.rules}


class TestHow:
    def test_it_is_checked(self):
        with pytest.raises(ValueError, match="max_new_tokens is 0"):
            Generation(0)
        with pytest.raises(ValueError, match="negative"):
            Generation(4, (-1,))

    def test_tasks_say_it_for_both_modes(self):
        class Task:
            def bind(self, inputs, outputs): ...
            def metric(self, dataset): ...
            def generation(self, mode):
                return Generation(4 if mode is Mode.ACCURACY else 128, (STOP,))

        found = generations(Task(), "lm", [FakeSession()], "fake")
        assert found.facts() == {
            "context": CONTEXT,
            "generation": {
                "performance": {"max_new_tokens": 128, "stop_ids": (STOP,)},
                "accuracy": {"max_new_tokens": 4, "stop_ids": (STOP,)},
            },
        }

    def test_a_session_must_generate(self):
        class Task:
            def bind(self, inputs, outputs): ...
            def metric(self, dataset): ...
            def generation(self, mode):
                return HOW

        with pytest.raises(BackendError, match="loads a session without generate"):
            generations(Task(), "lm", [object()], "fake")


class TestSignsOfLife:
    """The launcher stops a worker that reports nothing for a while; an answer of many tokens takes long."""

    def test_tokens_are_progress(self):
        meter = Meter("performance", 64, lambda: 3)
        assert meter.progress(0).done == 3
        assert meter.progress(0) is None
        assert [meter.progress(tokens) is not None for tokens in (1, 1, 5, 5)] == [True, False, True, False]

    def test_the_count_may_become_known_later(self):
        totals = iter([0, 0, 8])
        meter = Meter("performance", lambda: next(totals), lambda: 4)
        meter.done = iter([1, 2, 4]).__next__
        seen = [meter.progress() for _ in range(3)]
        assert [(each.total, each.fraction) for each in seen] == [(0, 1.0), (0, 1.0), (8, 0.5)]

    def test_a_phase_without_a_count_has_no_fraction(self):
        assert Meter("warm-up", 0, int).progress(1).fraction is None

    def test_they_are_counted_while_an_answer_is_made(self):
        seen = []

        class Watched(FakeSession):
            def generate(self, prompt, how, first_token):
                def first():
                    seen.append(system.generated)
                    first_token()

                return super().generate(prompt, how, first)

        system = system_of(Watched())
        system.load_samples([3])
        system.stream(3, lambda: None)
        assert seen == [1]
        assert system.generated > 1


class Deep(FakeSession):
    """Takes 20 ms to process a context."""

    late = False

    def generate_after(self, context, prompt, how, ready, first_token):
        time.sleep(0.02)
        if not self.late:
            ready()
        ids = self.generate(np.concatenate((context, prompt)), how, first_token)
        if self.late:
            ready()
        return ids


class TestPromptsOfAScenario:
    """``PromptedSystem``."""

    PROMPT = np.arange(5, dtype=np.int32)

    def test_their_answers_are_timed(self):
        system = system_of(FakeSession())
        assert isinstance(system, PromptedSystem)
        assert not system.has_depth
        answer = system.ask(self.PROMPT, Generation(9))
        assert answer.tokens == 9
        assert 500_000 <= answer.first_ns <= answer.latency_ns - 8 * 50_000

    def test_the_context_is_not_timed(self):
        session = Deep()
        system = system_of(session)
        assert system.has_depth
        began = time.perf_counter_ns()
        answer = system.ask(self.PROMPT, Generation(2), np.arange(40, dtype=np.int32))
        took = time.perf_counter_ns() - began
        assert session.prompts[-1] == ([*range(40), *range(5)], 2)
        assert 0 < answer.first_ns < answer.latency_ns <= took - 20_000_000

    def test_contexts_that_are_ready_too_late(self):
        session = Deep()
        session.late = True
        with pytest.raises(BackendError, match="after the first token") as broken:
            system_of(session).ask(self.PROMPT, Generation(2), self.PROMPT)
        assert broken.value.code == "first-token"

    def test_sessions_that_break_the_contract(self):
        with pytest.raises(BackendError, match="a prompt of the scenario: the answer has 13 tokens, but at most 2"):
            system_of(Breaks(too_many)).ask(self.PROMPT, Generation(2))
