"""Chat templates: how a user's message becomes a prompt that the model continues with its answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from mlperf_mobile.errors import DataError
from mlperf_mobile_task_language_model.tokenizer import Tokenizer

Chat = Literal["none", "app", "llama3", "chatml"]

TEMPLATES: dict[Chat, str] = {
    "none": "{}",
    "app": "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n{}\n<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n",
    "llama3": "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n{}<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\n",
    "chatml": "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n",
}
"""``app``: the reference app's for Llama 3 (flutter/cpp/datasets/mmlu_utils/sentencepiece_utils.h), which has single
line feeds where Meta's ``llama3`` has two, and one before ``<|eot_id|>``. Neither has a system text. ``chatml`` is that
of SmolLM2 and Qwen."""
_SPECIAL = re.compile(r"(<\|[a-z_]+\|>)")


class Template:
    """A template for one tokenizer.

    Raises:
        DataError: ``tokenizer-tokens``: the tokenizer lacks a special token of the template.
    """

    def __init__(self, name: Chat, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._before, self._after = TEMPLATES[name].split("{}")
        special = _SPECIAL.findall(TEMPLATES[name])
        ids = {each: tokenizer.token(each) for each in special}
        if missing := [each for each, known in ids.items() if known is None]:
            reason = f"the tokenizer has no {missing[0]}, which the chat template {name!r} needs"
            raise DataError(
                "tokenizer-tokens", reason, "choose another with --set chat=none,llama3,… or tokenizer=FILE"
            )
        self._ids = {each: known for each, known in ids.items() if known is not None}
        self._in_text = all(tokenizer.encode(each) == [known] for each, known in self._ids.items())

    def encode(self, message: str) -> list[int]:
        """The prompt's ids.

        If the tokenizer finds its special tokens in a text, it gets the whole prompt at once, as in the reference app.
        Otherwise they are control tokens: their ids are put between those of the texts.
        """
        if self._in_text:
            return self._tokenizer.encode(self.text(message))
        return [*self._parts(self._before), *self._tokenizer.encode(message), *self._parts(self._after)]

    def text(self, message: str) -> str:
        """The prompt as text, with the names of special tokens, for engines that find them in a text."""
        return f"{self._before}{message}{self._after}"

    def _parts(self, text: str) -> Sequence[int]:
        found: list[int] = []
        for part in _SPECIAL.split(text):
            found += [self._ids[part]] if part in self._ids else self._tokenizer.encode(part) if part else []
        return found
