"""Engines that take text, in single-stream and offline: what is counted and logged, and how they may not behave."""

from __future__ import annotations

import math
import threading
from array import array
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest

from mlperf_mobile.contracts import Generation, Load, Seeds, StreamingSystem, TextAnswer, TextSession
from mlperf_mobile.errors import BackendError, MobileError, ModelError
from mlperf_mobile.results.tokens import AT_ONCE, End, answers, facts
from mlperf_mobile.scenarios.offline import Offline
from mlperf_mobile.scenarios.single_stream import SingleStream
from mlperf_mobile.terms import Mode
from mlperf_mobile.testing.text_engine import CONTEXT, STOP, StandInTextSession, words
from mlperf_mobile.worker import token_answers, token_system
from mlperf_mobile.worker.generating import generations
from mlperf_mobile.worker.text_system import FIRST_PIECE_TOKENS, TextSystem, most_ids
from mlperf_mobile.worker.token_checks import TokenChecks

HOW = Generation(max_new_tokens=12, stop_ids=(STOP,))
LOAD = Load(
    min_query_count=70, min_duration_s=0, max_duration_s=0, performance_sample_count=32, seeds=Seeds(),
    expected_latency_ns=1_000_000,
)  # fmt: skip


class Silent:
    """A watch that reports nothing."""

    def phase(self, *arguments):
        return nullcontext()


class Texts:
    """Task, data set and codec: prompt ``n`` has 1 + n % 9 words."""

    def __len__(self):
        return 32

    def sample(self, index):
        return index

    def prompt_text(self, sample):
        return " ".join(f"w{(sample + n) % 50}" for n in range(1 + sample % 9))

    def answer_ids(self, text):
        return words(text)

    def encode(self, sample):
        return (words(self.prompt_text(sample)),)

    def decode(self, outputs):
        return outputs[0].astype("<i4").tobytes()

    def bind(self, inputs, outputs):
        return self

    def metric(self, dataset): ...

    def generation(self, mode):
        return HOW


def system_of(session, how=HOW, data=None, **more):
    data = data or Texts()
    return TextSystem(data, [session], how, data, data, Silent(), backend="fake", model="fake.lm", **more)


def expected(index, how=HOW):
    """The ids of the right answer, one that ended it included."""
    return list(StandInTextSession().tokens(Texts().prompt_text(index), how))


@pytest.fixture
def measured(tmp_path):
    def run(session, how=HOW, scenario=SingleStream, **more):
        system, latencies = system_of(session, how, **more), array("q")
        return scenario(None).run(system, LOAD, latencies, tmp_path), system, latencies

    return run


class TestARun:
    @pytest.mark.parametrize("counts", [True, False])
    def test_every_answer_is_counted(self, measured, counts):
        """The engine's count and the tokenizer's agree, as the stand-in's words are its tokens."""
        issued = []

        class Noted(StandInTextSession):
            def generate_text(self, prompt, how, piece):
                issued.append(prompt)
                return super().generate_text(prompt, how, piece)

        found, system, latencies = measured(Noted(counts_tokens=counts))
        assert isinstance(system, StreamingSystem)
        assert found.queries == len(latencies) == len(issued)
        for prompt, each in zip(issued, answers(system.tokens, latencies), strict=True):
            ids = list(StandInTextSession().tokens(prompt, HOW))
            assert (each.prompt, each.new) == (len(words(prompt)), len(ids))
            assert each.end == (End.STOP_ID if ids[-1] == STOP else End.LIMIT)
            assert 0 < each.first_ns <= each.latency_ns
        assert found.score.unit == "tokens/s"
        assert {rule.name: rule.ok for rule in found.rules}["token-count"]

    def test_responses_are_the_ids_of_the_text(self):
        """A token that ended an answer has no text, and therefore no id."""
        system = system_of(StandInTextSession())
        system.load_samples(range(32))
        for index in range(32):
            response = np.frombuffer(system.answer(index), "<i4").tolist()
            assert response == [each for each in expected(index) if each != STOP]
        assert system.tokens.tolist()[1::4] == [len(expected(index)) for index in range(32)]

    def test_offline_answers_without_streaming(self, measured):
        found, system, _ = measured(StandInTextSession(), scenario=Offline)
        assert "issued at once" in found.tokens["times_undefined"]
        assert not found.tokens["ttft_ns"]
        assert len(system.tokens) >= 4 * 32

    def test_answers_are_repeated_after_the_run(self, measured):
        found, system, _ = measured(StandInTextSession())
        checks = TokenChecks(system, "fake")
        checks.again(found.answered)
        assert checks.compared == 2

    def test_the_warm_up_notices_what_remains_of_other_prompts(self):
        class Remembers(StandInTextSession):
            before = ""

            def tokens(self, prompt, how):
                earlier, self.before = self.before, prompt
                return super().tokens(prompt + earlier[:2], how)

        with pytest.raises(BackendError, match=r"was .* before another prompt"):
            TokenChecks(system_of(Remembers()), "fake").warm_up(0.01)
        assert TokenChecks(system_of(StandInTextSession()), "fake").warm_up(0.01) > 0

    def test_pieces_are_signs_of_life(self):
        seen = []

        class Watched(StandInTextSession):
            def generate_text(self, prompt, how, piece):
                return super().generate_text(prompt, how, lambda text: (piece(text), seen.append(system.generated)))

        system = system_of(Watched())
        system.load_samples([3])
        system.stream(3, lambda: None)
        assert seen == list(range(1, 1 + len(expected(3))))

    def test_the_engines_counts_win(self):
        class Counts(StandInTextSession):
            def generate_text(self, prompt, how, piece):
                return replace(super().generate_text(prompt, how, piece), tokens=11, prompt_tokens=33, stopped=False)

        system = system_of(Counts())
        system.load_samples([3])
        _, count = system.stream(3, lambda: None)
        assert (count, system.tokens[0]) == (11, 33)

    def test_answers_end_at_a_stop_id_that_the_engine_does_not_know(self):
        ids = expected(4, Generation(12))
        system = system_of(StandInTextSession(), Generation(12, (ids[2],)))
        system.load_samples([4])
        assert np.frombuffer(system.answer(4), "<i4").tolist() == ids[:3]


class Breaks(StandInTextSession):
    """A session whose ``generate_text`` is ``way``, given the right answer and pieces."""

    def __init__(self, way, *, counts_tokens=True):
        super().__init__(counts_tokens=counts_tokens)
        self.way = way

    def generate_text(self, prompt, how, piece):
        pieces = []
        answer = super().generate_text(prompt, how, pieces.append)
        return self.way(answer, pieces, piece)


def swapped(answer, pieces, piece):
    for each in (pieces[1], pieces[0], *pieces[2:]):
        piece(each)
    return answer


def without_pieces(answer, pieces, piece):
    return answer


def bytes_as_pieces(answer, pieces, piece):
    for each in pieces:
        piece(each.encode())
    return answer


def only_pieces(answer, pieces, piece):
    piece("")
    return TextAnswer("", 0)


def from_a_thread(answer, pieces, piece):
    thread = threading.Thread(target=piece, args=(answer.text,))
    thread.start()
    thread.join()
    return answer


def text_alone(answer, pieces, piece):
    return answer.text


def uncounted(answer, pieces, piece):
    return replace(answer, tokens=None)


def too_many(answer, pieces, piece):
    return replace(answer, tokens=13)


def saying(**changes):
    def way(answer, pieces, piece):
        for each in pieces:
            piece(each)
        return replace(answer, **changes)

    return way


def half_a_character(answer, pieces, piece):
    piece("\ud83d")
    piece("\ude00")
    return TextAnswer("\ud83d\ude00", 2, 3)


def fails(answer, pieces, piece):
    raise ZeroDivisionError("no kernel")


@pytest.mark.parametrize(
    ("way", "code", "what"),
    [
        (swapped, "text-stream", "12 pieces do not make up the answer"),
        (without_pieces, "text-stream", "0 pieces do not make up the answer"),
        (bytes_as_pieces, "text-stream", "a piece is bytes, not text"),
        (only_pieces, "text-stream", "the answer has 0 tokens, but 1 pieces were streamed"),
        (from_a_thread, "text-stream", "a piece of an answer came from another thread than generate_text()"),
        (text_alone, "wrong-outputs", "returned str, a TextAnswer was expected"),
        (uncounted, "wrong-outputs", "counts_tokens is True, but the answer's number of tokens is None"),
        (too_many, "wrong-outputs", "the answer has 13 tokens, but at most 12 were requested"),
        (saying(tokens=12.0), "wrong-outputs", "TextAnswer.tokens is 12.0, not a whole number"),
        (saying(tokens=True), "wrong-outputs", "TextAnswer.tokens is True, not a whole number"),
        (saying(prompt_tokens=math.nan), "wrong-outputs", "TextAnswer.prompt_tokens is nan, not a whole number"),
        (saying(prompt_tokens=CONTEXT - 10), "wrong-outputs", "prompt and answer have 66 tokens by its count, but the"),
        (saying(prompt_tokens=10**30), "wrong-outputs", "tokens by its count, but the context is 64"),
        (saying(stopped="no"), "wrong-outputs", "TextAnswer.stopped is 'no', not True or False"),
        (half_a_character, "wrong-outputs", r"half of a surrogate pair, which is no Unicode: '\ud83d"),
        (fails, "backend-failed", "ZeroDivisionError"),
    ],
)
def test_sessions_that_break_the_contract(way, code, what):
    for call in (
        lambda system: system.stream(3, lambda: None),
        lambda system: system.answer(3),
        lambda system: system.answer_batch([3], 0),
    ):
        system = system_of(Breaks(way))
        system.load_samples([3])
        with pytest.raises(MobileError) as caught:
            call(system)
        assert caught.value.code == code
        assert what in caught.value.summary
        assert "backend fake" in caught.value.summary


def test_numbers_of_other_libraries_count():
    system = system_of(Breaks(saying(tokens=np.int32(12), prompt_tokens=np.int64(CONTEXT - 12), stopped=np.False_)))
    system.load_samples([3])
    system.stream(3, lambda: None)
    assert system.tokens[:2].tolist() == [CONTEXT - 12, 12]


def test_a_piece_after_the_answer_is_noticed():
    kept = []

    def late(answer, pieces, piece):
        kept.append(piece)
        for each in pieces:
            piece(each)
        return answer

    system = system_of(Breaks(late))
    system.load_samples([3])
    system.stream(3, lambda: None)
    system.check()
    kept[0]("more")
    for call in (system.check, lambda: system.stream(3, lambda: None)):
        with pytest.raises(BackendError, match=r"text-stream.*after generate_text\(\) had returned"):
            call()


def test_an_answer_that_begins_late_is_noticed_in_checked_runs():
    """Such a stream would show no time to the first token, and any rate."""

    def at_once(answer, pieces, piece):
        for each in ("".join(pieces[:9]), *pieces[9:]):
            piece(each)
        return answer

    assert HOW.max_new_tokens > FIRST_PIECE_TOKENS
    system = system_of(Breaks(at_once), strict=True)
    system.load_samples([3])
    with pytest.raises(BackendError, match=r"text-stream.*the first piece of the answer has 9 tokens"):
        system.answer(3)


def test_a_few_pieces_of_many_tokens_are_noticed_in_every_run():
    def parts(count):
        def way(answer, pieces, piece):
            for start in range(0, 20, 20 // count):
                piece("".join(pieces[start : start + 20 // count]))
            return answer

        return way

    for count, shown in ((1, "a single piece"), (2, "2 pieces")):
        system = system_of(Breaks(parts(count)), Generation(20))
        system.load_samples([3])
        with pytest.raises(BackendError, match=f"text-stream.*the answer of 20 tokens came in {shown}"):
            system.stream(3, lambda: None)


@pytest.mark.parametrize(
    ("split", "has_tpot"),
    [
        (lambda pieces: ["".join(pieces)], False),
        (lambda pieces: ["".join(pieces), ""], False),
        (lambda pieces: [pieces[0], "".join(pieces[1:])], True),
        (lambda pieces: pieces, True),
    ],
)
def test_tokens_of_one_piece_have_no_times(split, has_tpot):
    """They came together, so the time after them is not theirs; the end of the answer stays what it was."""

    def way(answer, pieces, piece):
        for each in split(pieces):
            piece(each)
        return answer

    system = system_of(Breaks(way), Generation(4))
    system.load_samples([3])
    system.stream(3, lambda: None)
    (answer,) = answers(system.tokens, [10**9])
    found = facts(system.tokens, [10**9])
    assert (answer.new, answer.end, answer.has_tpot) == (4, End.LIMIT, has_tpot)
    assert (found["decode_per_s"] is not None) is (found["decode_total_per_s"] is not None) is has_tpot
    assert (found["short"], found["cut"], bool(found["ttft_ns"])) == (0 if has_tpot else 1, 1, True)
    assert system.tokens[3] == (End.LIMIT if has_tpot else End.LIMIT + AT_ONCE)


class Clocked(StandInTextSession):
    """An engine with a clock of its own: 50 ms for a prompt and 10 ms for each token."""

    now = 0

    def pieces(self, prompt, how):
        self.now += 50_000_000
        for text in super().pieces(prompt, how):
            self.now += 10_000_000
            yield text


class InABurst(Clocked):
    """All pieces one by one, when the answer is complete."""

    def pieces(self, prompt, how):
        yield from list(super().pieces(prompt, how))


class BeforeTheFirst(Clocked):
    """A piece without a text before there is any token."""

    def pieces(self, prompt, how):
        yield ""
        yield from super().pieces(prompt, how)


@pytest.mark.parametrize(
    ("session", "limit", "times"),
    [
        (Clocked(), 20, None),
        (InABurst(), 20, "after 250 ms of 250 ms, and an answer of one token takes 60 ms"),
        (BeforeTheFirst(counts_tokens=False), 20, "after 0 ms of 250 ms"),
        (InABurst(), 12, None),
        (BeforeTheFirst(counts_tokens=False), 2, "after 0 ms of 70 ms, and an answer of one token takes 60 ms"),
    ],
)
def test_first_pieces_come_when_an_answer_of_one_token_does(monkeypatch, session, limit, times):
    """Judged after the timed run, with answers that are long enough."""
    for module in (token_system, token_answers):
        monkeypatch.setattr(module, "perf_counter_ns", lambda: session.now)
    system = system_of(session, Generation(limit))
    system.load_samples([3])
    if times is None:
        system.check_stream(3)
        return
    with pytest.raises(BackendError, match=f"text-stream.*the first piece comes {times}"):
        system.check_stream(3)


def test_an_engine_that_ignores_the_limit_is_noticed_without_its_count():
    class Endless(StandInTextSession):
        def tokens(self, prompt, how):
            return super().tokens(prompt, Generation(how.max_new_tokens + 20))

    system = system_of(Endless(counts_tokens=False), Generation(4))
    system.load_samples([3])
    with pytest.raises(BackendError, match=r"wrong-outputs.* tokens by the task's tokenizer, the limit is 4"):
        system.answer(3)
    assert most_ids(4) == 9


def test_an_engine_that_ignores_its_context_is_noticed_without_its_count():
    class Endless(StandInTextSession):
        def generate_text(self, prompt, how, piece):
            for _ in range(100):
                piece("w1 ")
            return TextAnswer("w1 " * 100)

    system = system_of(Endless(counts_tokens=False), Generation(1000))
    system.load_samples([3])
    with pytest.raises(BackendError, match=r"wrong-outputs.*has 100 tokens by the task's tokenizer, the limit is 64"):
        system.answer(3)


@pytest.mark.parametrize("counts", [True, False])
def test_nothing_generated_is_not_valid(measured, counts):
    class Empty(StandInTextSession):
        def generate_text(self, prompt, how, piece):
            return TextAnswer("", 0 if counts else None, stopped=True)

    found, _, _ = measured(Empty(counts_tokens=counts))
    (rule,) = (rule for rule in found.rules if rule.name == "token-count")
    assert (rule.ok, rule.observed, rule.scope) == (False, 0, "result")
    assert found.tokens["empty"] == found.queries


class TestPrompts:
    def test_one_without_room_for_an_answer_is_refused(self):
        class Long(Texts):
            def prompt_text(self, sample):
                return "word " * CONTEXT

        with pytest.raises(ModelError, match=r"prompt-too-long.*sample 0"):
            system_of(StandInTextSession(), data=Long()).load_samples([0])

    @pytest.mark.parametrize("text", ["", None, b"bytes", "\ud800"])
    def test_what_is_no_text_is_the_tasks_fault(self, text):
        class Odd(Texts):
            def prompt_text(self, sample):
                return text

            def encode(self, sample):
                return (words("a"),)

        with pytest.raises(ModelError, match="task-failed"):
            system_of(StandInTextSession(), data=Odd()).load_samples([0])

    def test_samples_are_unloaded(self):
        system = system_of(StandInTextSession())
        system.load_samples([1, 2])
        system.unload_samples([1, 2])
        assert not system._texts
        assert not system._samples

    def test_a_tokenizer_that_fails_is_the_tasks_fault(self):
        class Broken(Texts):
            def answer_ids(self, text):
                raise KeyError(text)

        system = system_of(StandInTextSession(), data=Broken(), task="chat")
        system.load_samples([0])
        with pytest.raises(ModelError, match=r"task-failed.*task chat: the answer cannot be encoded"):
            system.answer(0)


def test_scenarios_with_prompts_of_their_own_are_refused():
    system = system_of(StandInTextSession())
    assert not system.has_depth
    with pytest.raises(BackendError, match=r"text-only.*the prompts of the scenario are token ids"):
        system.ask(words("w1"), HOW)


class TestHow:
    @pytest.mark.parametrize(("counts", "by"), [(True, "engine"), (False, "tokenizer")])
    def test_the_result_says_who_counts(self, counts, by):
        session = StandInTextSession(counts_tokens=counts)
        assert isinstance(session, TextSession)
        facts = generations(Texts(), "lm", [session], "fake").facts()
        assert (facts["tokens_counted_by"], facts["context"]) == (by, CONTEXT)

    def test_a_task_without_texts_is_refused(self):
        class Ids:
            def bind(self, inputs, outputs): ...
            def metric(self, dataset): ...
            def generation(self, mode):
                assert isinstance(mode, Mode)
                return HOW

        with pytest.raises(BackendError, match="text-only"):
            generations(Ids(), "lm", [StandInTextSession()], "fake")

    def test_both_numbers_must_be_right(self):
        with pytest.raises(ValueError, match="must not be negative"):
            TextAnswer("a", -1)
        for wrong in ({"context": 1}, {"counts_tokens": "yes"}, {"generated": "many"}):
            session = StandInTextSession()
            vars(session).update(wrong)
            with pytest.raises(BackendError, match="plugin-broken"):
                generations(Texts(), "lm", [session], "fake")
