"""Tokenizers, chat templates, prompts and their limits."""

from __future__ import annotations

import io

import numpy as np
import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st
from language_models import TOKENIZER

from mlperf_mobile.contracts import Generation, Mode, TensorSpec, TextTask
from mlperf_mobile.errors import DataError, ModelError, UsageError
from mlperf_mobile_task_language_model import tokenizer as tokenizers_here
from mlperf_mobile_task_language_model.chat import TEMPLATES, Template
from mlperf_mobile_task_language_model.instruction_following import InstructionFollowing
from mlperf_mobile_task_language_model.multiple_choice import MultipleChoice, examples, without_examples, zero_shot
from mlperf_mobile_task_language_model.options import InstructionOptions, MultipleChoiceOptions
from mlperf_mobile_task_language_model.prompting import Language, Prompt
from mlperf_mobile_task_language_model.tokenizer import open_tokenizer

SPECS = [TensorSpec("tokens", (1, 256), np.dtype(np.int32))]
PREFACE, ONE, TWO, ASKED = "About things.", "Q1\nA. a\nAnswer: A", "Q2\nAnswer: B", "Q3\nA. b\nAnswer:"
WHOLE = "\n\n".join((PREFACE, ONE, TWO, ASKED))


@pytest.fixture(scope="module")
def reference():
    """The library itself, without the code under test."""
    return sentencepiece.SentencePieceProcessor(model_file=str(TOKENIZER))


def choosing(**options):
    task = MultipleChoice(MultipleChoiceOptions(**{"tokenizer": TOKENIZER} | options))
    task.bind(SPECS, SPECS)
    return task


def following(**options):
    return InstructionFollowing(InstructionOptions(tokenizer=TOKENIZER, **options))


def encode(task, text):
    (ids,) = task.bind(SPECS, SPECS).encode(Prompt(text, "file record 3"))
    assert ids.dtype == np.int32
    return ids.tolist()


def one_by_one(text, fits):
    """A prompt without the first examples, until it fits; None if it does not without all of them."""
    while not fits(text):
        preface, _, rest = text.partition("\n\n")
        _, separator, following = rest.partition("\n\n")
        if not separator:
            return None
        text = f"{preface}\n\n{following}"
    return text


@pytest.fixture
def control(tmp_path):
    """A SentencePiece model whose special tokens are control pieces, which it does not find in texts."""
    stream = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["user assistant red blue"] * 20), model_writer=stream, vocab_size=300, minloglevel=2,
        model_type="bpe", byte_fallback=True, hard_vocab_limit=False, num_threads=1, add_dummy_prefix=False,
        control_symbols=["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"],
    )  # fmt: skip
    (tmp_path / "control.model").write_bytes(stream.getvalue())
    return tmp_path / "control.model"


@pytest.fixture
def json_file(tmp_path):
    library = pytest.importorskip("tokenizers")
    made = library.Tokenizer(library.models.WordLevel({"red": 0, "blue": 1, "[UNK]": 2}, unk_token="[UNK]"))
    made.pre_tokenizer = library.pre_tokenizers.Whitespace()
    made.add_special_tokens(["<|im_start|>", "<|im_end|>"])
    made.post_processor = library.processors.TemplateProcessing(
        single="<|im_start|> $A", special_tokens=[("<|im_start|>", 3)]
    )
    made.enable_truncation(1)
    made.save(str(tmp_path / "tokenizer.json"))
    return tmp_path / "tokenizer.json"


@pytest.fixture
def gaps(tmp_path):
    library = pytest.importorskip("tokenizers")
    made = library.Tokenizer(library.models.WordLevel({"red": 0, "[UNK]": 1, "blue": 599}, unk_token="[UNK]"))
    made.save(str(tmp_path / "gaps.json"))
    return tmp_path / "gaps.json"


class TestTokenizers:
    def test_sentencepiece(self, reference):
        opened = open_tokenizer(TOKENIZER)
        text = "What? red\n\nBlau é 漢"
        assert opened.encode(text) == reference.encode(text)
        assert opened.decode(opened.encode(text)) == text
        assert opened.size == reference.vocab_size() == 640
        assert opened.token("<|eot_id|>") == reference.piece_to_id("<|eot_id|>")
        assert opened.token("<|nothing|>") is None

    def test_tokenizer_json(self, json_file):
        """Nothing is added, nothing is cut off, and special tokens are found in texts."""
        opened = open_tokenizer(json_file)
        assert opened.encode("<|im_start|>red blue green<|im_end|>") == [3, 0, 1, 2, 4]
        assert opened.decode([0, 1, 4]) == "red blue <|im_end|>"
        assert (opened.size, opened.token("<|im_end|>"), opened.token("x")) == (5, 4, None)

    def test_ids_with_gaps(self, gaps):
        """As of a model whose unused tokens are not listed."""
        opened = open_tokenizer(gaps)
        assert (opened.size, opened.token("blue")) == (600, 599)
        assert choosing(tokenizer=gaps, stop="blue,599").generation(Mode.ACCURACY).stop_ids == (599, 599)
        with pytest.raises(DataError, match="has token ids up to 599, the model has 304 tokens"):
            choosing(tokenizer=gaps, stop="blue", vocabulary_size=304)
        language = Language(MultipleChoiceOptions(tokenizer=gaps, stop="none"))
        assert language.text(np.array([0, 599], "<i4").tobytes(), 0) == "red blue"
        with pytest.raises(DataError, match="has token 600, the tokenizer's ids end at 599"):
            language.text(np.array([600], "<i4").tobytes(), 0)

    def test_ids_that_are_no_int32(self, gaps):
        gaps.write_text(gaps.read_text().replace("599", str(2**31)))
        with pytest.raises(DataError, match="has the token id 2147483648, which is no int32"):
            open_tokenizer(gaps)

    @pytest.mark.parametrize("data", [b"", b"text", b"\x0a\xff\xff\xff\xff\x0f", b"\x80" * 40])
    @pytest.mark.parametrize("name", ["a.model", "a.json"])
    def test_files_that_are_none(self, tmp_path, name, data):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(DataError) as caught:
            open_tokenizer(tmp_path / name)
        assert caught.value.code == "tokenizer-damaged"
        assert name in caught.value.summary

    def test_files_that_are_missing_or_huge(self, tmp_path, monkeypatch):
        with pytest.raises(DataError) as caught:
            open_tokenizer(tmp_path / "none.model")
        assert caught.value.code == "tokenizer-missing"
        monkeypatch.setattr(tokenizers_here, "MAX_BYTES", 100)
        with pytest.raises(DataError, match="more than 100 bytes"):
            open_tokenizer(TOKENIZER)

    def test_a_library_that_is_missing(self, json_file, monkeypatch):
        monkeypatch.setitem(tokenizers_here.importlib.sys.modules, "tokenizers", None)
        with pytest.raises(UsageError) as caught:
            open_tokenizer(json_file)
        assert caught.value.code == "tokenizer-library"
        assert "mlperf-mobile-task-language-model[tokenizers]" in caught.value.hint


class TestTemplates:
    def test_the_app_s(self, reference):
        text = "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\nName 2 dishes.\n<|eot_id|>"
        text += "<|start_header_id|>assistant<|end_header_id|>\n"
        assert TEMPLATES["app"].format("Name 2 dishes.") == text
        assert encode(following(), "Name 2 dishes.") == reference.encode(text)

    def test_control_tokens_are_put_between_texts(self, control):
        own = sentencepiece.SentencePieceProcessor(model_file=str(control))
        task = InstructionFollowing(InstructionOptions(tokenizer=control, stop="<|eot_id|>"))
        special = {name: own.piece_to_id(f"<|{name}|>") for name in
                   ("begin_of_text", "start_header_id", "end_header_id", "eot_id")}  # fmt: skip
        header = [special["start_header_id"], "user", special["end_header_id"], "\n"]
        expected = [special["begin_of_text"], *header, "red", "\n", special["eot_id"]]
        expected += [special["start_header_id"], "assistant", special["end_header_id"], "\n"]
        flat = [n for each in expected for n in ([each] if isinstance(each, int) else own.encode(each))]
        assert encode(task, "red") == flat

    def test_a_tokenizer_without_the_tokens(self, json_file):
        with pytest.raises(DataError, match=r"no <\|begin_of_text\|>, which the chat template 'app' needs"):
            InstructionFollowing(InstructionOptions(tokenizer=json_file)).bind(SPECS, SPECS)
        assert Template("chatml", open_tokenizer(json_file)).encode("red")[:1] == [3]


class TestMultipleChoice:
    def test_prompts_are_as_they_are(self, reference):
        assert encode(choosing(), WHOLE) == reference.encode(WHOLE)

    def test_solved_examples_are_dropped_until_a_prompt_fits(self, reference):
        lengths = [len(reference.encode("\n\n".join(blocks))) for blocks in
                   ((PREFACE, ONE, TWO, ASKED), (PREFACE, TWO, ASKED), (PREFACE, ASKED))]  # fmt: skip
        shorter = "\n\n".join((PREFACE, TWO, ASKED))
        assert encode(choosing(max_prompt_tokens=lengths[0] - 1), WHOLE) == reference.encode(shorter)
        assert len(encode(choosing(max_prompt_tokens=lengths[2]), WHOLE)) == lengths[2]
        with pytest.raises(DataError) as caught:
            encode(choosing(max_prompt_tokens=lengths[2] - 1), WHOLE)
        assert caught.value.code == "prompt-length"
        assert "file record 3" in caught.value.summary

    def test_zero_shot(self, reference):
        assert zero_shot(WHOLE) == f"{PREFACE}\n\nQuestion: {ASKED}"
        assert zero_shot(ASKED) == ASKED
        assert encode(choosing(zero_shot=True), WHOLE) == reference.encode(zero_shot(WHOLE))

    def test_nothing_but_the_question_is_left(self):
        assert examples(f"{PREFACE}\n\n{ASKED}") == examples(ASKED) == 0
        assert without_examples(WHOLE, examples(WHOLE)) == f"{PREFACE}\n\n{ASKED}"

    @given(
        st.lists(st.text("ab\n .:éWhat", max_size=12), min_size=1, max_size=12).map("\n\n".join).filter(bool),
        st.integers(1, 80),
    )
    def test_no_more_examples_are_dropped_than_needed(self, reference, text, limit):
        """The same prompt as if they were dropped one by one."""
        shorter = one_by_one(text, lambda text: len(reference.encode(text)) <= limit)
        task = choosing(max_prompt_tokens=limit)
        if shorter is None:
            with pytest.raises(DataError, match="more than"):
                task.prompt_text(Prompt(text, "x"))
        elif reference.encode(shorter):
            assert task.prompt_text(Prompt(text, "x")) == shorter

    def test_thousands_of_examples_are_encoded_a_few_times(self, monkeypatch):
        encoded, encode_text = [], Template.encode
        monkeypatch.setattr(Template, "encode", lambda self, text: encoded.append(text) or encode_text(self, text))
        text = "\n\n".join((PREFACE, *(["a"] * 5000), ASKED))
        assert len(encode(choosing(max_prompt_tokens=100), text)) > 90
        assert len(encoded) < 20

    def test_limits(self):
        task = choosing()
        assert task.generation(Mode.ACCURACY).max_new_tokens == 4
        assert task.generation(Mode.PERFORMANCE).max_new_tokens == 128


class TestInstructions:
    def test_limits(self, reference):
        stops = tuple(reference.piece_to_id(name) for name in ("<|end_of_text|>", "<|eot_id|>"))
        for mode in (Mode.ACCURACY, Mode.PERFORMANCE):
            assert following().generation(mode) == Generation(1024, stops)

    def test_a_long_prompt_is_named(self):
        with pytest.raises(DataError, match=r"file record 3 has \d+ tokens, more than 20"):
            encode(following(max_prompt_tokens=20), "red " * 20)


@pytest.mark.parametrize(("stop", "expected"), [("none", ()), ("7", (7,)), ("<|eot_id|>, 3", (None, 3))])
def test_stop_tokens_by_name_and_id(reference, stop, expected):
    eot = reference.piece_to_id("<|eot_id|>")
    found = choosing(stop=stop).generation(Mode.ACCURACY).stop_ids
    assert found == tuple(eot if each is None else each for each in expected)


@pytest.mark.parametrize("stop", ["<|nothing|>", "640", "99999999999", ""])
def test_stop_tokens_that_do_not_exist(stop):
    with pytest.raises(DataError) as caught:
        choosing(stop=stop)
    assert caught.value.code == "tokenizer-tokens"


def test_stop_tokens_of_other_models(json_file, tmp_path):
    task = choosing(tokenizer=json_file)
    assert task.generation(Mode.ACCURACY).stop_ids == (4,)
    library = pytest.importorskip("tokenizers")
    bare = library.Tokenizer(library.models.WordLevel({"red": 0, "[UNK]": 1}, unk_token="[UNK]"))
    bare.save(str(tmp_path / "bare.json"))
    with pytest.raises(DataError, match="none of the known stop tokens"):
        choosing(tokenizer=tmp_path / "bare.json")


def test_a_tokenizer_is_needed_and_must_fit():
    with pytest.raises(UsageError) as caught:
        MultipleChoice(MultipleChoiceOptions())
    assert caught.value.code == "tokenizer-missing"
    with pytest.raises(DataError, match="has token ids up to 639, the model has 512 tokens"):
        choosing(vocabulary_size=512)


def test_planning_reads_no_tokenizer(tmp_path):
    """The file may not have been fetched yet."""
    task = MultipleChoice(MultipleChoiceOptions(tokenizer=tmp_path / "later.model"))
    with pytest.raises(DataError) as caught:
        task.bind(SPECS, SPECS)
    assert caught.value.code == "tokenizer-missing"


def test_what_is_no_prompt_and_what_generates_nothing():
    codec = choosing().bind(SPECS, SPECS)
    with pytest.raises(DataError, match="gives str, the task needs prompts"):
        codec.encode("text")
    with pytest.raises(DataError) as caught:
        codec.encode(Prompt("", "x"))
    assert caught.value.code == "prompt-empty"
    image = [TensorSpec("image", (1, 224, 224, 3), np.dtype(np.float32))]
    for inputs, outputs in ((image, SPECS), (SPECS, image), ([], SPECS), (SPECS * 2, SPECS)):
        with pytest.raises(ModelError, match="not one int32"):
            choosing().bind(inputs, outputs)


class TestEnginesThatTakeText:
    def test_a_prompt_is_the_text_of_its_ids(self, reference):
        """In its template, and without the solved examples that do not fit."""
        shorter = "\n\n".join((PREFACE, TWO, ASKED))
        limit = len(reference.encode(WHOLE)) - 1
        for task, text, expected in (
            (choosing(), WHOLE, WHOLE),
            (choosing(max_prompt_tokens=limit), WHOLE, shorter),
            (choosing(zero_shot=True), WHOLE, f"{PREFACE}\n\nQuestion: {ASKED}"),
            (following(), "Name 2 dishes.", TEMPLATES["app"].replace("{}", "Name 2 dishes.")),
        ):
            assert isinstance(task, TextTask)
            assert task.prompt_text(Prompt(text, "x")) == expected
            assert encode(task, text) == reference.encode(expected)

    def test_control_tokens_are_named(self, control):
        task = InstructionFollowing(InstructionOptions(tokenizer=control, stop="<|eot_id|>"))
        assert task.prompt_text(Prompt("a {b}", "x")).count("<|start_header_id|>") == 2
        assert "a {b}" in task.prompt_text(Prompt("a {b}", "x"))

    def test_answers_are_split_by_the_tokenizer(self, reference):
        found = choosing().answer_ids(" C\n\nWhat")
        assert (found.dtype, found.tolist()) == (np.dtype(np.int32), reference.encode(" C\n\nWhat"))
        assert choosing().answer_ids("").tolist() == []

    @pytest.mark.parametrize(
        ("sample", "code"),
        [("text", "not-a-prompt"), (Prompt("", "x"), "prompt-empty"), (Prompt("a " * 9, "x"), "prompt-length")],
    )
    def test_the_same_prompts_are_refused(self, sample, code):
        with pytest.raises(DataError) as caught:
            choosing(max_prompt_tokens=5).prompt_text(sample)
        assert caught.value.code == code
