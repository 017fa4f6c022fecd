"""The share of right letters, with the reference app's reading of an answer.

Source: ``find_answer_char`` in flutter/cpp/datasets/mmlu_gen.cc.
"""

from __future__ import annotations

from mlperf_mobile.contracts import Dataset, Score
from mlperf_mobile.errors import DataError
from mlperf_mobile_task_language_model.prompting import Language

LETTERS = "ABCD"
_ACCEPTED = (LETTERS + LETTERS.lower()).encode()


def answer_letter(text: str) -> str:
    """The letter that a text answers with; empty if there is none.

    The first word that is a single letter A to D, in either case, or begins with one and ``<``. Words end at white
    space; a text ends at a NUL character.
    """
    data = text.encode(errors="replace").partition(b"\0")[0]
    place, size = 0, len(data)
    while place < size:
        if data[place : place + 1].isspace():
            place += 1
            continue
        first, place = data[place], place + 1
        following = data[place : place + 1]
        if not following or following.isspace() or following == b"<":
            if first in _ACCEPTED:
                return chr(first)
        else:
            while place < size and not data[place : place + 1].isspace():
                place += 1
    return ""


class ChoiceAccuracy:
    """The share of questions whose answer has the right letter; a lower-case letter is wrong, as in the reference app.

    Raises:
        DataError: A question has no right letter; raised here, before the first inference.
    """

    def __init__(self, dataset: Dataset, language: Language) -> None:
        self._language = language
        self._truths = [_letter(dataset.truth(index)) for index in range(len(dataset))]
        self._right = self._letters = self._lower = self._samples = 0

    def update(self, index: int, response: bytes) -> None:
        letter = answer_letter(self._language.text(response, index))
        self._samples += 1
        self._letters += bool(letter)
        self._right += letter == self._truths[index]
        self._lower += letter.islower() and letter.upper() == self._truths[index]

    def score(self) -> Score:
        """Details: the share of answers with a letter, ``answered``; the share with either case, ``any_case``."""
        count = max(1, self._samples)
        details = {"answered": self._letters / count, "any_case": (self._right + self._lower) / count}
        return Score("accuracy", self._right / count, self._samples, details)


def _letter(truth: object) -> str:
    """The right letter; X, the reference app's for a question without one, is never right."""
    if not isinstance(truth, str) or len(truth) != 1 or truth not in f"{LETTERS}X":
        reason = f"a sample has the truth {truth!r:.40}, not a letter A to D"
        raise DataError("label", reason, "choose a data set that fits the task, with --dataset")
    return truth
