"""The tasks and their data sets pass the conformance kit."""

from __future__ import annotations

import json
from importlib.resources import files

import numpy as np
import pytest
from language_models import TOKENIZER, ids
from tfrecord_files import write_tfrecord

from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile.testing.dataset import DatasetConformance
from mlperf_mobile.testing.task import TaskConformance
from mlperf_mobile.testing.task_settings import Target
from mlperf_mobile_task_language_model import plugin
from mlperf_mobile_task_language_model.choices import MadeUpQuestions, MultipleChoiceLines, TinyMmlu
from mlperf_mobile_task_language_model.options import (
    ChoiceOptions,
    FileOptions,
    InstructionOptions,
    MultipleChoiceOptions,
)
from mlperf_mobile_task_language_model.requests import IfEval, MadeUpRequests

DATASETS = {info.name: info for info in plugin.mlperf_mobile_datasets()}
TASKS = {info.name: info for info in plugin.mlperf_mobile_tasks()}
PACKAGE = "mlperf_mobile_task_language_model"
SPECS = [TensorSpec("tokens", (1, 256), np.dtype(np.int32))]


def targets(task, dataset, metric):
    """97 % of what the float32 model reached after training."""
    measured = json.loads((files(PACKAGE) / "quickstart" / "quickstart.json").read_text())
    reference = measured["float32"][task]
    return [Target(f"made_up_world_{n}", dataset, metric, reference, 0.97) for n in ("int8", "float32")]


def outputs(text):
    return (np.frombuffer(ids(text), "<i4").astype(np.int32),)


class _Tokens(TaskConformance):
    __test__ = False
    plugin_module = f"{PACKAGE}.plugin"

    @pytest.fixture
    def inputs(self):
        return SPECS

    @pytest.fixture
    def outputs(self):
        return SPECS


class TestMultipleChoice(_Tokens):
    __test__ = True

    @pytest.fixture
    def info(self):
        return TASKS["multiple_choice"]

    @pytest.fixture
    def options(self):
        return MultipleChoiceOptions(tokenizer=TOKENIZER)

    @pytest.fixture
    def targets(self):
        return targets("multiple_choice", "made_up_questions", "accuracy")

    @pytest.fixture
    def dataset(self):
        return MadeUpQuestions(None, None)

    @pytest.fixture
    def perfect(self, dataset):
        return [outputs(f" {dataset.truth(index)}") for index in range(len(dataset))]


class TestInstructionFollowing(_Tokens):
    __test__ = True

    @pytest.fixture
    def info(self):
        return TASKS["instruction_following"]

    @pytest.fixture
    def options(self):
        return InstructionOptions(tokenizer=TOKENIZER)

    @pytest.fixture
    def targets(self):
        return targets("instruction_following", "made_up_requests", "IFEval accuracy")

    @pytest.fixture
    def dataset(self, tmp_path):
        ids = (["change_case:english_capital"], ["startend:quotation"], ["detectable_format:title"])
        rows = [{"key": n, "prompt": "Name 2 dishes.", "instruction_id_list": each} for n, each in enumerate(ids)]
        (tmp_path / "x.jsonl").write_text("\n".join(map(json.dumps, rows)))
        return IfEval(tmp_path, FileOptions())

    @pytest.fixture
    def perfect(self):
        return [outputs("BREAD"), outputs('"bread"'), outputs("<<bread>>")]


class _Data(DatasetConformance):
    __test__ = False
    plugin_module = f"{PACKAGE}.plugin"


class TestTinyMmlu(_Data):
    __test__ = True

    @pytest.fixture
    def info(self):
        return DATASETS["tinymmlu"]

    @pytest.fixture
    def dataset(self, tmp_path):
        rows = [{"input": [f"Q{answer}"], "answer": [answer]} for answer in "AB"]
        write_tfrecord(tmp_path / "tinymmlu.tfrecord", rows)
        return TinyMmlu(tmp_path, FileOptions())


class TestLines(_Data):
    __test__ = True

    @pytest.fixture
    def info(self):
        return DATASETS["multiple_choice_lines"]

    @pytest.fixture
    def dataset(self, tmp_path):
        (tmp_path / "x.jsonl").write_text("\n".join(json.dumps({"input": "Q", "answer": each}) for each in "AB"))
        return MultipleChoiceLines(tmp_path, ChoiceOptions())


class TestIfEval(_Data):
    __test__ = True

    @pytest.fixture
    def info(self):
        return DATASETS["ifeval"]

    @pytest.fixture
    def dataset(self, tmp_path):
        rows = [{"key": [n], "prompt": ["Q"], "instruction_id_list": ["x:title"]} for n in range(2)]
        write_tfrecord(tmp_path / "ifeval.tfrecord", rows)
        return IfEval(tmp_path, FileOptions())


class TestMadeUpQuestions(_Data):
    __test__ = True

    @pytest.fixture
    def info(self):
        return DATASETS["made_up_questions"]

    @pytest.fixture
    def dataset(self):
        return MadeUpQuestions(None, None)


class TestMadeUpRequests(_Data):
    __test__ = True

    @pytest.fixture
    def info(self):
        return DATASETS["made_up_requests"]

    @pytest.fixture
    def dataset(self):
        return MadeUpRequests(None, None)
