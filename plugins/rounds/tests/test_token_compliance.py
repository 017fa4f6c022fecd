"""TEST06 lets right answers pass, and finds each way of breaking it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from mlperf_mobile.errors import UsageError
from mlperf_mobile.loadgen.accuracy_log import Item
from mlperf_mobile.results.model import Result
from mlperf_mobile.results.tokens import Answer
from mlperf_mobile_rounds.compliance.catalogue import TESTS, same_responses, suiting
from mlperf_mobile_rounds.compliance.tokens import Limits, paired, token_rules

LIMITS = Limits(max_new_tokens=6, stop_ids=(1, 2), context=20)


def ids(*numbers):
    return np.array(numbers, "<i4").tobytes()


def logged(number, answer, prompt=5, **changes):
    """A logged response to sample 40 + number, and what was saved of it."""
    item = Item(number + 2, number, 40 + number, ids(*answer), token_count=max(2, len(answer)))
    saved = Answer(prompt, len(answer), 300 if answer else 0, 0, 900)
    of_item = {name: value for name, value in changes.items() if hasattr(item, name)}
    rest = {name: value for name, value in changes.items() if name not in of_item}
    return dataclasses.replace(item, **of_item), saved._replace(**rest)


RIGHT = [
    logged(0, [7, 8, 9, 10, 11, 12]),  # to the limit
    logged(1, [7, 8, 2]),  # to a stop id
    logged(2, [3, 4, 5], prompt=17),  # until the context was full
    logged(3, [1]),  # only a stop id, which is reported to LoadGen as two tokens
    logged(4, [5, 6, 7, 8, 9, 1], token_data=ids(5)),  # with a first token that was logged
]
EXPECTED = {40: ids(7, 8), 41: ids(7, 8, 2), 42: ids(3, 4), 43: ids(1), 44: ids(5, 6, 7, 8, 9, 1)}
"""Of the accuracy run, with another limit."""


def failed(answers, expected=EXPECTED):
    items, saved = zip(*answers, strict=True) if answers else ((), ())
    return {rule.name: rule.note for rule in token_rules(paired(items, saved), expected, LIMITS) if not rule.ok}


def test_right_answers():
    assert failed(RIGHT) == {}
    assert failed(RIGHT[::-1]) != {}  # answers and log must be in the same order: seq_id says which belong together


@pytest.mark.parametrize(
    ("broken", "rules"),
    [
        (logged(5, [7, 2, 8, 9, 10, 11]), ["answer-ends"]),  # goes on after a stop id
        (logged(5, [7, 8, 2, 2]), ["answer-ends"]),  # two end tokens, which upstream looks for
        (logged(5, [7, 8, 9]), ["answer-ends"]),  # ends by itself
        (logged(5, [7, 8, 9, 10, 11, 12, 13]), ["answer-ends"]),  # longer than the limit
        (logged(5, []), ["answer-ends", "first-token"]),  # no answer, where the accuracy run has one
        (logged(5, [9, 8, 2]), ["first-token"]),  # begins otherwise than in the accuracy run
        (logged(5, [7, 8, 2], token_data=ids(8)), ["first-token"]),  # another token was reported
        (logged(5, [7, 8, 2], first_ns=0), ["first-token"]),  # no first token was reported
        (logged(5, [7, 8, 2], first_ns=901), ["first-token"]),  # after the end
        (logged(5, [7, 8, 2], token_count=9), ["token-counts"]),  # LoadGen was told of more
        (logged(5, [7, 8, 2], token_count=None), ["token-counts"]),
        (logged(5, [7, 8, 2], new=4), ["token-counts"]),  # the result says more
        (logged(5, [7, 8, 2], data=ids(7, 8, 2) + b"\0"), ["answer-ends"]),  # not a list of ids
        (logged(9, [7, 8, 2]), ["first-token", "token-counts"]),  # a query that the result does not have
    ],
)
def test_broken_answers(broken, rules):
    expected = EXPECTED | {45: ids(7, 8), 49: ids(7, 8)}
    found = failed([*RIGHT, broken], expected)
    assert sorted(found) == rules
    assert all("5 of 6 answers" in note and f"sample {broken[0].index} does not" in note for note in found.values())


TEXT = dataclasses.replace(LIMITS, of_text=True)


@pytest.mark.parametrize(
    ("answer", "rules"),
    [
        (logged(0, [7, 8, 9], new=6, token_count=6, end=0), []),  # six tokens, whose text has three by the tokenizer
        (logged(0, [7, 8], new=3, token_count=3, end=1), []),  # the stop id has no text
        (logged(0, [7, 8], prompt=17, new=3, token_count=3, end=2), []),
        (logged(0, [7, 8], new=3, token_count=3, end=0), ["answer-ends"]),  # not at the limit, as it says
        (logged(0, [7, 8], new=3, token_count=3, end=3), ["answer-ends"]),
        (logged(0, [7, 8], new=3, token_count=3, end=99), ["answer-ends"]),
        (logged(0, [7, 2, 8], new=4, token_count=4, end=1), ["answer-ends"]),
        (logged(0, [7, 8], new=3, token_count=2, end=1), ["token-counts"]),
        (logged(0, [9, 8], new=3, token_count=3, end=1), ["first-token"]),
    ],
)
def test_answers_of_engines_that_take_text(answer, rules):
    found = token_rules(paired([answer[0]], [answer[1]]), EXPECTED, TEXT)
    assert [rule.name for rule in found if not rule.ok] == rules


@pytest.mark.parametrize("facts", [{}, {"context": 20}, {"context": 20, "generation": {"performance": 7}}])
def test_results_without_limits(facts):
    assert Limits.of(facts) is None


def test_limits_of_a_result():
    facts = {"context": 20, "generation": {"performance": {"max_new_tokens": 6, "stop_ids": [1, 2]}}}
    assert Limits.of(facts) == LIMITS
    assert Limits.of(facts | {"tokens_counted_by": "engine"}) == TEXT


def test_nothing_logged():
    assert set(failed([])) == {"responses-logged", "first-token", "answer-ends", "token-counts"}


def test_answers_are_compared_as_far_as_both_limits_allow():
    """TEST01: 4 tokens in the accuracy run, 128 in the timed one; one that ends early must end early in both."""
    expected = {0: ids(7, 8), 1: ids(3)}
    share = {
        name: same_responses(expected, found, 2 * 4)[1].observed
        for name, found in {
            "longer": [(0, ids(7, 8, 9)), (1, ids(3))],
            "other": [(0, ids(7, 9, 9)), (1, ids(3, 4))],
            "unknown": [(5, ids(7))],
        }.items()
    }
    assert share == {"longer": 1.0, "other": 0.0, "unknown": 0.0}
    assert same_responses(expected, [(0, ids(7, 8, 9))])[1].ok is False


@pytest.mark.parametrize(
    ("tokens", "names"),
    [
        (None, ["TEST01", "TEST04", "TEST05"]),
        ({}, ["TEST01", "TEST05", "TEST06"]),
        ({"times_undefined": "offline"}, ["TEST01", "TEST04", "TEST05"]),  # no first token to judge
    ],
)
def test_each_model_has_its_tests(tokens, names):
    performance = {"latency_ns": {}, "throughput": 1, "queries": 1, "samples": 1, "duration_s": 1}
    result = Result.model_construct(performance=_performance(performance, tokens))
    assert [test.name for test in suiting(result)] == names
    other = next(test for test in TESTS if test.name not in names)
    with pytest.raises(UsageError, match=other.name):
        suiting(result, [other])


def _performance(values, tokens):
    from mlperf_mobile.results.measured import Performance

    return Performance.model_validate(values | ({} if tokens is None else {"tokens": tokens}))
