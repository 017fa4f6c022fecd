"""Text sessions that break the contract, each in one way."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np

from mlperf_mobile.contracts import Generation, TensorSpec, TextAnswer
from mlperf_mobile.testing.text_engine import CONTEXT, StandInTextSession


class OfFloats(StandInTextSession):
    outputs = (TensorSpec("tokens", (1, CONTEXT), np.dtype(np.float32)),)


class Remembers(StandInTextSession):
    before = ""

    def tokens(self, prompt, how):
        earlier, self.before = self.before, prompt
        return super().tokens(prompt + earlier[:1], how)


class Changed(StandInTextSession):
    """A session that streams the pieces which ``change`` makes of the right ones."""

    def generate_text(self, prompt, how, piece):
        pieces = []
        answer = super().generate_text(prompt, how, pieces.append)
        for each in self.change(pieces):
            piece(each)
        return answer


class OutOfOrder(Changed):
    def change(self, pieces):
        return [*pieces[:-2], *reversed(pieces[-2:])]


class LosesAPiece(Changed):
    def change(self, pieces):
        return pieces[:-1]


class AtOnce(Changed):
    def change(self, pieces):
        return ["".join(pieces)]


class FromAThread(StandInTextSession):
    def generate_text(self, prompt, how, piece):
        def elsewhere(text):
            thread = threading.Thread(target=piece, args=(text,))
            thread.start()
            thread.join()

        return super().generate_text(prompt, how, elsewhere)


class Late(StandInTextSession):
    """One more piece, with no text, when the session is next called."""

    def __init__(self):
        super().__init__()
        self.last = None

    def generate_text(self, prompt, how, piece):
        if self.last:
            self.last("")
        self.last = piece
        return super().generate_text(prompt, how, piece)


class Endless(StandInTextSession):
    def tokens(self, prompt, how):
        return super().tokens(prompt, Generation(how.max_new_tokens + 1))


class SaysNothing(StandInTextSession):
    """It declares that it counts, and does not."""

    def generate_text(self, prompt, how, piece):
        return replace(super().generate_text(prompt, how, piece), tokens=None)


class CountsInFloats(StandInTextSession):
    def generate_text(self, prompt, how, piece):
        answer = super().generate_text(prompt, how, piece)
        return replace(answer, tokens=float(answer.tokens))


class CountsTooMuch(StandInTextSession):
    """More tokens in the prompt than the context has."""

    def generate_text(self, prompt, how, piece):
        return replace(super().generate_text(prompt, how, piece), prompt_tokens=10**9)


class CutsPrompts(StandInTextSession):
    def generate_text(self, prompt, how, piece):
        kept = " ".join(prompt.split()[-9:]) if isinstance(prompt, str) else prompt
        return super().generate_text(kept, how, piece)


class TakesAnything(StandInTextSession):
    def generate_text(self, prompt, how, piece):
        return super().generate_text(str(prompt) or "a", how, piece)


class Undead(StandInTextSession):
    def __exit__(self, *exc):
        pass


class Silent(StandInTextSession):
    """Nothing generated."""

    def generate_text(self, prompt, how, piece):
        super().generate_text(prompt, how, lambda text: None)
        return TextAnswer("", 0, 1)


BROKEN = {
    "test_text_sessions_describe_themselves": OfFloats,
    "test_repeated_texts_have_equal_answers": Remembers,
    "test_pieces_make_up_the_answer": OutOfOrder,
    "test_pieces_come_while_the_answer_is_made": AtOnce,
    "test_text_limits_are_kept": Endless,
    "test_long_texts_are_refused": CutsPrompts,
    "test_what_is_no_text_is_refused": TakesAnything,
    "test_closed_text_sessions_refuse": Undead,
}
MORE = [
    ("test_pieces_make_up_the_answer", LosesAPiece),
    ("test_pieces_make_up_the_answer", FromAThread),
    ("test_pieces_make_up_the_answer", Late),
    ("test_text_limits_are_kept", SaysNothing),
    ("test_text_limits_are_kept", CountsInFloats),
    ("test_text_limits_are_kept", CountsTooMuch),
    ("test_repeated_texts_have_equal_answers", Silent),
]
