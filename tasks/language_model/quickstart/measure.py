"""Measures a converted model on the packaged data, by the tasks' own prompts and metrics."""

from pathlib import Path
from typing import Any

import numpy as np
from convert import Generator

from mlperf_mobile.contracts import Dataset, GeneratingTask, Mode, TensorSpec
from mlperf_mobile_task_language_model.choices import MadeUpQuestions
from mlperf_mobile_task_language_model.instruction_following import InstructionFollowing
from mlperf_mobile_task_language_model.multiple_choice import MultipleChoice
from mlperf_mobile_task_language_model.options import InstructionOptions, MultipleChoiceOptions
from mlperf_mobile_task_language_model.requests import MadeUpRequests


def measure(model: bytes, folder: Path) -> dict[str, Any]:
    """Accuracy of a TFLite file in both tasks, with the data and tokenizer in ``folder``, and details."""
    tokenizer = folder / "tokenizer.model"
    choosing = MultipleChoice(MultipleChoiceOptions(tokenizer=tokenizer))
    following = InstructionFollowing(InstructionOptions(tokenizer=tokenizer))
    found = {
        "multiple_choice": _score(model, choosing, MadeUpQuestions(folder, None)),
        "instruction_following": _score(model, following, MadeUpRequests(folder, None)),
    }
    return {task: details.pop("accuracy") for task, details in found.items()} | {"details": found}


def _score(model: bytes, task: GeneratingTask, dataset: Dataset) -> dict[str, float]:
    generator = Generator(model)
    spec = TensorSpec("tokens", (1, generator.context), np.dtype(np.int32))
    codec, metric, how = task.bind([spec], [spec]), task.metric(dataset), task.generation(Mode.ACCURACY)
    stop, tokens = frozenset(how.stop_ids), 0
    for index in range(len(dataset)):
        prompt = codec.encode(dataset.sample(index))[0].tolist()
        answer = generator.generate(prompt, how.max_new_tokens, stop)
        tokens += len(answer)
        metric.update(index, codec.decode((np.asarray(answer, np.int32),)))
    score = metric.score()
    return {"accuracy": score.value, "samples": score.samples, "tokens": tokens} | dict(score.details)
