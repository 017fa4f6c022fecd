"""Data sets: TinyMMLU and IFEval in all their forms, one's own, and files that are damaged or hostile."""

from __future__ import annotations

import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tfrecord_files import container, encode, write_tfrecord

from mlperf_mobile.errors import DataError, UsageError
from mlperf_mobile_task_language_model import data_file, parquet, quickstart_files
from mlperf_mobile_task_language_model.choices import MadeUpQuestions, MultipleChoiceLines, TinyMmlu
from mlperf_mobile_task_language_model.ifeval.instruction import Instruction
from mlperf_mobile_task_language_model.options import ChoiceOptions, FileOptions
from mlperf_mobile_task_language_model.quickstart_files import packaged
from mlperf_mobile_task_language_model.requests import IfEval, MadeUpRequests

PROMPT = "About things.\n\nQ1\nAnswer: A\n\nQ2\nAnswer:"
REQUEST = {
    "key": 1001,
    "prompt": "Write é.",
    "instruction_id_list": ["punctuation:no_comma", "keywords:existence", "length_constraints:number_words"],
    "kwargs": [{}, {"keywords": ["a", "b"]}, {"relation": "at least", "num_words": 300}],
}
INSTRUCTIONS = (
    Instruction("punctuation:no_comma", {}),
    Instruction("keywords:existence", {"keywords": ("a", "b")}),
    Instruction("length_constraints:number_words", {"relation": "at least", "num_words": 300}),
)


def lines(path, *records):
    path.write_bytes(b"\n".join(r if isinstance(r, bytes) else json.dumps(r).encode() for r in records) + b"\n")
    return path


def refused(make, *, code="data-damaged", match=r"."):
    with pytest.raises((DataError, UsageError), match=match) as caught:
        make()
    assert caught.value.code == code
    assert "\n" not in caught.value.summary
    assert len(caught.value.summary) < 1000


class TestTinyMmlu:
    def test_the_app_s_records(self, tmp_path):
        rows = [{"input": [PROMPT], "answer": ["B"]}, {"input": ["Q"], "answer": ["X"]}]
        write_tfrecord(tmp_path / "tinymmlu.tfrecord", rows)
        data = TinyMmlu(tmp_path, FileOptions())
        assert [data.sample(n).text for n in range(len(data))] == [PROMPT, "Q"]
        assert [data.truth(n) for n in range(2)] == ["B", "X"]
        assert data.sample(1).source.endswith("tinymmlu.tfrecord record 1")
        for index in (-1, 2):
            with pytest.raises(IndexError):
                data.sample(index)

    @pytest.mark.parametrize(
        ("row", "what"),
        [
            ({"input": [PROMPT]}, "it has no answer"),
            ({"input": [1], "answer": ["A"]}, "input is damaged"),
            ({"input": ["a", "b"], "answer": ["A"]}, "input has 2 values"),
        ],
    )
    def test_damaged_records(self, tmp_path, row, what):
        write_tfrecord(tmp_path / "x.tfrecord", [row])
        refused(lambda: TinyMmlu(tmp_path / "x.tfrecord", FileOptions()), match=what)

    def test_records_that_are_not_unicode(self, tmp_path):
        record = encode({"input": ["~~"], "answer": ["A"]}).replace(b"~~", b"\xff\xfe")
        (tmp_path / "x.tfrecord").write_bytes(zlib.compress(container([record])))
        refused(lambda: TinyMmlu(tmp_path / "x.tfrecord", FileOptions()), match="record 0: input is damaged")

    @pytest.fixture
    def arrow(self):
        return pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")

    def write(self, arrow, path, columns, **options):
        arrow[1].write_table(arrow[0].table(columns), path, **options)
        return path

    def test_the_parquet_file(self, arrow, tmp_path):
        columns = {"input_formatted": [PROMPT, "Q", "R"], "answer": [1, 3, 7], "question": ["x", "y", "z"]}
        self.write(arrow, tmp_path / "test-00000.parquet", columns)
        data = TinyMmlu(tmp_path, FileOptions())
        assert [(data.sample(n).text, data.truth(n)) for n in range(3)] == [(PROMPT, "B"), ("Q", "D"), ("R", "X")]

    def test_parquet_files_that_are_none(self, arrow, tmp_path):
        whole = self.write(arrow, tmp_path / "a.parquet", {"input_formatted": ["Q"] * 50, "answer": [1] * 50})
        data = whole.read_bytes()
        for content in (b"hello", b"", data[: len(data) // 2], data[4:], data[:-8] + data[-4:]):
            (tmp_path / "b.parquet").write_bytes(content)
            refused(lambda: TinyMmlu(tmp_path / "b.parquet", FileOptions()), match=r"b\.parquet")

    def test_parquet_files_that_lie(self, arrow, tmp_path):
        """Every byte changed in turn: rows or a one-line error, whatever the footer claims."""
        whole = self.write(arrow, tmp_path / "a.parquet", {"input_formatted": ["Question"], "answer": [1]})
        data = whole.read_bytes()
        for place in range(0, len(data), 7):
            (tmp_path / "b.parquet").write_bytes(data[:place] + bytes((data[place] ^ 0x55,)) + data[place + 1 :])
            try:
                assert len(TinyMmlu(tmp_path / "b.parquet", FileOptions())) >= 1
            except DataError as error:
                assert "\n" not in error.summary

    def test_parquet_files_that_unpack_to_much(self, arrow, tmp_path, monkeypatch):
        file = self.write(arrow, tmp_path / "a.parquet", {"input_formatted": ["q" * 5000] * 20, "answer": [1] * 20})
        monkeypatch.setattr(parquet, "MAX_BYTES", 1000)
        refused(lambda: TinyMmlu(file, FileOptions()), match=r"a\.parquet")
        monkeypatch.setattr(parquet, "MAX_ROWS", 10)
        refused(lambda: TinyMmlu(file, FileOptions()), match="20 rows")

    def test_columns_of_other_kinds(self, arrow, tmp_path):
        file = self.write(arrow, tmp_path / "a.parquet", {"input": ["Q"], "answer": [1]})
        refused(lambda: TinyMmlu(file, FileOptions()), match="0 columns 'input_formatted'")
        file = self.write(arrow, tmp_path / "a.parquet", {"input_formatted": [None, "Q"], "answer": [1, 1]})
        refused(lambda: TinyMmlu(file, FileOptions()), match="row 0: input_formatted is not text")
        file = self.write(arrow, tmp_path / "a.parquet", {"input_formatted": ["Q"], "answer": [None]})
        assert TinyMmlu(file, FileOptions()).truth(0) == "X"

    def test_without_pyarrow(self, tmp_path, monkeypatch):
        monkeypatch.setitem(parquet.importlib.sys.modules, "pyarrow", None)
        (tmp_path / "a.parquet").write_bytes(b"")
        refused(lambda: TinyMmlu(tmp_path, FileOptions()), code="data-library", match="needs the package pyarrow")

    def test_which_file(self, tmp_path):
        refused(lambda: TinyMmlu(tmp_path, FileOptions()), code="data-missing", match="has no")
        refused(lambda: TinyMmlu(None, FileOptions()), code="data-missing")
        for name in ("tinymmlu.tfrecord", "mmlu_b.tfrecord"):
            write_tfrecord(tmp_path / name, [{"input": [name], "answer": ["A"]}])
        refused(lambda: TinyMmlu(tmp_path, FileOptions()), code="data-ambiguous")
        chosen = FileOptions(file=tmp_path / "mmlu_b.tfrecord")
        assert TinyMmlu(tmp_path, chosen).sample(0).text == "mmlu_b.tfrecord"


class TestLines:
    def test_prompts_and_questions(self, tmp_path):
        question = {"question": "Which?", "choices": ["red", "blue"], "answer": 1}
        lines(tmp_path / "own.jsonl", {"input": PROMPT, "answer": "C"}, question, b"  ")
        data = MultipleChoiceLines(tmp_path, ChoiceOptions(preface="About colours."))
        assert (data.sample(0).text, data.truth(0)) == (PROMPT, "C")
        assert data.sample(1).text == "About colours.\n\nWhich?\nA. red\nB. blue\nAnswer:"
        assert data.truth(1) == "B"
        bare = MultipleChoiceLines(tmp_path, ChoiceOptions(preface=""))
        assert bare.sample(1).text.startswith("Which?")

    @pytest.mark.parametrize(
        ("record", "match"),
        [
            ({"input": PROMPT}, "'answer' is None"),
            ({"input": PROMPT, "answer": "E"}, "'answer' is 'E'"),
            ({"input": PROMPT, "answer": True}, "'answer' is True"),
            ({"input": 3, "answer": "A"}, "the text 'input' is missing"),
            ({"question": "Q", "choices": ["a"], "answer": 0}, "list of 2 to 4"),
            ({"question": "Q", "choices": ["a", "b"], "answer": 2}, "not A to B or 0 to 1"),
            ({"question": "Q", "choices": ["a", 1], "answer": 0}, "one of the choices"),
            ({"choices": ["a", "b"], "answer": 0}, "the text 'question' is missing"),
            (b"{", "is not JSON"),
            (b"[1]", "not a JSON object"),
            (b'{"input": "\xff"}', "not UTF-8"),
            (b"[" * 100_000, "not JSON"),
            (b'{"input": "\\ud800", "answer": "A"}', "surrogate"),
            (b'{"answer": ' + b"9" * 5000 + b"}", "not JSON"),
        ],
    )
    def test_lines_that_are_wrong(self, tmp_path, record, match):
        file = lines(tmp_path / "own.jsonl", {"input": PROMPT, "answer": "C"}, record)
        refused(lambda: MultipleChoiceLines(file, ChoiceOptions()), match=match)

    def test_prompts_that_are_huge_or_empty(self, tmp_path):
        file = lines(tmp_path / "own.jsonl", {"input": "a" * 10_000_000, "answer": "C"})
        refused(lambda: MultipleChoiceLines(file, ChoiceOptions()), code="prompt-length", match="10000000 characters")
        file = lines(tmp_path / "own.jsonl", {"input": " \n", "answer": "C"})
        refused(lambda: MultipleChoiceLines(file, ChoiceOptions()), code="prompt-empty")

    def test_files_that_are_huge_missing_or_empty(self, tmp_path, monkeypatch):
        file = lines(tmp_path / "own.jsonl", {"input": PROMPT, "answer": "C"})
        monkeypatch.setattr(data_file, "MAX_BYTES", 20)
        refused(lambda: MultipleChoiceLines(file, ChoiceOptions()), match="more than 20 bytes")
        file.write_bytes(b"\n")
        refused(lambda: MultipleChoiceLines(file, ChoiceOptions()), code="data-empty")
        none = ChoiceOptions(file=tmp_path / "none.jsonl")
        refused(lambda: MultipleChoiceLines(None, none), code="data-missing")

    @given(st.binary(max_size=60))
    def test_any_bytes_are_a_line_or_an_error(self, tmp_path_factory, data):
        file = tmp_path_factory.getbasetemp() / "any.jsonl"
        file.write_bytes(data)
        try:
            MultipleChoiceLines(file, ChoiceOptions())
        except DataError as error:
            assert "any.jsonl" in error.summary


class TestIfEval:
    def test_the_published_lines(self, tmp_path):
        nulls = {"keywords": None, "num_words": 300.0, "relation": "at least", "original_message": "ignored"}
        copy = REQUEST | {"key": 2, "kwargs": [{"keywords": None}, {"keywords": ["a", "b"]}, nulls]}
        data = IfEval(lines(tmp_path / "x.jsonl", REQUEST, copy), FileOptions())
        assert data.sample(0).text == "Write é."
        assert data.truth(0).instructions == data.truth(1).instructions == INSTRUCTIONS
        assert (data.truth(0).key, data.truth(1).key) == (1001, 2)
        assert list(data.warnings) == []

    def test_the_app_s_records(self, tmp_path):
        """As its generate_tfrecords.py writes them."""
        record = {
            "key": [1001],
            "prompt": ["Write é."],
            "instruction_id_list": list(REQUEST["instruction_id_list"]),
            "kwargs/1/keywords": ["a", "b"],
            "kwargs/2/relation": ["at least"],
            "kwargs/2/num_words": [300],
            "kwargs/9/num_words": [1],
            "kwargs/0/other": ["x"],
        }
        write_tfrecord(tmp_path / "tiny33_ifeval.tfrecord", [record])
        data = IfEval(tmp_path, FileOptions())
        assert (data.sample(0).text, data.truth(0).key) == ("Write é.", 1001)
        assert data.truth(0).instructions == INSTRUCTIONS

    @pytest.mark.parametrize(
        ("changes", "what"),
        [
            ({"key": [1, 2]}, "2 keys"),
            ({"kwargs/0/num_words": ["x"]}, "num_words is damaged"),
            ({"kwargs/0/num_words": [-1]}, "out of range"),
            ({"kwargs/0/keyword": [1]}, "keyword is damaged"),
            ({"prompt": [1]}, "prompt is damaged"),
        ],
    )
    def test_damaged_records(self, tmp_path, changes, what):
        record = {"key": [1], "prompt": ["a"], "instruction_id_list": ["x:no_comma"]} | changes
        write_tfrecord(tmp_path / "x.tfrecord", [record])
        refused(lambda: IfEval(tmp_path / "x.tfrecord", FileOptions()), match=what)

    @pytest.mark.parametrize(
        ("changes", "match"),
        [
            ({"instruction_id_list": "x"}, "must be a list of texts"),
            ({"instruction_id_list": []}, "arguments for 3 instructions"),
            ({"kwargs": {}}, "must be a list of objects"),
            ({"kwargs": [{"num_words": -1}]}, "'num_words' is -1"),
            ({"kwargs": [{"num_words": 1.5}]}, "'num_words' is 1.5"),
            ({"kwargs": [{"num_words": True}]}, "'num_words' is True"),
            ({"kwargs": [{"num_words": 2**40}]}, "'num_words'"),
            ({"kwargs": [{"num_words": float("nan")}]}, "'num_words'"),
            ({"kwargs": [{"num_words": float("inf")}]}, "'num_words'"),
            ({"kwargs": [{"keywords": "a"}]}, "'keywords'"),
            ({"kwargs": [{"keywords": [1]}]}, "'keywords'"),
            ({"kwargs": [{"end_phrase": 1}]}, "'end_phrase'"),
            ({"kwargs": [{"end_phrase": "\ud800"}]}, "surrogate"),
            ({"key": "a"}, "'key'"),
            ({"prompt": None}, "the text 'prompt' is missing"),
        ],
    )
    def test_lines_that_are_wrong(self, tmp_path, changes, match):
        file = lines(tmp_path / "x.jsonl", REQUEST | changes)
        refused(lambda: IfEval(file, FileOptions()), match=match)

    def test_unknown_kinds_are_told(self, tmp_path):
        request = REQUEST | {"instruction_id_list": ["new:kind", "keywords:existence", "other"], "kwargs": []}
        data = IfEval(lines(tmp_path / "x.jsonl", request), FileOptions())
        assert "'new:kind', 'other'" in data.warnings[0]
        assert [each.known for each in data.truth(0).instructions] == [False, True, False]


class TestQuickstart:
    def test_the_packaged_data(self):
        questions, requests = MadeUpQuestions(None, None), MadeUpRequests(None, None)
        assert (len(questions), len(requests)) == (100, 60)
        letters = [questions.truth(n) for n in range(100)]
        assert {letter: letters.count(letter) for letter in "ABCD"} == dict.fromkeys("ABCD", 25)
        assert all(requests.truth(n).instructions for n in range(60))
        kinds = {each.kind for n in range(60) for each in requests.truth(n).instructions}
        assert len(kinds) >= 12
        assert list(requests.warnings) == []
        texts = [questions.sample(n).text for n in range(100)]
        assert all(text.count("\n\n") == 3 and text.endswith("Answer:") for text in texts)

    def test_changed_files_are_refused(self, tmp_path, monkeypatch):
        monkeypatch.setitem(quickstart_files.SHA256, "questions.jsonl", "0" * 64)
        refused(lambda: MadeUpQuestions(None, None), match="differs from the packaged file")
        lines(tmp_path / "questions.jsonl", {"input": PROMPT, "answer": "A"})
        assert packaged("questions.jsonl", tmp_path) == tmp_path / "questions.jsonl"
        assert len(MadeUpQuestions(tmp_path, None)) == 1
