"""Whole runs on the stand-in: an accuracy that is computed here as well, and libraries that fail in the middle."""

from __future__ import annotations

import json
import shutil
from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path

import pytest

from mlperf_mobile.testing.command import Command

LETTERS = (353, 371, 386, 344)
"""The tokens of A, B, C and D with a blank before in the quickstart's vocabulary: all that the stand-in generates."""


@pytest.fixture
def quickstart() -> Path:
    pytest.importorskip("mlperf_mobile_task_language_model")
    if not entry_points(group="mlperf_mobile", name="snpe"):
        pytest.skip("mlperf-mobile-backend-snpe is not installed")
    return Path(str(files("mlperf_mobile_task_language_model") / "quickstart"))


@pytest.fixture
def run(library, bundle, quickstart, tmp_path, processes):
    """``run("--mode", "accuracy", fault="crash")``: the result of a short run of multiple_choice."""

    def run(*arguments, context=256, **about):
        folder = bundle(ids=LETTERS, context=context, **about)
        shutil.copyfile(quickstart / "tokenizer.model", folder / "tokenizer.model")
        settings = ("rules=quick", "min_duration_s=0.05", "min_query_count=70", "performance_tokens=8", "warmup_s=0.01")
        chosen = ("--backend", "genie", "--model", folder, "--set", f"library={library}", *arguments)
        return Command(tmp_path).run("multiple_choice", *chosen, *(x for each in settings for x in ("--set", each)))

    return run


def predicted(quickstart: Path) -> float:
    """The share of questions whose answer the stand-in's first token gives."""
    sentencepiece = pytest.importorskip("sentencepiece")
    tokenizer = sentencepiece.SentencePieceProcessor(model_file=str(quickstart / "tokenizer.model"))
    questions = [json.loads(line) for line in (quickstart / "questions.jsonl").read_text().splitlines()]
    right = 0
    for question in questions:
        value = 17
        for token in tokenizer.encode(question["input"]):
            value = (value * 1664525 + token + 1013904223) % 2**32
        right += "ABCD"[(value >> 9) % 4] == question["answer"]
    assert 0 < right < len(questions)
    return right / len(questions)


def test_a_run(run, quickstart):
    result, done = run()
    assert result["error"] is None, done.stderr
    assert result["accuracy"]["value"] == pytest.approx(predicted(quickstart), abs=1e-9)
    assert result["performance"]["tokens"]["generated"]["max"] == 8
    assert len(result["model"]["files"]) == 6
    facts = result["compiled"]["htp"]["facts"]["genie"]
    assert (facts["sampler"], facts["context"], facts["perf_profile"]) == ("greedy", 256, ["burst"])
    assert result["placement"]["names"] == {"htp": {"the configuration says QnnHtp": 1}}
    assert result["report"]["htp"]["configuration"]["replaced"]["eos-token"] == [2, 7]
    assert "the library is a stand-in" in json.dumps(result)
    assert not result["valid"]  # a stand-in's speed means nothing


def test_what_is_left_of_earlier_prompts_is_found(run):
    result, done = run("--mode", "performance", fault="left over", context=1 << 20)
    assert result["error"]["code"] == "outputs-changed", done.stderr


def test_a_crash_of_the_library_is_the_workers(run):
    result, done = run("--mode", "performance", fault="crash")
    assert result["error"]["code"] == "worker-died", done.stderr
    assert "SIGSEGV" in result["error"]["summary"]
