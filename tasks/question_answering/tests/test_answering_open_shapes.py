"""Models of any sequence length take that of the data set's windows."""

from __future__ import annotations

import numpy as np

from mlperf_mobile.contracts import SizingTask, TensorSpec
from mlperf_mobile_task_question_answering.options import TaskOptions
from mlperf_mobile_task_question_answering.task import QuestionAnswering
from mlperf_mobile_task_question_answering.window import Window


class Windows:
    def __init__(self, length):
        self.length = length

    def __len__(self):
        return 1

    def sample(self, index):
        return Window(*(np.ones(self.length, np.int32) for _ in range(3)), "a window")


def test_the_length_is_max_seq_length():
    task = QuestionAnswering(TaskOptions())
    assert isinstance(task, SizingTask)
    inputs = [TensorSpec(name, (1, 1), np.dtype(np.int32), open_axes=(0, 1)) for name in ("ids", "mask", "segments")]
    found = task.input_shapes(inputs, Windows(128))
    assert found == dict.fromkeys(("ids", "mask", "segments"), (1, 128))
