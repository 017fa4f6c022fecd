"""A language model of a few lines, and token sessions that break the contract, each in one way."""

from __future__ import annotations

import threading
import time

import numpy as np

from mlperf_mobile.backend_checks import prompt_misfit
from mlperf_mobile.contracts import Placement, TensorSpec
from mlperf_mobile.errors import BackendError

CONTEXT = 24


class TokenSession:
    """Each token follows from the sum and the number of all before it; no answer stops by itself."""

    inputs = outputs = (TensorSpec("tokens", (1, CONTEXT), np.dtype(np.int32)),)
    context = CONTEXT
    generated = 0
    closed = False

    def next(self, known):
        return (2 * sum(known) + 3 * len(known) + 5) % 48

    def check(self, prompt):
        if self.closed:
            raise BackendError("closed", "the session is closed")
        if wrong := prompt_misfit(prompt, self.context, "the model"):
            raise wrong

    def generate(self, prompt, how, first_token):
        self.check(prompt)
        known, count = prompt.tolist(), prompt.size
        while len(known) - count < how.max_new_tokens and len(known) < self.context:
            known.append(self.next(known))
            self.generated += 1
            if len(known) == count + 1:
                first_token()
            if known[-1] in how.stop_ids:
                break
        return np.array(known[count:], np.int32)

    def generate_after(self, context, prompt, how, ready, first_token):
        ready()
        return self.generate(np.concatenate((context, prompt)), how, first_token)

    def run(self, inputs):
        raise BackendError("tokens", "it generates")

    def placement(self):
        return Placement({"cpu": 1})

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.closed = True


class OfFloats(TokenSession):
    outputs = (TensorSpec("tokens", (1, CONTEXT), np.dtype(np.float32)),)


class Remembers(TokenSession):
    before = 0

    def generate(self, prompt, how, first_token):
        ids = super().generate(prompt, how, first_token)
        shift, self.before = self.before, prompt.size
        return (ids + shift).astype(np.int32)


class PadsPrompts(TokenSession):
    """A prompt of another length than 4 is processed with what is in the slots behind it."""

    def generate(self, prompt, how, first_token):
        self.padding = -prompt.size % 4
        return super().generate(prompt, how, first_token)

    def next(self, known):
        return (super().next(known) + self.padding) % 48


class ForgetsTheContext(TokenSession):
    def generate_after(self, context, prompt, how, ready, first_token):
        ready()
        return self.generate(prompt, how, first_token)


class ReadyTooLate(TokenSession):
    def generate_after(self, context, prompt, how, ready, first_token):
        ids = self.generate(np.concatenate((context, prompt)), how, first_token)
        ready()
        return ids


class Twice(TokenSession):
    def generate(self, prompt, how, first_token):
        first_token()
        return super().generate(prompt, how, first_token)


class Never(TokenSession):
    def generate(self, prompt, how, first_token):
        return super().generate(prompt, how, lambda: None)


class AtTheEnd(TokenSession):
    def generate(self, prompt, how, first_token):
        ids = super().generate(prompt, how, lambda: None)
        first_token()
        return ids


class Late(AtTheEnd):
    """Does not count its tokens, so that only the time shows it."""

    generated = None

    def next(self, known):
        time.sleep(0.0005)
        return super().next(known)

    def generate(self, prompt, how, first_token):
        self.generated = 0
        try:
            return super().generate(prompt, how, first_token)
        finally:
            self.generated = None


class Early(TokenSession):
    """Reports a token that it has not computed yet."""

    def next(self, known):
        time.sleep(0.002)
        return super().next(known)

    def generate(self, prompt, how, first_token):
        first_token()
        return super().generate(prompt, how, lambda: None)


class FromAThread(TokenSession):
    def generate(self, prompt, how, first_token):
        def elsewhere():
            thread = threading.Thread(target=lambda: failed.append(fails(first_token)))
            thread.start()
            thread.join()

        failed = []
        ids = super().generate(prompt, how, elsewhere)
        if failed[0]:
            raise failed[0]
        return ids


def fails(call):
    try:
        call()
    except BaseException as error:  # the kit's own assertion, which a thread would swallow
        return error
    return None


class Endless(TokenSession):
    """One token more than requested."""

    def generate(self, prompt, how, first_token):
        ids = super().generate(prompt, how, first_token)
        return np.append(ids, 1).astype(np.int32)


class DropsTheStopId(TokenSession):
    def generate(self, prompt, how, first_token):
        ids = super().generate(prompt, how, first_token)
        return ids[:-1] if ids[-1] in how.stop_ids else ids


class NeverStops(TokenSession):
    def generate(self, prompt, how, first_token):
        return super().generate(prompt, type(how)(how.max_new_tokens), first_token)


class CutsPrompts(TokenSession):
    """A prompt that does not fit is cut in silence."""

    def generate(self, prompt, how, first_token):
        return super().generate(prompt[-(self.context - 1) :], how, first_token)


class TakesAnything(TokenSession):
    def generate(self, prompt, how, first_token):
        prompt = np.atleast_1d(np.asarray(prompt, np.int32).ravel())
        return super().generate(prompt if prompt.size else np.zeros(1, np.int32), how, first_token)


class WritesIntoThePrompt(TokenSession):
    def generate(self, prompt, how, first_token):
        ids = super().generate(prompt, how, first_token)
        prompt[0] += 1
        return ids


class Undead(TokenSession):
    def __exit__(self, *exc):
        pass


BROKEN = {
    "test_token_sessions_describe_themselves": OfFloats,
    "test_repeated_prompts_have_equal_answers": Remembers,
    "test_prompts_of_any_length": PadsPrompts,
    "test_the_first_token_is_reported_once": Twice,
    "test_the_first_token_is_reported_in_time": Late,
    "test_a_prompt_goes_on_after_a_context": ForgetsTheContext,
    "test_limits_are_kept": Endless,
    "test_stop_ids_end_answers": DropsTheStopId,
    "test_the_context_ends_answers": CutsPrompts,
    "test_what_is_no_prompt_is_refused": TakesAnything,
    "test_prompts_are_left_alone": WritesIntoThePrompt,
    "test_closed_token_sessions_refuse": Undead,
}
MORE = [
    ("test_the_first_token_is_reported_once", Never),
    ("test_the_first_token_is_reported_once", AtTheEnd),
    ("test_the_first_token_is_reported_once", FromAThread),
    ("test_the_first_token_is_reported_in_time", Early),
    ("test_stop_ids_end_answers", NeverStops),
    ("test_a_prompt_goes_on_after_a_context", ReadyTooLate),
]
