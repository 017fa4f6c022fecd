"""SQuAD files and vocabularies: what they give, and what damaged ones get."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mlperf_mobile.errors import DataError
from mlperf_mobile_task_question_answering import squad_file, vocabulary
from mlperf_mobile_task_question_answering.made_up_facts import ANNOTATIONS, MadeUpFacts
from mlperf_mobile_task_question_answering.metric import F1
from mlperf_mobile_task_question_answering.options import SquadOptions
from mlperf_mobile_task_question_answering.squad import Squad
from mlperf_mobile_task_question_answering.squad_file import read_squad
from mlperf_mobile_task_question_answering.vocabulary import Vocabulary

TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "who", "when", "the", "cat", "sat", "##s", "19", "##84", ",", ".", "?"]
SMALL = {"max_seq_length": 12, "doc_stride": 3, "max_query_length": 4}


def question(name="q", text="who sat?", answers=("the cat",), **more):
    return {"id": name, "question": text, "answers": [{"text": a, "answer_start": 0} for a in answers], **more}


def document(*questions, context="The cat sat, 1984."):
    return {"version": "1.1", "data": [{"title": "t", "paragraphs": [{"context": context, "qas": list(questions)}]}]}


def save(folder, content, tokens=TOKENS):
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / "dev-v1.1.json").write_text(text, encoding="utf-8")
    (folder / "vocab.txt").write_text("".join(f"{token}\n" for token in tokens))
    return folder


def open_squad(folder, content, options=SMALL):
    return Squad(save(folder, content), SquadOptions.model_validate(options))


class TestSquad:
    def test_a_window_by_hand(self, tmp_path):
        """Room for 5 of 7 tokens: the cat sat , 19 | ##84 . — windows at 0 and 3."""
        data = open_squad(tmp_path, document(question()))
        ids = [[TOKENS[token] for token in data.sample(n).ids] for n in range(len(data))]
        assert ids == [
            ["[CLS]", "who", "sat", "?", "[SEP]", "the", "cat", "sat", ",", "19", "##84", "[SEP]"],
            ["[CLS]", "who", "sat", "?", "[SEP]", ",", "19", "##84", ".", "[SEP]", "[PAD]", "[PAD]"],
        ]
        assert data.sample(1).mask.tolist() == [1] * 10 + [0] * 2
        assert data.sample(1).segments.tolist() == [0] * 5 + [1] * 5 + [0] * 2
        truth = data.truth(1)
        assert truth.words(6, 7) == ("1984.", "1984 .")
        assert truth.pieces(6, 7) == ["19", "##84"]
        assert truth.answers == ("the cat",)

    def test_a_question_is_cut_off(self, tmp_path):
        data = open_squad(tmp_path, document(question(text="who who who who sat")))
        assert data.sample(0).ids[:6].tolist() == [2, 4, 4, 4, 4, 3]

    def test_an_empty_question_is_encoded_as_it_is(self, tmp_path):
        data = open_squad(tmp_path, document(question(text="")))
        assert data.sample(0).ids[:4].tolist() == [2, 3, 6, 7]

    def test_special_tokens_in_a_text_are_text(self, tmp_path):
        data = open_squad(tmp_path, document(question(text="[SEP]")))
        assert data.sample(0).ids[:5].tolist() == [2, 1, 1, 1, 3]

    def test_words_of_more_than_200_characters_are_unknown(self, tmp_path):
        data = open_squad(tmp_path, document(question(), context=f"cat{'s' * 197} cat{'s' * 198}"), {})
        ids = data.sample(0).ids.tolist()
        assert ids[5:].count(TOKENS.index("##s")) == 197
        assert ids[5:].count(TOKENS.index("[UNK]")) == 1

    @pytest.mark.parametrize("context", ["", " \n\t", "\x00\x07"])
    def test_an_empty_passage_is_reported(self, tmp_path, context):
        with pytest.raises(DataError, match=r"dev-v1.1.json.*question '?q"):
            open_squad(tmp_path, document(question(), context=context))

    def test_an_answer_that_is_not_in_the_passage_counts_as_any_other(self, tmp_path):
        """The official evaluation compares texts; where an answer begins it does not ask."""
        data = open_squad(tmp_path, document(question(answers=("a dog", "cat"))), {})
        scores = np.zeros((2, 384), np.float32)
        scores[:, 6] = 1
        metric = F1(data)
        metric.update(0, scores.tobytes())
        assert metric.score().value == 1.0

    @pytest.mark.parametrize("answers", [(), None])
    def test_questions_without_answers_serve_performance_runs(self, tmp_path, answers):
        record = question(answers=answers or ())
        if answers is None:
            del record["answers"]
        data = open_squad(tmp_path, document(question("p"), record), {})
        assert data.sample(1).ids[0] == 2
        with pytest.raises(DataError, match="question q has no answers") as caught:
            F1(data)
        assert caught.value.code == "no-labels"

    def test_a_file_and_its_folder_are_the_same(self, tmp_path):
        save(tmp_path, document(question()))
        other = tmp_path / "elsewhere.txt"
        (tmp_path / "vocab.txt").rename(other)
        named = {"annotations": tmp_path / "dev-v1.1.json", "vocabulary": other}
        several = [
            Squad(tmp_path, SquadOptions.model_validate({"vocabulary": other})),
            Squad(tmp_path / "dev-v1.1.json", SquadOptions.model_validate({"vocabulary": other})),
            Squad(None, SquadOptions.model_validate(named)),
        ]
        assert len({data.fingerprint(0) for data in several}) == 1
        with pytest.raises(DataError, match=r"vocab\.txt"):
            Squad(tmp_path, SquadOptions())

    def test_fingerprints_are_of_what_the_model_reads(self, tmp_path):
        changes = (("who", "cat sat", 80), ("when", "cat sat", 80), ("who", "cat cat", 80), ("who", "cat sat", 81))
        prints = []
        for text, context, length in changes:
            content = document(question(text=text), context=context)
            prints.append(open_squad(tmp_path, content, {"max_seq_length": length}).fingerprint(0))
        assert len(set(prints)) == 4

    def test_there_is_a_limit_to_windows(self, tmp_path, monkeypatch):
        monkeypatch.setattr("mlperf_mobile_task_question_answering.squad.MAX_WINDOWS", 5)
        with pytest.raises(DataError, match="6 windows, more than 5"):
            open_squad(tmp_path, document(question("a"), question("b"), question("c")))

    @pytest.mark.parametrize("wrong", [{"max_query_length": 9}, {"doc_stride": 0}, {"max_seq_length": 7}])
    def test_windows_that_cannot_be(self, wrong):
        with pytest.raises(ValidationError):
            SquadOptions.model_validate(SMALL | wrong)

    def test_files_are_found_from_anywhere(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        assert SquadOptions(vocabulary=Path("v.txt")).vocabulary == tmp_path / "v.txt"


class TestSquadFile:
    def read(self, tmp_path, content):
        save(tmp_path, content)
        return read_squad(tmp_path / "dev-v1.1.json")

    def test_questions_are_in_the_order_of_the_file(self, tmp_path):
        content = document(question("a"), question("b", answers=("x", "y")))
        content["data"].append({"paragraphs": [{"context": "x", "qas": [question("c")]}, {"context": "y", "qas": []}]})
        found = self.read(tmp_path, content)
        assert found.passages == ["The cat sat, 1984.", "x", "y"]
        assert [(q.id, q.passage, q.answers) for q in found.questions] == [
            ("a", 0, ("the cat",)), ("b", 0, ("x", "y")), ("c", 1, ("the cat",))
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("content", "what"),
        [
            ("", r"dev-v1.1.json:1:1 is not JSON"),
            ('{"data": [\n{"paragraphs": ]}', r"dev-v1.1.json:2:16 is not JSON"),
            ("[" * 100_000, "too deeply nested"),
            ('{"a": 1' + "0" * 5000 + "}", "not JSON"),
            ([], "dev-v1.1.json: the list 'data' is missing"),
            ({"data": {}}, "the list 'data' is missing"),
            ({"data": [1]}, r"data\[0\]: the list 'paragraphs' is missing"),
            ({"data": []}, "has no questions"),
            ({"data": [{"paragraphs": [{"qas": []}]}]}, r"data\[0\].paragraphs\[0\]: the text 'context' is missing"),
            (document(1), r"paragraphs\[0\].qas\[0\]: the text 'id' is missing"),
            (document(question(name=7)), r"qas\[0\]: the text 'id' is missing"),
            (document(question(), question("r") | {"question": None}), r"qas\[1\]: the text 'question' is missing"),
            (document(question() | {"answers": "x"}), r"qas\[0\]: the list 'answers' is missing"),
            (document(question() | {"answers": [{}]}), r"qas\[0\].answers\[0\]: the text 'text' is missing"),
            (
                document(question(), question()),
                r"qas\[1\]: the id 'q' is also that of data\[0\].paragraphs\[0\].qas\[0\]",
            ),
            (document(question(text="\ud800")), "'question' contains half of a surrogate pair"),
            (document(question(), context="\udfff"), "'context' contains half of a surrogate pair"),
        ],
    )
    def test_what_is_wrong_is_reported_with_its_place(self, tmp_path, content, what):
        with pytest.raises(DataError, match=what) as caught:
            self.read(tmp_path, content)
        assert "dev-v1.1.json" in caught.value.summary

    def test_not_text(self, tmp_path):
        (tmp_path / "x.json").write_bytes(b"\xff\xfe")
        with pytest.raises(DataError, match="UTF-8"):
            read_squad(tmp_path / "x.json")

    def test_a_file_without_end_is_not_read(self, tmp_path, monkeypatch):
        monkeypatch.setattr(squad_file, "MAX_BYTES", 10)
        with pytest.raises(DataError, match="larger than 10 bytes"):
            self.read(tmp_path, document(question()))

    @given(
        st.recursive(
            st.none() | st.integers() | st.text(max_size=3) | st.just([question()]),
            lambda inner: (
                st.lists(inner, max_size=2)
                | st.dictionaries(
                    st.sampled_from(["data", "paragraphs", "context", "qas", "id", "question", "answers", "text"]),
                    inner,
                )
            ),
            max_leaves=12,
        )
    )
    def test_any_document_is_questions_or_an_error(self, tmp_path_factory, content):
        try:
            found = self.read(tmp_path_factory.mktemp("squad"), {"data": content})
        except DataError:
            return
        assert all(found.passages[q.passage].strip() for q in found.questions)


class TestVocabulary:
    @pytest.mark.parametrize("absent", ["[PAD]", "[UNK]", "[CLS]", "[SEP]"])
    def test_special_tokens_are_needed(self, tmp_path, absent):
        save(tmp_path, document(question()), [token for token in TOKENS if token != absent])
        with pytest.raises(DataError) as caught:
            Squad(tmp_path, SquadOptions())
        assert (caught.value.code, caught.value.summary) == ("vocabulary", f"{tmp_path / 'vocab.txt'} lacks {absent}")

    def test_numbers_are_those_of_the_lines(self, tmp_path):
        (tmp_path / "v.txt").write_text("[PAD]\n\nx\r\n[UNK]\n[CLS]\n[SEP]\ny", newline="")
        found = Vocabulary(tmp_path / "v.txt")
        assert (found.pad, found.unknown, found.cls, found.sep) == (0, 3, 4, 5)
        assert [ids.tolist() for ids in found.texts(["x Y z"])] == [[2, 6, 3]]

    @pytest.mark.parametrize("data", [b"\xff\xfe", b""])
    def test_no_vocabulary(self, tmp_path, data):
        (tmp_path / "v.txt").write_bytes(data)
        with pytest.raises(DataError) as caught:
            Vocabulary(tmp_path / "v.txt")
        assert "v.txt" in caught.value.summary

    def test_missing(self, tmp_path):
        with pytest.raises(DataError) as caught:
            Vocabulary(tmp_path / "v.txt")
        assert caught.value.code == "vocabulary-missing"

    def test_a_file_without_end_is_not_read(self, tmp_path, monkeypatch):
        monkeypatch.setattr(vocabulary, "MAX_BYTES", 10)
        save(tmp_path, document(question()))
        with pytest.raises(DataError, match="larger than 10 bytes"):
            Vocabulary(tmp_path / "vocab.txt")


class TestMadeUpFacts:
    def test_the_packaged_data(self):
        data = MadeUpFacts(None, None)
        truths = [data.truth(index) for index in range(len(data))]
        windows = {truth.question: 0 for truth in truths}
        for truth in truths:
            windows[truth.question] += 1
        assert len(windows) == 200
        assert sum(count > 1 for count in windows.values()) == 40  # passages longer than a window
        assert all(1 not in data.sample(index).ids for index in range(len(data)))  # nothing is unknown
        assert all(truth.length == 128 and 1 <= len(truth.answers[0].split()) <= 4 for truth in truths)

    def test_a_changed_packaged_file_is_noticed(self, monkeypatch):
        monkeypatch.setitem(
            __import__("mlperf_mobile_task_question_answering.made_up_facts", fromlist=["x"]).SHA256,
            ANNOTATIONS,
            "0" * 64,
        )
        with pytest.raises(DataError, match="sha256"):
            MadeUpFacts(None, None)

    @pytest.mark.parametrize("absent", [ANNOTATIONS, "vocab.txt"])
    def test_a_missing_packaged_file_is_reported(self, tmp_path, monkeypatch, absent):
        monkeypatch.setattr("mlperf_mobile_task_question_answering.made_up_facts.files", lambda package: tmp_path)
        (tmp_path / "quickstart").mkdir()
        packaged = Path(__import__("mlperf_mobile_task_question_answering").__file__).parent / "quickstart"
        for name in {ANNOTATIONS, "vocab.txt"} - {absent}:
            (tmp_path / "quickstart" / name).write_bytes((packaged / name).read_bytes())
        with pytest.raises(DataError) as caught:
            MadeUpFacts(None, None)
        assert absent in caught.value.summary
