"""A stand-in for llama-cpp-python: the calls that the backend makes, and no language model behind them.

Like the package, ``generate`` keeps what a prompt has in common with what was computed before, unless ``reset`` is
called.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

__version__ = "stand-in"
CONTEXT = 64
VOCABULARY = 48
DAMAGED = b"GGUF, damaged"


class Llama:
    def __init__(self, *, model_path: str, n_ctx: int, **more: Any) -> None:
        if Path(model_path).read_bytes() == DAMAGED:
            raise ValueError(f"Failed to load model from file: {model_path}")
        self._context, self._known = -(-(n_ctx or CONTEXT) // 256) * 256, list[int]()
        self.metadata = {"general.architecture": "llama", "llama.context_length": str(CONTEXT)}
        self.options, self.computed, self.fails = more, 0, False

    def n_ctx(self) -> int:
        return self._context

    def reset(self) -> None:
        self._known = []

    def generate(self, tokens: list[int], temp: float) -> Iterator[int]:
        assert temp == 0.0
        pairs = zip(self._known, tokens, strict=False)
        common = next((n for n, (one, other) in enumerate(pairs) if one != other), min(len(self._known), len(tokens)))
        self.computed += len(tokens) - common
        self._known = list(tokens)
        while True:
            if self.fails or len(self._known) > self._context:
                raise RuntimeError("llama_decode returned 1")
            token = (2 * sum(self._known) + 3 * len(self._known) + 5) % VOCABULARY
            yield token
            self._known.append(token)
            self.computed += 1

    def close(self) -> None:
        self.computed = -1
