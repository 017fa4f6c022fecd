"""The quickstart's language model from end to end: runs, scores from the log, checks, and inputs that do not fit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import sentencepiece
from language_models import PACKAGED, TOKENIZER

FAST = ("--set", "min_duration_s=0.3", "--set", "min_query_count=70", "--set", "performance_tokens=8")
"""Enough queries for early stopping, and short answers."""
MEASURED = json.loads((PACKAGED / "quickstart.json").read_text())

pytestmark = pytest.mark.slow


def run(command, *arguments):
    """The result of a run that succeeds."""
    told, done = command.json("run", *arguments)
    assert done.returncode == 0, done.stderr
    (result,) = told["results"]
    return result


@pytest.fixture(scope="module")
def ran(shared_command):
    """A run of multiple_choice, performance and accuracy."""
    return shared_command, run(shared_command, "multiple_choice", *FAST)


def test_a_run_is_valid_and_counts_tokens(ran):
    _, result = ran
    assert (result["status"], result["valid"]) == ("completed", True)
    assert result["accuracy"]["value"] == pytest.approx(MEASURED["int8"]["multiple_choice"], abs=0.03)
    assert result["accuracy"]["passed"]
    tokens = result["performance"]["tokens"]
    assert (tokens["generated"]["min"], tokens["generated"]["max"]) == (8, 8)
    assert tokens["prompt"]["max"] <= 200
    assert result["system"]["context"] == 256


def test_the_log_holds_the_answers(ran):
    """Token ids, which the tokenizer's own library turns into the letters that were scored."""
    _, result = ran
    log = json.loads((Path(result["directory"]) / "accuracy/mlperf_log_accuracy.json").read_text())
    own = sentencepiece.SentencePieceProcessor(model_file=str(TOKENIZER))
    truths = [json.loads(line)["answer"] for line in (PACKAGED / "questions.jsonl").read_text().splitlines()]
    answers = {i["qsl_idx"]: np.frombuffer(bytes.fromhex(i["data"]), "<i4").tolist() for i in log}
    assert {len(ids) for ids in answers.values()} == {4}
    right = [own.decode(answers[n]).split()[:1] == [letter] for n, letter in enumerate(truths)]
    assert np.mean(right) == result["accuracy"]["value"]


def test_the_score_can_be_repeated_and_checked(ran):
    command, result = ran
    told, done = command.json("score", result["directory"])
    assert done.returncode == 0, done.stderr
    assert f'"value": {result["accuracy"]["value"]}' in json.dumps(told)
    again, done = command.json(
        "score", result["directory"], "--set", f"tokenizer={TOKENIZER}", "--data-path", PACKAGED / "questions.jsonl"
    )
    assert (done.returncode, again["accuracy"]["value"]) == (0, result["accuracy"]["value"]), done.stderr
    _, done = command.json("check", result["directory"])
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("task", ["multiple_choice", "instruction_following"])
def test_the_float32_model_reaches_its_reference(command, task):
    result = run(command, task, "--model", "made_up_world_float32", "--mode", "accuracy")
    assert result["accuracy"]["value"] == pytest.approx(MEASURED["float32"][task], abs=0.01)


def test_the_models_are_good_and_a_careless_quantisation_is_noticed():
    for numerics in ("float32", "int8"):
        assert MEASURED[numerics]["multiple_choice"] >= 0.95
        assert MEASURED[numerics]["instruction_following"] >= 0.9
    for task in ("multiple_choice", "instruction_following"):
        assert MEASURED["int8"][task] >= 0.97 * MEASURED["float32"][task]
        assert MEASURED["careless_4_bits"][task] < 0.97 * MEASURED["float32"][task]
    size = sum(file.stat().st_size for file in PACKAGED.iterdir())
    assert size <= 3.6e6


@pytest.fixture
def failed(command):
    def failing(*arguments):
        told, done = command.json("run", "multiple_choice", "--mode", "accuracy", *arguments)
        assert done.returncode != 0
        (result,) = told["results"]
        assert result["valid"] is not True
        return result["error"]

    return failing


def test_prompts_longer_than_the_context(tmp_path, failed):
    (tmp_path / "long.jsonl").write_text(json.dumps({"input": "What? " * 200, "answer": "A"}))
    error = failed("--dataset", "multiple_choice_lines", "--data-path", str(tmp_path / "long.jsonl"))
    assert error["code"] == "prompt-too-long"


def test_a_tokenizer_of_another_vocabulary(tmp_path, failed):
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([f"{n} " * 3 for n in range(2000)]), model_prefix=str(tmp_path / "other"),
        vocab_size=1200, minloglevel=2, hard_vocab_limit=False, num_threads=1,
    )  # fmt: skip
    error = failed("--set", f"tokenizer={tmp_path / 'other.model'}")
    assert error["code"] == "token-range"
    assert "the model has 640 tokens" in error["summary"]


def test_unused_slots_leave_the_caches_as_they_are():
    """Whether a pipeline gives them the next positions or position 0, and whichever token it fills them with."""
    interpreters = pytest.importorskip("ai_edge_litert.interpreter")
    for numerics in ("float32", "int8"):
        interpreter = interpreters.Interpreter(model_path=str(PACKAGED / f"made_up_world_{numerics}.tflite"))
        prefill = interpreter.get_signature_runner("prefill_32")
        details = prefill.get_input_details()
        empty = {
            name: np.zeros(detail["shape"], np.float32)
            for name, detail in details.items()
            if name.startswith("kv_cache")
        }
        tokens, places = np.zeros((1, 32), np.int32), np.arange(32, dtype=np.int32)
        tokens[0, :5] = (300, 301, 302, 303, 304)
        first = prefill(tokens=tokens, input_pos=places, **empty)
        zeroed, filled = places.copy(), tokens.copy()
        zeroed[5:], filled[0, 5:] = 0, 7
        for more, where in ((tokens, zeroed), (filled, zeroed)):
            found = prefill(tokens=more, input_pos=where, **empty)
            for name in empty:
                assert first[name][0, :5].any()
                assert not first[name][0, 5:].any()
                np.testing.assert_array_equal(found[name], first[name])
