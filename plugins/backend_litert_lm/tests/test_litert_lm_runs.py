"""A whole run on the stand-in for the engine: what the result says, and what the log holds."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import sentencepiece

from mlperf_mobile.contracts import Generation
from mlperf_mobile.testing.command import Command
from mlperf_mobile.testing.text_engine import StandInTextSession

TOKENIZER = str(files("mlperf_mobile_task_language_model") / "quickstart/tokenizer.model")
STAND_IN = str(Path(__file__).with_name("stand_in"))
FAST = ("--set", "min_duration_s=0.1", "--set", "min_query_count=64", "--set", "performance_tokens=12")


@pytest.fixture
def run(tmp_path, processes):
    command = Command(tmp_path, {"PYTHONPATH": STAND_IN})

    def ran(model, *arguments):
        chosen = ("--backend", "litert_lm", "--model", model, "--set", f"tokenizer={TOKENIZER}")
        return command.run("multiple_choice", *chosen, *FAST, *arguments)

    return ran


def test_a_run_counts_as_the_engine_does_and_logs_ids(run, write):
    result, done = run(write(context=256))
    assert result["status"] == "completed", done.stderr
    assert result["backend"] == "litert_lm"
    assert result["system"]["tokens_counted_by"] == "engine"
    assert result["system"]["context"] == 256
    tokens = result["performance"]["tokens"]
    assert tokens["generated"]["max"] == 12
    assert tokens["stopped"] + tokens["cut"] == result["performance"]["queries"]
    log = json.loads((Path(result["directory"]) / "accuracy/mlperf_log_accuracy.json").read_text())
    own = sentencepiece.SentencePieceProcessor(model_file=TOKENIZER)
    lines = (Path(TOKENIZER).parent / "questions.jsonl").read_text().splitlines()
    engine = StandInTextSession()
    engine.context = 256
    for item in log[:5]:
        prompt = json.loads(lines[item["qsl_idx"]])["input"]
        ids = own.encode("".join(engine.pieces(prompt, Generation(4))))
        assert np.frombuffer(bytes.fromhex(item["data"]), "<i4").tolist() == ids[:4]
