"""A stand-in for LiteRT-LM's Python package: the calls that the backend makes, and no language model behind them.

A model file is ``LITERTLM`` and a JSON object with ``context`` and, as defects, ``way``. Prompts and answers are words.
"""

from __future__ import annotations

import json
from enum import IntEnum
from pathlib import Path
from types import SimpleNamespace

from mlperf_mobile.contracts import Generation
from mlperf_mobile.testing.text_engine import StandInTextSession, words

CALLS = []
"""What was called, for tests."""


class LogSeverity(IntEnum):
    ERROR = 3


def set_min_log_severity(severity):
    CALLS.append(("log", severity))


class Backend:
    @staticmethod
    def CPU(thread_count=None):
        return ("cpu", thread_count)


class SamplerConfig:
    def __init__(self, top_k, top_p, temperature, seed):
        CALLS.append(("sampler", top_k, temperature))


def _read(path):
    try:
        return json.loads(Path(path).read_bytes().removeprefix(b"LITERTLM"))
    except ValueError as error:
        raise RuntimeError("Failed to create engine") from error


class ModelInfo:
    def __init__(self, path):
        facts = _read(path)
        self.is_llm_model = facts.get("llm", True)
        self.is_dynamic_context = facts.get("dynamic", False)
        self.max_context_tokens = facts["context"]

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        CALLS.append(("info closed",))


class Engine:
    def __init__(self, path, *, backend, max_num_tokens, cache_dir, enable_benchmark):
        CALLS.append(("engine", backend, max_num_tokens, cache_dir, enable_benchmark))
        self.facts = _read(path)
        if self.facts.get("way") == "does not load":
            raise RuntimeError("Failed to create engine")
        self.words = StandInTextSession()
        self.words.context = max_num_tokens
        self.context = max_num_tokens

    def create_session(self, *, apply_prompt_template, sampler_config, max_output_tokens):
        assert not apply_prompt_template
        return Session(self, max_output_tokens)

    def tokenize(self, text):
        return words(text).tolist()

    def close(self):
        CALLS.append(("engine closed",))


class Session:
    def __init__(self, engine, limit):
        self.engine, self.limit, self.way = engine, limit, engine.facts.get("way", "")
        self.counted = None

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        CALLS.append(("session closed",))

    def run_prefill(self, contents):
        (self.prompt,) = contents
        if len(words(self.prompt)) >= self.engine.context or self.way == "refuses":
            raise RuntimeError("litert_lm_session_run_prefill failed")

    def run_decode_async(self):
        new = 0
        for text in self.engine.words.pieces(self.prompt, Generation(self.limit)):
            new += 1
            if self.way == "fails" and new == 3:
                raise RuntimeError("the engine failed")
            if text and self.way != "silent":  # as the package: no chunk for a token without a text
                yield SimpleNamespace(texts=[text], scores=[], token_lengths=[])
        self.counted = SimpleNamespace(last_prefill_token_count=len(words(self.prompt)), last_decode_token_count=new)
        if self.way == "counts nothing":
            self.counted.last_decode_token_count = 0

    def cancel_process(self):
        CALLS.append(("cancelled",))

    def get_benchmark_info(self):
        if self.way == "no benchmark":
            raise RuntimeError("Failed to get benchmark info.")
        return self.counted
