"""The task in the framework: models of one's own, the packaged ones, and what a run says about bad input."""

from __future__ import annotations

import json
import os
from importlib.resources import files
from pathlib import Path

import pytest

from mlperf_mobile.testing.command import Command

pytest.importorskip("mlperf_mobile_backend_tflite", reason="models run with the backend tflite")

SHARED = os.environ.get("MLPERF_MOBILE_SHARED", "")

pytestmark = pytest.mark.slow
MOBILEBERT = Path(SHARED) / "models" / "mobilebert_qa_random_dynint8.tflite"
PACKAGED = Path(str(files("mlperf_mobile_task_question_answering") / "quickstart"))


def squad(folder, tokens=30_522, word="word"):
    """Three questions about one passage of 600 words: three windows each; the vocabulary has MobileBERT's size."""
    qas = [{"id": f"q{n}", "question": f"{word} {n}", "answers": [{"text": word, "answer_start": 0}]} for n in range(3)]
    paragraphs = [{"context": f"{word} " * 600, "qas": qas}]
    (folder / "dev-v1.1.json").write_text(json.dumps({"version": "1.1", "data": [{"paragraphs": paragraphs}]}))
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    filler = [f"[unused{n}]" for n in range(tokens - len(special) - 1)]
    (folder / "vocab.txt").write_text("\n".join([*special, *filler, word]) + "\n")
    return folder


@pytest.mark.skipif(not MOBILEBERT.is_file(), reason="MLPERF_MOBILE_SHARED is not set: no model of official size here")
def test_a_mobilebert_of_official_size(tmp_path):
    result, done = Command(squad(tmp_path)).run(
        "question_answering", "--model", MOBILEBERT, "--dataset", "squad", "--data-path", ".",
        "--mode", "performance", "--set", "min_query_count=4", "--set", "min_duration_s=0.1", "--set", "warmup_s=0",
        "--set", "vocabulary_size=30522",
    )  # fmt: skip
    assert result["performance"]["queries"] >= 4, done.stderr
    assert result["accuracy"] is None


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("arguments", "code", "exit_code"),
    [
        (["--dataset", "squad", "--data-path", "."], "window-length", 4),
        (["--dataset", "squad", "--data-path", ".", "--set", "max_seq_length=9"], "bad-value", 2),
        (["--dataset", "squad", "--data-path", ".", "--set", "vocabulary=none.txt"], "vocabulary-missing", 4),
        (["--dataset", "squad", "--data-path", "nowhere"], "data-missing", 4),
        (["--dataset", "squad_tfrecord", "--data-path", "."], "data-missing", 4),
        (["--dataset", "squad", "--data-path", ".", "--set", "max_seq_length=128", "--set", "vocabulary_size=700"],
         "token-range", 4),
        (["--set", "input_order=ids"], "bad-value", 2),
    ],
)  # fmt: skip
def test_bad_input_gets_one_line_and_its_exit_code(tmp_path, arguments, code, exit_code):
    command = Command(squad(tmp_path))
    document, done = command.json("run", "question_answering", "--quiet", "--set", "warmup_s=0", *arguments)
    error = document["error"] if "error" in document else document["results"][0]["error"]
    assert (error["code"], done.returncode) == (code, exit_code)
    assert error["hint"] or code == "bad-value"
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Traceback" not in done.stderr


@pytest.mark.sampled(2)
@pytest.mark.parametrize("numerics", ["int8", "float32"])
def test_the_packaged_models_reach_what_training_measured(tmp_path, numerics):
    """Runtimes round int8 differently: half a question in a hundred."""
    measured = json.loads((PACKAGED / "quickstart.json").read_text())
    model = ("--model", f"facts_transformer_{numerics}")
    result, done = Command(tmp_path).run("question_answering", *model, "--mode", "accuracy")
    assert done.returncode == 0, done.stderr
    accuracy = result["accuracy"]
    assert accuracy["value"] == pytest.approx(measured[numerics]["f1"], abs=0.02 if numerics == "int8" else 0.001)
    assert accuracy["samples"] == measured[numerics]["samples"]
    assert accuracy["passed"]
