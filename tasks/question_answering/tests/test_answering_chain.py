"""The whole chain, tokenisation to score, against the plainest implementation of what Google's BERT describes."""

from __future__ import annotations

import json
import unicodedata
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlperf_mobile_task_question_answering.final_text import final_text
from mlperf_mobile_task_question_answering.metric import F1
from mlperf_mobile_task_question_answering.options import SquadOptions
from mlperf_mobile_task_question_answering.span_search import best_span
from mlperf_mobile_task_question_answering.spans import max_context, spans
from mlperf_mobile_task_question_answering.squad import Squad
from mlperf_mobile_task_question_answering.vocabulary import basic_tokens

WORDS = (
    "the",
    "river",
    "lies",
    "town",
    "is",
    "in",
    "paris",
    "born",
    "who",
    "where",
    "when",
    "19",
    "84",
    ",",
    ".",
    "?",
    "'",
    "(",
    ")",
    "-",
    "$",
    "e",
    "a",
    "an",
    "mayor",
    "of",
    "war",
    "2",
    "0",
    "x",
    "y",
)
PIECES = ("##s", "##ing", "##84", "##a", "##b", "##e", "##ne", "##r", "##x")
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS, *PIECES, "\u4e2d"]


# ------------------------------------------------------------------------------------------ the plain implementation


def is_mark(character):
    ascii_mark = 33 <= ord(character) <= 126 and not character.isalnum()
    return ascii_mark or unicodedata.category(character).startswith("P")


def naive_basic(text):
    clean = ""
    for character in text:
        if character in "\t\n\r" or unicodedata.category(character) == "Zs":
            clean += " "
        elif ord(character) not in (0, 0xFFFD) and unicodedata.category(character) not in ("Cc", "Cf"):
            chinese = 0x4E00 <= ord(character) <= 0x9FFF
            clean += f" {character} " if chinese else character
    tokens = []
    for word in clean.split():
        plain = "".join(c for c in unicodedata.normalize("NFD", word.lower()) if unicodedata.category(c) != "Mn")
        tokens += "".join(f" {c} " if is_mark(c) else c for c in plain).split()
    return tokens


def naive_pieces(text):
    pieces = []
    for word in naive_basic(text):
        found, start = [], 0
        while start < len(word):
            for end in range(len(word), start, -1):
                piece = ("##" if start else "") + word[start:end]
                if piece in VOCABULARY:
                    found.append(piece)
                    start = end
                    break
            else:
                found = ["[UNK]"]
                break
        pieces += found if len(word) <= 200 else ["[UNK]"]
    return pieces


def naive_windows(question, passage, length, stride, longest):
    words, word = [], ""
    for character in passage + " ":
        if character in " \t\r\n\u202f":
            words += [word] if word else []
            word = ""
        else:
            word += character
    tokens = [(piece, number) for number, word in enumerate(words) for piece in naive_pieces(word)]
    query = naive_pieces(question)[:longest]
    room = length - len(query) - 3
    cuts, start = [], 0
    while start < len(tokens):
        size = min(room, len(tokens) - start)
        cuts.append((start, size))
        if start + size == len(tokens):
            break
        start += min(size, stride)
    windows = []
    for number, (start, size) in enumerate(cuts):
        row = ["[CLS]", *query, "[SEP]", *(piece for piece, _ in tokens[start : start + size]), "[SEP]"]
        context = []
        for place in range(start, start + size):
            scores = []
            for begin, many in cuts:
                if begin <= place < begin + many:
                    scores.append(min(place - begin, begin + many - 1 - place) + 0.01 * many)
                else:
                    scores.append(None)
            best = max(score for score in scores if score is not None)
            context.append(scores.index(best) == number)
        windows.append(
            {
                "tokens": row,
                "ids": [VOCABULARY.index(token) for token in row] + [0] * (length - len(row)),
                "mask": [1] * len(row) + [0] * (length - len(row)),
                "segments": [0] * (len(query) + 2) + [1] * (size + 1) + [0] * (length - len(row)),
                "first": len(query) + 2,
                "context": context,
                "words": [number for _, number in tokens[start : start + size]],
            }
        )
    return words, windows


def naive_answer(words, windows, logits):
    """The text of the best pair over all windows; pairs are tried in the order that the app tries them."""
    best, answer = -np.inf, None
    for window, response in zip(windows, logits, strict=True):
        if response is None:
            continue
        start, end = response
        starts = sorted(range(len(start)), key=lambda n: -start[n])[:20]
        ends = sorted(range(len(end)), key=lambda n: -end[n])[:20]
        first, past = window["first"], window["first"] + len(window["context"])
        for s in starts:
            for e in ends:
                inside = first <= s < past and first <= e < past
                if not inside or e < s or e - s + 1 > 30 or not window["context"][s - first]:
                    continue
                if np.float32(start[s] + end[e]) > best:
                    best = np.float32(start[s] + end[e])
                    text = " ".join(window["tokens"][s : e + 1]).replace(" ##", "").replace("##", "")
                    original = " ".join(words[window["words"][s - first] : window["words"][e - first] + 1])
                    answer = naive_final(" ".join(text.split()), original)
    return answer


def naive_final(predicted, original):
    tokenised = " ".join(naive_basic(original))
    start = tokenised.find(predicted)
    if start == -1 or not predicted:
        return original
    end = start + len(predicted) - 1
    squeezed = [n for n, c in enumerate(tokenised) if c != " "]
    plain = [n for n, c in enumerate(original) if c != " "]
    if len(squeezed) != len(plain):
        return original
    return original[plain[squeezed.index(start)] : plain[squeezed.index(end)] + 1]


def official_words(text):
    marks = set("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
    kept = "".join(c for c in text.lower() if c not in marks)
    out, word = [], ""
    for c in [*kept, " "]:  # a word of the pattern \b(a|an|the)\b is a run of word characters
        if c.isalnum() or c == "_":
            word += c
        else:
            out += [" " if word in ("a", "an", "the") else word, c]
            word = ""
    return "".join(out).split()


def official_scores(answer, references):
    f1 = exact = 0.0
    for reference in references:
        mine, theirs = official_words(answer), official_words(reference)
        exact = max(exact, float(mine == theirs))
        common = sum(min(count, Counter(theirs)[word]) for word, count in Counter(mine).items())
        if common:
            precision, recall = 1.0 * common / len(mine), 1.0 * common / len(theirs)
            f1 = max(f1, (2 * precision * recall) / (precision + recall))
    return f1, exact


# ----------------------------------------------------------------------------------------------------- the comparison


def write(folder, questions):
    """Questions as (passage, question, answers), each with a passage of its own."""
    paragraphs = [
        {
            "context": passage,
            "qas": [
                {"id": f"q{n}", "question": question, "answers": [{"text": a, "answer_start": 0} for a in answers]}
            ],
        }
        for n, (passage, question, answers) in enumerate(questions)
    ]
    (folder / "dev-v1.1.json").write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}))
    (folder / "vocab.txt").write_text("".join(f"{token}\n" for token in VOCABULARY))
    return folder


word = st.sampled_from(
    [
        *WORDS,
        "Town's",
        "Paris,",
        "(born",
        "rivers",
        "warring",
        "1984",
        "é",
        "E\u0301e",
        "zzz",
        "\u4e2dx",
        "x\xa0y",
        "x\u202fy",
        "$19.84",
    ]
)
text = st.lists(word, min_size=1, max_size=40).map(" ".join)
questions = st.lists(
    st.tuples(text, text, st.lists(text.map(lambda t: t[:30]), min_size=1, max_size=3)), min_size=1, max_size=4
)


@given(questions, st.integers(12, 40), st.integers(1, 20), st.integers(0, 8), st.integers(0, 2**32), st.booleans())
@settings(max_examples=100)
@pytest.mark.slow
def test_windows_and_scores(tmp_path_factory, questions, length, stride, longest, seed, coarse):
    folder = write(tmp_path_factory.mktemp("squad"), questions)
    data = Squad(
        folder,
        SquadOptions.model_validate({"max_seq_length": length, "doc_stride": stride, "max_query_length": longest}),
    )
    metric = F1(data)
    rng = np.random.default_rng(seed)
    index, f1, exact = 0, 0.0, 0.0
    responses = []
    for passage, question, references in questions:
        words, windows = naive_windows(question, passage, length, stride, longest)
        logits = []
        for window in windows:
            sample, truth = data.sample(index), data.truth(index)
            assert sample.ids.tolist() == window["ids"]
            assert sample.mask.tolist() == window["mask"]
            assert sample.segments.tolist() == window["segments"]
            assert truth.first == window["first"]
            assert truth.max_context().tolist() == window["context"]
            both = rng.normal(0, 5, (2, length)).astype(np.float32)
            logits.append(np.round(both / 4) if coarse else both)  # coarse: many scores are equal
            responses.append((index, logits[-1].tobytes()))
            index += 1
        answer = naive_answer(words, windows, logits)
        if answer is not None:
            scores = official_scores(answer, references)
            f1, exact = f1 + scores[0], exact + scores[1]
    assert len(data) == index
    for number in rng.permutation(len(responses)):  # the log's order is LoadGen's
        metric.update(*responses[number])
    score = metric.score()
    assert (score.metric, score.samples, score.details["questions"]) == ("F1", index, len(questions))
    assert score.value == f1 / len(questions)
    assert score.details["exact_match"] == exact / len(questions)


@given(st.text(st.characters(max_codepoint=0x24F, exclude_categories=["Cn", "Co", "Cs"]), max_size=40))
def test_basic_tokens(text):
    """Latin text of any kind; Unicode's newest characters are classed by the edition that a library has."""
    assert basic_tokens(text) == naive_basic(text)


@given(text, st.data())
def test_final_text(original, data):
    tokens = naive_basic(original)
    first = data.draw(st.integers(0, len(tokens) - 1))
    last = data.draw(st.integers(first, len(tokens) - 1))
    predicted = data.draw(st.sampled_from([" ".join(tokens[first : last + 1]), "[UNK]", "", "zz"]))
    assert final_text(predicted, original, " ".join(tokens)) == naive_final(predicted, original)


@pytest.mark.parametrize(
    ("predicted", "original", "expected"),
    [
        ("steve smith", "Steve Smith's", "Steve Smith"),  # the example in Google's get_final_text
        ("1984", "(1984),", "1984"),
        ("ecole", "l'École", "École"),
        ("e", "e\u0301", "e\u0301"),  # an accent of its own is not in the tokens: no alignment
        ("[UNK]", "Zürich", "Zürich"),
    ],
)
def test_final_text_by_hand(predicted, original, expected):
    assert final_text(predicted, original, " ".join(naive_basic(original))) == expected


def test_the_official_windows_of_a_long_passage():
    """By hand: 384 tokens, 10 of a question leave 371; 600 tokens need windows at 0, 128 and 256."""
    starts, lengths = spans(600, 371, 128)
    assert (starts.tolist(), lengths.tolist()) == ([0, 128, 256], [371, 371, 344])
    flags = [max_context(starts, lengths, number) for number in range(3)]
    # Token 249 is 121 from both: left in window 1, right in window 0; of equal windows the first counts.
    assert flags[0].tolist() == [True] * 250 + [False] * 121
    covered = [np.flatnonzero(flag) + start for flag, start in zip(flags, starts, strict=True)]
    assert np.concatenate(covered).tolist() == list(range(600))


@pytest.mark.parametrize(("tokens", "number"), [(390, 0), (420, 1)])
def test_a_longer_window_outweighs_a_little_distance(tokens, number):
    """By hand: windows of 371 at 0 and of 263 or 293 at 127; token 249 has 121 and 122 tokens to their nearer ends.

    121 + 3.71 is more than 122 + 2.63, and less than 122 + 2.93.
    """
    starts, lengths = spans(tokens, 371, 127)
    assert lengths.tolist() == [371, tokens - 127]
    assert max_context(starts, lengths, number)[249 - starts[number]]
    assert not max_context(starts, lengths, 1 - number)[249 - starts[1 - number]]


@given(st.integers(1, 2000), st.integers(1, 400), st.integers(1, 400))
def test_every_token_has_one_best_window(tokens, room, stride):
    starts, lengths = spans(tokens, room, stride)
    count = np.zeros(tokens, int)
    for number, (start, length) in enumerate(zip(starts, lengths, strict=True)):
        count[start : start + length] += max_context(starts, lengths, number)
    assert (count == 1).all()


def span(start, end, first=2, context=None):
    start, end = np.array(start, np.float32), np.array(end, np.float32)
    return best_span(start, end, first, np.ones(len(start) - first - 1, bool) if context is None else context)


class TestBestSpan:
    def test_by_hand(self):
        found = span([9, 9, 1, 5, 2, 9], [9, 9, 1, 3, 4, 9])
        assert (found.start, found.end, found.score) == (3, 4, 9.0)

    def test_an_answer_does_not_end_before_it_starts(self):
        found = span([0, 0, 1, 2, 7, 0], [0, 0, 9, 1, 1, 0])
        assert (found.start, found.end) == (2, 2)

    def test_an_answer_has_at_most_30_tokens(self):
        start, end = np.zeros(64), np.zeros(64)
        start[2], end[32], end[31] = 9, 9, 8
        assert (span(start, end).start, span(start, end).end) == (2, 31)

    def test_only_the_twenty_highest_are_tried(self):
        start, end = np.zeros(64), np.zeros(64)
        start[40:60], end[5:25] = 5, 5
        assert span(start, end) is None
        start[30], end[10:29] = 1, 9  # the 20th highest end is at 5, the first of equal ones
        assert span(start, end) is None
        start, end = np.arange(64.0, 0, -1), np.zeros(64)
        assert span(start, end, first=19).start == 19
        assert span(start, end, first=20) is None

    def test_an_answer_starts_where_the_window_is_the_best_one(self):
        found = span([0, 0, 9, 5, 0, 0], [0, 0, 0, 9, 0, 0], context=np.array([False, True, True]))
        assert (found.start, found.end) == (3, 3)

    def test_the_last_separator_is_no_answer(self):
        assert (span([0, 0, 1, 0, 0, 99], [0, 0, 1, 0, 0, 99]).end) == 2

    def test_what_is_no_number_never_wins(self):
        nan = np.nan
        found = span([nan, 1, nan, 3, 1, nan], [nan, 1, nan, nan, 2, nan])
        assert (found.start, found.end) == (3, 4)
        assert span([nan] * 40, [nan] * 40) is None
        assert span([nan] * 6, [1.0] * 6) is None

    def test_infinite_scores(self):
        inf = np.inf
        assert span([0, 0, -inf, 1, -inf, 0], [0, 0, -inf, 1, inf, 0]).end == 4
        assert span([0, 0, inf, -inf, -inf, 0], [0, 0, -inf, -inf, -inf, 0]) is None
