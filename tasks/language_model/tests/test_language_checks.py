"""IFEval's 25 checks by the reference app's rules: hand-made cases, whose right values follow from its source."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlperf_mobile_task_language_model.ifeval import counts
from mlperf_mobile_task_language_model.ifeval.instruction import KINDS, Instruction, app_rule
from mlperf_mobile_task_language_model.ifeval.published import published_rule
from mlperf_mobile_task_language_model.ifeval.texts import variants

AT_LEAST, LESS = "at least", "less than"


def english(text):
    return "en"


def rule(kind, detector=english, **arguments):
    return app_rule(Instruction(f"group:{kind}", arguments), lambda: detector)


CASES = {
    "capital_word_frequency": [
        ({"capital_frequency": 2, "capital_relation": AT_LEAST}, "HELLO, I am (NASA)", True),  # HELLO, I, NASA
        ({"capital_frequency": 2, "capital_relation": LESS}, "HELLO Big world", True),
        ({"capital_frequency": 1, "capital_relation": AT_LEAST}, "123 -- ...", False),  # no letter
        ({"capital_frequency": 2, "capital_relation": AT_LEAST}, "B2B I'LL", True),
        ({"capital_frequency": 1, "capital_relation": AT_LEAST}, "É", False),  # only ASCII letters count
        ({"capital_frequency": 1, "capital_relation": "at most"}, "", True),  # anything else means less than
        ({}, "NO", False),  # less than 0
    ],
    "english_capital": [
        ({}, "ALL GOOD, 3 TIMES!", True),
        ({}, "ALL GOOd", False),
        ({}, "ÜBER é", True),  # é is no ASCII letter
        ({}, "", True),
        ({}, "C'EST SIMPLE", True),  # no check of the language
    ],
    "english_lowercase": [({}, "all good", True), ({}, "All good", False), ({}, "É 12", True), ({}, "", True)],
    "repeat_prompt": [
        ({"prompt_to_repeat": "Say it."}, "say it. Yes.", True),
        ({"prompt_to_repeat": "Say it."}, '"Say it."', True),  # one byte before it
        ({"prompt_to_repeat": "Say it."}, "abcSay it.", True),  # three bytes before it
        ({"prompt_to_repeat": "Say it."}, "abcdSay it.", False),
        ({"prompt_to_repeat": "Say it."}, "Say", False),
    ],
    "two_responses": [
        ({}, "one\n******\ntwo", True),
        ({}, "one", False),
        ({}, "one ****** two ****** three", False),
        ({}, "******one ****** two", True),  # the first is at the very start
        ({}, "one******", False),  # at the very end
        ({}, "same\n******\nsame", True),  # they need not differ
        ({}, "one ***** two", False),
    ],
    "number_placeholders": [
        ({"num_placeholders": 2}, "[name] and [address]", True),
        ({"num_placeholders": 2}, "[name] and []", False),  # an empty one does not count
        ({"num_placeholders": 1}, "[[x]", True),
        ({"num_placeholders": 1}, "] [", False),
        ({"num_placeholders": 1}, "[two\nlines]", True),
        ({}, "", True),
    ],
    "postscript": [
        ({"postscript_marker": "P.S."}, "Bye. p.s. more", True),
        ({"postscript_marker": "P.P.S"}, "P.S. more", False),
        ({"postscript_marker": "P.S."}, "P. S. more", False),
    ],
    "constrained_response": [
        ({}, "My answer is yes.", True),
        ({}, "My answer is no. OK", True),  # three bytes more
        ({}, "My answer is maybe. Yes.", False),
        ({}, "my answer is yes.", False),
        ({}, "\nMy answer is yes.\n", True),
    ],
    "json_format": [
        ({}, '{"a": [1, -2.5e3, "x", null, true]}', True),
        ({}, '```json\n{"a": 1}\n```', True),
        ({}, "```\n[1]\n```", True),
        ({}, "`[1]`", False),  # one line: nothing is dropped
        ({}, "12", True),
        ({}, "", False),
        ({}, "{'a': 1}", False),
        ({}, "[1,]", False),
        ({}, "NaN", False),
        ({}, "01", False),
        ({}, '["a\nb"]', True),  # its parser takes line feeds in strings
        ({}, '{"a": 1} done', False),
        ({}, '["\\x"]', False),
    ],
    "multiple_sections": [
        ({"num_sections": 2, "section_spliter": "Section"}, "Section 1\na\nSection 2\nb", True),
        ({"num_sections": 3, "section_spliter": "Section"}, "Section 1\na\nSection 2\nb", False),
        ({"num_sections": 2, "section_spliter": "SECTION"}, "SECTION I\na\nSECTION II\nb", True),
        ({"num_sections": 1, "section_spliter": "Section"}, "Section 1 has no Section here", True),
        ({"num_sections": 1, "section_spliter": "Section"}, "Section 1 a Section 2 b ****** ", True),  # halved
        ({"num_sections": 0, "section_spliter": "Section"}, "section 1", True),  # the case matters
        ({"num_sections": 1, "section_spliter": ""}, "anything", True),
    ],
    "number_bullet_lists": [
        ({"num_bullets": 2}, "* a\n- b", True),
        ({"num_bullets": 2}, "* a\n  * b\ntext", True),
        ({"num_bullets": 1}, "*a\n-b\n* c", True),  # a space is needed
        ({"num_bullets": 1}, "* ", False),  # trimmed first
        ({"num_bullets": 1}, "* a\n* b", False),
        ({"num_bullets": 0}, "", True),
    ],
    "number_highlighted_sections": [
        ({"num_highlights": 2}, "*one* and *two*", True),
        ({"num_highlights": 2}, "**one** and *two*", True),
        ({"num_highlights": 1}, "*one\ntwo*", False),
        ({"num_highlights": 1}, "** **", True),  # a space is something
        ({"num_highlights": 1}, "****", False),
        ({"num_highlights": 2}, "*one*two*", False),
    ],
    "title": [({}, "<<poem>>", True), ({}, "<<>>", True), ({}, ">> <<", False), ({}, "<<a\nb>>", True)],
    "existence": [
        ({"keywords": ("cat", "dog")}, "Cat and dog.", True),
        ({"keywords": ("cat",)}, "cats", False),
        ({"keywords": ("cat",)}, "cat_s", False),
        ({"keywords": ("cat",)}, "concat cat", True),
        ({"keywords": ("new york",)}, "in New York!", True),
        ({}, "", True),
        ({"keywords": ("",)}, "a", False),
    ],
    "forbidden_words": [
        ({"forbidden_words": ("cat",)}, "cats", True),
        ({"forbidden_words": ("cat",)}, "a CAT.", False),
        ({"forbidden_words": ("cat", "dog")}, "a dog", False),
        ({}, "cat", True),
    ],
    "frequency": [
        ({"keyword": "word", "frequency": 3, "relation": AT_LEAST}, "Word, words and wording.", True),
        ({"keyword": "words", "frequency": 2, "relation": AT_LEAST}, "a word, words", True),
        ({"keyword": "try", "frequency": 2, "relation": AT_LEAST}, "Try what tries.", True),
        ({"keyword": "mouse", "frequency": 2, "relation": AT_LEAST}, "mouse and mice", True),
        ({"keyword": "mice", "frequency": 2, "relation": AT_LEAST}, "mouse and mice", True),
        ({"keyword": "cat", "frequency": 1, "relation": LESS}, "concatenate scatter", True),
        ({"keyword": "cat", "frequency": 2, "relation": LESS}, "cat cats", False),
        ({"keyword": "", "frequency": 1, "relation": LESS}, "a", True),
    ],
    "letter_frequency": [
        ({"letter": "a", "let_frequency": 3, "let_relation": AT_LEAST}, "Ana, a", True),
        ({"letter": "A", "let_frequency": 4, "let_relation": AT_LEAST}, "Ana, a", False),
        ({"letter": "q", "let_frequency": 1, "let_relation": LESS}, "none", True),
        ({"let_frequency": 1, "let_relation": AT_LEAST}, "a", True),  # without a letter: a
    ],
    "response_language": [({"language": "en"}, "text", True), ({"language": "de"}, "text", False)],
    "nth_paragraph_first_word": [
        ({"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "Cat"}, 'One.\n\n"Cat," he said.', True),
        (
            {"num_paragraphs": 2, "nth_paragraph": 1, "first_word": "cat"},
            "Cat\n\n\n\nb",
            True,
        ),  # empty ones are left out
        ({"num_paragraphs": 3, "nth_paragraph": 1, "first_word": "cat"}, "cat\n\nb", False),
        ({"num_paragraphs": 1, "nth_paragraph": 2, "first_word": "cat"}, "cat", False),
        ({"num_paragraphs": 1, "nth_paragraph": 0, "first_word": "cat"}, "cat", False),
        ({"num_paragraphs": 1, "nth_paragraph": 1, "first_word": "cats"}, "cat's", True),  # letters only
        (
            {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": ""},
            "a\n\n  ",
            False,
        ),  # of spaces: counts, has no word
    ],
    "number_paragraphs": [
        ({"num_paragraphs": 2}, "First one.\n***\nSecond one.", True),
        ({"num_paragraphs": 1}, "First one.", True),
        ({"num_paragraphs": 1}, "***\nFirst one.\n***", True),  # near the ends they do not count
        ({"num_paragraphs": 2}, "a\n***\nSecond one.", False),
        ({"num_paragraphs": 3}, "Paragraph\n***\nParagraph\n***\nParagraph", True),
        ({"num_paragraphs": 3}, "Paragraph ****** Paragraph", False),  # the search goes on four bytes later
        ({"num_paragraphs": 0}, "text", False),
    ],
    "number_sentences": [
        ({"num_sentences": 2, "relation": AT_LEAST}, "One. Two!", True),
        ({"num_sentences": 2, "relation": LESS}, "What?!... ", True),  # a run is one end
        ({"num_sentences": 2, "relation": LESS}, "It costs 3.50 euros.", True),
        ({"num_sentences": 2, "relation": LESS}, "Mr. smith is here.", True),  # an abbreviation before lower case
        ({"num_sentences": 2, "relation": AT_LEAST}, "Mr. Smith is here.", True),
        ({"num_sentences": 2, "relation": LESS}, "Fruit, e.g. apples.", False),  # its first full stop ends one
        ({"num_sentences": 2, "relation": LESS}, "The U.S. is large.", False),  # likewise: a capital follows
        ({"num_sentences": 3, "relation": LESS}, "Fruit, e.g. apples.", True),
        ({"num_sentences": 3, "relation": LESS}, "The U.S. is large.", True),
        ({"num_sentences": 2, "relation": LESS}, "See example.com or x.org", True),
        ({"num_sentences": 1, "relation": LESS}, "1. a\n2. b\na. c", True),  # lists
        ({"num_sentences": 1, "relation": AT_LEAST}, "no end", False),
        ({"num_sentences": 1, "relation": LESS}, "", True),
    ],
    "number_words": [
        ({"num_words": 3, "relation": AT_LEAST}, "well-known word", True),
        ({"num_words": 2, "relation": LESS}, "one", True),
        ({"num_words": 3, "relation": AT_LEAST}, "café x", False),  # caf, x
        ({"num_words": 3, "relation": AT_LEAST}, "caféx x", True),  # other letters part words
        ({"num_words": 2, "relation": AT_LEAST}, "snake_case", True),
    ],
    "no_comma": [({}, "a; b", True), ({}, "a, b", False), ({}, "", True)],
    "end_checker": [
        ({"end_phrase": "That is all."}, "Yes. THAT IS ALL.", True),
        ({"end_phrase": "That is all."}, 'Yes. "That is all."\n', True),  # two bytes behind it
        ({"end_phrase": "That is all."}, "Yes. That is all. And", False),
        ({"end_phrase": "That is all."}, "all.", False),
    ],
    "quotation": [({}, '"a"', True), ({}, '"', False), ({}, '"a" ', False), ({}, '""', True)],
}
TABLE = [(kind, *case) for kind, cases in CASES.items() for case in cases]


@pytest.mark.parametrize(("kind", "arguments", "text", "followed"), TABLE)
def test_the_app_s_strict_checks(kind, arguments, text, followed):
    assert rule(kind, **arguments).strict(text) is followed


def test_every_kind_has_cases_that_follow_and_cases_that_do_not():
    assert CASES.keys() == KINDS.keys()
    assert len(KINDS) == 25
    for kind, cases in CASES.items():
        assert {followed for _, _, followed in cases} == {True, False}, kind


def test_the_eight_variants():
    text = b"# head\n*a* `b` \\*c\n> end"
    bare = b" head\na b *c\n end"  # the backslash goes, the star behind it stays
    assert variants(text) == [
        text, bare, b"*a* `b` \\*c\n> end", b"a b *c\n end",
        b"# head\n*a* `b` \\*c", b" head\na b *c", b"*a* `b` \\*c", b"a b *c",
    ]  # fmt: skip
    assert variants(b"*one line*") == [b"*one line*", b"one line"] * 4


@pytest.mark.parametrize(
    ("kind", "arguments", "text"),
    [
        ("quotation", {}, 'Sure:\n"yes"'),  # without the first line
        ("quotation", {}, '*"yes"*'),  # without marks
        ("end_checker", {"end_phrase": "Bye."}, "Bye.\n\nP.S. more"),  # without the last line
        ("json_format", {}, "Here:\n{}\nDone."),
    ],
)
def test_loose_checks_take_a_variant(kind, arguments, text):
    assert not rule(kind, **arguments).strict(text)
    assert rule(kind, **arguments).loose(text)


def test_stems():
    """Snowball's own examples: snowballstem.org, "The English (Porter2) stemming algorithm"."""
    words = {"consigned": "consign", "consistency": "consist", "knightly": "knight", "knocking": "knock"}
    assert {word: counts.stem(word.encode()).decode() for word in words} == words


PUBLISHED = [
    ("two_responses", {}, "same\n******\nsame", False),
    ("constrained_response", {}, "I say: My answer is yes. Really.", True),
    ("number_bullet_lists", {"num_bullets": 2}, "*a\n-b", True),
    ("number_highlighted_sections", {"num_highlights": 2}, "**one**", False),
    ("title", {}, "<<>>", False),
    ("existence", {"keywords": ("cat",)}, "cats", True),
    ("frequency", {"keyword": "cat", "frequency": 2, "relation": AT_LEAST}, "concatenate scatter", True),
    ("number_paragraphs", {"num_paragraphs": 2}, "a\n***\nb", True),
    ("number_paragraphs", {"num_paragraphs": 2}, "a\n***\n \n***\nb", False),
    ("number_paragraphs", {"num_paragraphs": 1}, "***\na", True),
    ("number_words", {"num_words": 3, "relation": LESS}, "café x", True),
    ("quotation", {}, ' "a" ', True),
    ("end_checker", {"end_phrase": "Bye."}, 'So: "Bye."', True),
    ("postscript", {"postscript_marker": "P.S."}, "P. S. more", True),
    ("multiple_sections", {"num_sections": 1, "section_spliter": "Section"}, "Section 1 a Section 2 b", True),
    ("json_format", {}, "```json{}```", True),
    ("nth_paragraph_first_word", {"num_paragraphs": 1, "nth_paragraph": 1, "first_word": "cat"}, "Cat's", True),
    ("english_capital", {}, "", False),
    ("english_capital", {}, "HELLO", True),
    ("english_lowercase", {}, "hello", True),
    ("repeat_prompt", {"prompt_to_repeat": "Say it."}, '"Say it."', False),
    ("number_placeholders", {"num_placeholders": 1}, "[]", True),
    ("forbidden_words", {"forbidden_words": ("cat",)}, "a cat", False),
    ("letter_frequency", {"letter": "a", "let_frequency": 2, "let_relation": LESS}, "Aa", False),
    ("response_language", {"language": "en"}, "text", True),
    ("no_comma", {}, "a, b", False),
]


@pytest.mark.parametrize(("kind", "arguments", "text", "followed"), PUBLISHED)
def test_published_checks_where_they_differ(kind, arguments, text, followed):
    """google-research, instruction_following_eval/instructions.py."""
    assert published_rule(Instruction(f"group:{kind}", arguments), english).strict(text) is followed


def test_published_checks_that_cannot_be_made():
    assert published_rule(Instruction("x:number_sentences", {}), english) is None
    assert published_rule(Instruction("x:english_capital", {}), None) is None
    assert {kind for kind, *_ in PUBLISHED} == set(KINDS) - {"number_sentences", "capital_word_frequency"}


def test_published_loose_checks():
    quoted = published_rule(Instruction("x:quotation", {}), None)
    assert quoted.loose('Sure:\n*"yes"*\nBye')
    assert not quoted.loose("Sure:\nyes")


ARGUMENTS = {name: value for cases in CASES.values() for arguments, _, _ in cases for name, value in arguments.items()}
TEXTS = st.text(max_size=60) | st.lists(
    st.sampled_from(
        ["*", "***", "\n", "\n\n", "[", "]", "<<", ">>", '"', "`", "{", "}", ".", "U.S.", "a", "A", "1. ", " "]
    ),
    max_size=30,
).map("".join)


@settings(max_examples=200)
@given(st.sampled_from(sorted(KINDS)), TEXTS, st.booleans())
def test_no_text_makes_a_check_raise(kind, text, with_arguments):
    arguments = ARGUMENTS if with_arguments else {}
    checked = rule(kind, **arguments)
    assert checked.strict(text) in (True, False)
    assert checked.loose(text) or not checked.strict(text)
    published = published_rule(Instruction(f"x:{kind}", arguments), english)
    assert published is None or published.loose(text) or not published.strict(text)


def test_deep_json_is_no_json():
    assert not rule("json_format").loose("[" * 200_000)
