"""TEST06: a language model's answers begin with the token that was timed, end where they must, and are counted rightly.

Source: mlcommons/inference, compliance/TEST06: 100 answers of a timed run; the reported first token is that of the
answer, there is one end token at most, and the reported number of tokens is that of the answer. Here the stop ids, the
limit and the context are known besides, and so are the answers of the accuracy run: greedy decoding begins with the
same token whatever the limit is. Sessions report when the first token is there, not which it is.

Engines that take text keep their ids to themselves: a response has the ids that the task's tokenizer gives for the
text, without the stop id. Their ends and counts are judged by what they reported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlperf_mobile.loadgen.accuracy_log import Item
from mlperf_mobile.results.rule import RuleResult
from mlperf_mobile.results.tokens import Answer, End

QUERIES = 100
"""Upstream's ``min_query_count`` and ``accuracy_log_sampling_target`` of TEST06."""
ID_BYTES = 4
"""A response is a list of little-endian 32-bit ids."""
_LEAST_COUNT = 2
"""What LoadGen gets for an answer of fewer tokens, for which it divides by zero."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What ends an answer."""

    max_new_tokens: int
    stop_ids: tuple[int, ...]
    context: int
    """Tokens that prompt and answer may have together."""
    of_text: bool = False
    """Whether the engine takes text."""

    @classmethod
    def of(cls, system: Mapping[str, Any]) -> Limits | None:
        """The limits of the timed run; None if there are none.

        Args:
            system: The further facts in ``system`` of a result: ``context``, ``generation``, ``tokens_counted_by``.
        """
        context, generation = system.get("context"), system.get("generation")
        how = generation.get("performance") if isinstance(generation, dict) else None
        limit, stop = (how.get(name) if isinstance(how, dict) else None for name in ("max_new_tokens", "stop_ids"))
        if not (isinstance(limit, int) and isinstance(stop, list | tuple) and isinstance(context, int)):
            return None
        stop_ids = tuple(each for each in stop if isinstance(each, int))
        return cls(limit, stop_ids, context, of_text=bool(system.get("tokens_counted_by")))


@dataclass(frozen=True, slots=True)
class LoggedAnswer:
    """One answer of the timed run, as LoadGen logged it and as this program counted it."""

    item: Item
    saved: Answer | None
    """None if the run saved fewer answers."""

    @property
    def ids(self) -> list[int]:
        """The answer's ids; of a response that is not a list of ids, the whole ones."""
        data = self.item.data
        return [
            int.from_bytes(data[at : at + ID_BYTES], "little", signed=True)
            for at in range(0, len(data) - ID_BYTES + 1, ID_BYTES)
        ]


def paired(items: Sequence[Item], saved: Sequence[Answer]) -> list[LoggedAnswer]:
    """The logged responses with the saved answers: in single-stream ``seq_id`` is the number of the query."""
    return [
        LoggedAnswer(item, saved[item.seq_id] if 0 <= item.seq_id < len(saved) else None)
        for item in sorted(items, key=lambda item: item.seq_id)
    ]


def token_rules(answers: Sequence[LoggedAnswer], expected: Mapping[int, bytes], limits: Limits) -> list[RuleResult]:
    """The rules of TEST06; each observed value is the share of answers that meet it.

    Args:
        answers: Of the timed run.
        expected: The responses of the accuracy run, by sample.
        limits: Of the timed run.
    """
    return [
        RuleResult(name="responses-logged", ok=bool(answers), observed=len(answers), required=1),
        _share(
            "first-token", answers, lambda each: _first_token(each, expected),
            "begin as in the accuracy run, and their first token was reported before their end",
        ),
        _share("answer-ends", answers, lambda each: _ends(each, limits), "end at a stop id, the limit or the context"),
        _share(
            "token-counts", answers, lambda each: _counted(each, limits),
            "have as many tokens as LoadGen was told and the result says",
        ),
    ]  # fmt: skip


def _share(name: str, answers: Sequence[LoggedAnswer], met: Callable[[LoggedAnswer], bool], note: str) -> RuleResult:
    count = sum(map(met, answers))
    share = count / len(answers) if answers else 0.0
    first = next((each.item.index for each in answers if not met(each)), None)
    where = "" if first is None else f"; sample {first} does not"
    text = f"{count} of {len(answers)} answers {note}{where}"
    return RuleResult(name=name, ok=share == 1.0, observed=share, required=1.0, note=text)


def _first_token(answer: LoggedAnswer, expected: Mapping[int, bytes]) -> bool:
    """The first token is the accuracy run's, and the reported one if it was logged; it was reported before the end."""
    data, reported, saved = answer.item.data, answer.item.token_data, answer.saved
    if not data.startswith(reported):
        return False
    if data[:ID_BYTES] != expected.get(answer.item.index, b"")[:ID_BYTES]:
        return False
    return not data or (saved is not None and 0 < saved.first_ns <= saved.latency_ns)


def _ends(answer: LoggedAnswer, limits: Limits) -> bool:
    """Nothing follows a stop id, and without one the answer is as long as it may be."""
    if limits.of_text:
        return _text_ends(answer, limits)
    ids = answer.ids
    if len(ids) * ID_BYTES != len(answer.item.data) or len(ids) > limits.max_new_tokens:
        return False
    if any(each in limits.stop_ids for each in ids[:-1]):
        return False
    if ids and ids[-1] in limits.stop_ids:
        return True
    full = answer.saved is not None and answer.saved.prompt + len(ids) == limits.context
    return len(ids) == limits.max_new_tokens or full


def _text_ends(answer: LoggedAnswer, limits: Limits) -> bool:
    """The engine reported an end that fits its number of tokens, and its text goes on after no stop id."""
    saved = answer.saved
    if saved is None or any(each in limits.stop_ids for each in answer.ids[:-1]):
        return False
    return {
        End.LIMIT: saved.new == limits.max_new_tokens,
        End.CONTEXT: saved.prompt + saved.new >= limits.context,
        End.STOP_ID: saved.new <= limits.max_new_tokens,
    }.get(End(saved.end) if saved.end in list(End) else End.OTHER, False)


def _counted(answer: LoggedAnswer, limits: Limits) -> bool:
    """LoadGen's number is that of the response and of the result; of a text, that of the result."""
    if answer.saved is None:
        return False
    count = answer.saved.new if limits.of_text else len(answer.ids)
    return answer.item.token_count == max(_LEAST_COUNT, count) and answer.saved.new == count
