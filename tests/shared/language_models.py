"""The quickstart's tokenizer, and a task's view of it, for tests of language models."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np

from mlperf_mobile_task_language_model.options import MultipleChoiceOptions
from mlperf_mobile_task_language_model.prompting import Language
from mlperf_mobile_task_language_model.tokenizer import open_tokenizer

LETTERS = "ABCD"
PACKAGED = Path(str(files("mlperf_mobile_task_language_model") / "quickstart"))
TOKENIZER = PACKAGED / "tokenizer.model"


def language(options=None):
    return Language(options or MultipleChoiceOptions(tokenizer=TOKENIZER))


def ids(text):
    """A response with the tokens of a text."""
    return np.array(open_tokenizer(TOKENIZER).encode(text), "<i4").tobytes()
