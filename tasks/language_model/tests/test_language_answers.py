"""Answers: reading a letter, the two metrics, and responses that are token ids."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from language_models import LETTERS, TOKENIZER, ids, language

from mlperf_mobile.errors import DataError, UsageError
from mlperf_mobile_task_language_model.choice_metric import ChoiceAccuracy, answer_letter
from mlperf_mobile_task_language_model.ifeval import language as languages
from mlperf_mobile_task_language_model.ifeval.instruction import Instruction
from mlperf_mobile_task_language_model.instruction_metric import InstructionAccuracy
from mlperf_mobile_task_language_model.options import InstructionOptions
from mlperf_mobile_task_language_model.requests import Instructions

OPTIONS = InstructionOptions(tokenizer=TOKENIZER)


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("B", "B"),
        (" B\n\nWhat", "B"),
        ("b", "b"),  # found, but compared as it is
        ("The answer is C", "C"),
        ("B<|eot_id|>", "B"),
        ("(B)", ""),
        ("B.", ""),
        ("B) red", ""),
        ("E A", "A"),  # E is none of the four
        ("A bird", "A"),  # an article is a letter too
        ("", ""),
        (" \t\n", ""),
        ("x\0 B", ""),  # a text ends at NUL
        ("é B", "B"),
        ("1<B A", "A"),
        ("\vD\f", "D"),
    ],
)
def test_the_app_s_reading_of_an_answer(text, letter):
    """Derived from find_answer_char: the first word of one character, or of one before ``<``, that is a letter."""
    assert answer_letter(text) == letter


@given(st.text(max_size=40))
def test_any_text_has_a_letter_or_none(text):
    assert answer_letter(text) in ("", *LETTERS, *LETTERS.lower())


class Data:
    """Truths alone."""

    def __init__(self, *truths):
        self.truths = truths

    def __len__(self):
        return len(self.truths)

    def truth(self, index):
        return self.truths[index]


def test_accuracy_of_letters():
    metric = ChoiceAccuracy(Data("A", "B", "C", "X"), language())
    for index, text in enumerate((" A", " b", "red", " A")):
        metric.update(index, ids(text))
    score = metric.score()
    assert (score.metric, score.value, score.samples) == ("accuracy", 0.25, 4)
    assert score.details == {"answered": 0.75, "any_case": 0.5}


@pytest.mark.parametrize("truth", [1, "", "AB", "a", None])
def test_truths_that_are_no_letters(truth):
    with pytest.raises(DataError, match="not a letter A to D"):
        ChoiceAccuracy(Data(truth), language())


@pytest.mark.parametrize(
    ("response", "code"),
    [(b"abc", "response"), (b"\xff\xff\xff\xff", "token-range"), (np.array([640], "<i4").tobytes(), "token-range")],
)
def test_responses_that_are_no_tokens(response, code):
    with pytest.raises(DataError) as caught:
        ChoiceAccuracy(Data("A"), language()).update(0, response)
    assert caught.value.code == code


def test_the_stop_token_is_no_part_of_an_answer_unless_the_options_say_so():
    response = ids('"a"<|eot_id|>')
    truth = Data(Instructions(1, (Instruction("startend:quotation", {}),)))
    for stop_in_text, value in ((False, 1.0), (True, 0.0)):
        options = InstructionOptions(tokenizer=TOKENIZER, stop_in_text=stop_in_text)
        metric = InstructionAccuracy(truth, language(options), options)
        metric.update(0, response)
        assert metric.score().details["prompt_strict"] == value


def test_the_four_accuracies():
    """Two prompts: of the first's two instructions, one is followed strictly, both loosely; the second's is not."""
    truth = Data(
        Instructions(1, (Instruction("startend:quotation", {}), Instruction("punctuation:no_comma", {}))),
        Instructions(2, (Instruction("detectable_format:title", {}), Instruction("new:kind", {}))),
    )
    metric = InstructionAccuracy(truth, language(OPTIONS), OPTIONS)
    metric.update(0, ids('Sure\n"red"'))
    metric.update(1, ids("red"))
    score = metric.score()
    expected = {"prompt_strict": 0.0, "prompt_loose": 0.5, "instruction_strict": 1 / 3, "instruction_loose": 2 / 3}
    assert {name: score.details[name] for name in expected} == pytest.approx(expected)
    assert score.value == pytest.approx(sum(expected.values()) / 4)
    assert (score.metric, score.samples, score.details["instructions"]) == ("IFEval accuracy", 2, 3)
    assert score.details["left_out"] == 1
    assert score.details["published_prompts"] == 2
    assert score.details["published_instruction_strict"] == pytest.approx(1 / 3)


def test_prompts_that_the_published_rules_cannot_judge():
    truth = Data(Instructions(1, (Instruction("length_constraints:number_sentences", {"num_sentences": 1}),)))
    metric = InstructionAccuracy(truth, language(OPTIONS), OPTIONS)
    metric.update(0, ids("red"))
    details = metric.score().details
    assert details["published_prompts"] == 0
    assert "published_prompt_strict" not in details


def test_no_prompts_have_no_accuracy():
    assert InstructionAccuracy(Data(), language(OPTIONS), OPTIONS).score().value == 0
    with pytest.raises(DataError, match="not instructions"):
        InstructionAccuracy(Data("A"), language(OPTIONS), OPTIONS)


class TestLanguages:
    @pytest.mark.parametrize(("name", "module"), [("cld2", "pycld2"), ("langdetect", "langdetect")])
    def test_detectors(self, name, module):
        pytest.importorskip(module)
        detect, used = languages.app_detector(name)
        assert used == name
        assert detect("This is a plain sentence in the English language, as everybody can see.") == "en"
        assert detect("Ceci est une phrase simple en langue française, comme chacun peut le voir.") == "fr"
        assert detect("") == "en"  # CLD2's answer to an unknown language

    @pytest.fixture
    def without(self, monkeypatch):
        monkeypatch.setattr(languages, "_installed", lambda name: None)

    def test_without_a_detector_a_language_cannot_be_checked(self, without):
        truth = Data(Instructions(1, (Instruction("language:response_language", {"language": "de"}),)))
        with pytest.raises(UsageError) as caught:
            InstructionAccuracy(truth, language(OPTIONS), OPTIONS)
        assert caught.value.code == "language-detector"

    def test_without_one_everything_else_can(self, without):
        truth = Data(Instructions(1, (Instruction("change_case:english_capital", {}),)))
        metric = InstructionAccuracy(truth, language(OPTIONS), OPTIONS)
        metric.update(0, ids("RED"))
        assert metric.score().value == 1
        assert metric.score().details["published_prompts"] == 0

    def test_which_one_is_told(self, monkeypatch):
        truth = Data(Instructions(1, (Instruction("language:response_language", {"language": "xx"}),)))
        monkeypatch.setattr(languages, "_installed", lambda name: None if name == "pycld2" else _Fixed)
        metric = InstructionAccuracy(truth, language(OPTIONS), OPTIONS)
        metric.update(0, ids("red"))
        assert metric.score().details["cld2"] == 0
        assert metric.score().value == 1


class _Fixed:
    """In place of langdetect."""

    LangDetectException = ValueError
    DetectorFactory = type("Factory", (), {})
    detect = staticmethod(lambda text: "xx")
