"""The quickstart's data is what was measured and what its generator makes, and nothing of it was trained on."""

from __future__ import annotations

import json
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from mlperf_mobile_task_question_answering.made_up_facts import SHA256

PACKAGE = files("mlperf_mobile_task_question_answering")
SCRIPTS = Path(__file__).parents[1] / "quickstart"


def test_the_data_is_what_was_measured():
    measured = json.loads((PACKAGE / "quickstart" / "quickstart.json").read_text())
    assert measured["data"] == SHA256


@pytest.mark.parametrize("numerics", ["int8", "float32"])
def test_the_models_are_small(numerics):
    assert len((PACKAGE / "quickstart" / f"facts_transformer_{numerics}.tflite").read_bytes()) < 3_000_000


@pytest.mark.skipif(not SCRIPTS.is_dir(), reason="the scripts come with the source")
class TestGenerator:
    @pytest.fixture
    def generate(self, monkeypatch):
        monkeypatch.syspath_prepend(str(SCRIPTS))
        monkeypatch.delitem(sys.modules, "generate", raising=False)
        import generate

        yield generate
        sys.modules.pop("generate", None)

    def test_it_makes_the_packaged_data_again(self, generate):
        made = generate.dump(generate.squad(11, 100, 2, generate.held_out))
        assert made.encode() == (PACKAGE / "quickstart" / "made_up_facts.json").read_bytes()
        tokens = "".join(f"{token}\n" for token in generate.vocabulary())
        assert tokens.encode() == (PACKAGE / "quickstart" / "vocab.txt").read_bytes()

    def test_no_answer_and_no_subject_of_the_test_set_is_trained_on(self, generate):
        document = json.loads((PACKAGE / "quickstart" / "made_up_facts.json").read_text())
        paragraphs = [p for article in document["data"] for p in article["paragraphs"]]
        answers = {q["answers"][0]["text"] for p in paragraphs for q in p["qas"]}
        trained = set()
        passages = generate.training_passages(1)
        for _ in range(2000):
            trained |= {question.answer for question in next(passages)[1]}
        assert len(trained) > 3000
        assert not answers & trained

    def test_answers_are_where_they_are_said_to_be(self, generate):
        document = json.loads((PACKAGE / "quickstart" / "made_up_facts.json").read_text())
        for article in document["data"]:
            for paragraph in article["paragraphs"]:
                for question in paragraph["qas"]:
                    (answer,) = question["answers"]
                    assert paragraph["context"][answer["answer_start"] :].startswith(answer["text"])
