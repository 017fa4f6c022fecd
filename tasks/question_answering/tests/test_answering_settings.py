"""The models that the settings name are the files that are packaged, and their target is what training measured."""

from __future__ import annotations

import hashlib
import json
import sys
from importlib.resources import files
from pathlib import Path

import pytest
import yaml

from mlperf_mobile_task_question_answering.made_up_facts import SHA256

PACKAGE = files("mlperf_mobile_task_question_answering")
MODELS = {"facts_transformer_int8": "int8", "facts_transformer_float32": "float32"}
SCRIPTS = Path(__file__).parents[1] / "quickstart"


def read_yaml(name):
    return yaml.safe_load((PACKAGE / name).read_text())


def measured():
    return json.loads((PACKAGE / "quickstart" / "quickstart.json").read_text())


def test_every_packaged_model_is_named():
    packaged = {
        path.name.removesuffix(".tflite") for path in (PACKAGE / "quickstart").iterdir() if ".tflite" in path.name
    }
    named = {name for name, entry in read_yaml("task.yaml")["models"].items() if "file" in entry}
    assert named == packaged == set(MODELS)


@pytest.mark.parametrize(("model", "numerics"), MODELS.items())
def test_the_checksum_is_that_of_the_file_that_was_measured(model, numerics):
    entry = read_yaml("task.yaml")["models"][model]
    data = (PACKAGE / entry["file"]).read_bytes()
    assert entry["sha256"] == hashlib.sha256(data).hexdigest() == measured()[numerics]["sha256"]
    assert len(data) == measured()[numerics]["bytes"] < 3_000_000


def test_the_data_is_what_was_measured():
    assert measured()["data"] == SHA256


@pytest.mark.parametrize("model", MODELS)
def test_the_target_is_93_percent_of_the_float32_model(model):
    """The ratio of MLPerf Mobile's rules for MobileBERT."""
    (quality,) = read_yaml("task.yaml")["models"][model]["quality"]
    assert (quality["dataset"], quality["metric"], quality["ratio"]) == ("made_up_facts", "F1", 0.93)
    assert quality["reference"] == pytest.approx(measured()["float32"]["f1"], abs=5e-5)


def test_the_quickstart_runs_a_packaged_model_on_packaged_data():
    task, quickstart = read_yaml("task.yaml"), read_yaml("quickstart.yaml")
    assert quickstart["model"] in task["models"]
    assert quickstart["dataset"] in task["models"][quickstart["model"]]["datasets"]
    assert quickstart["rules"] == "quick"


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
