"""The task and its data sets pass the conformance kit."""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import astuple
from importlib.resources import files

import numpy as np
import pytest

from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile.testing.dataset import DatasetConformance
from mlperf_mobile.testing.task import TaskConformance
from mlperf_mobile.testing.task_settings import Target
from mlperf_mobile_task_question_answering import plugin
from mlperf_mobile_task_question_answering.made_up_facts import ANNOTATIONS, MadeUpFacts
from mlperf_mobile_task_question_answering.options import RecordOptions, SquadOptions
from mlperf_mobile_task_question_answering.squad import Squad
from mlperf_mobile_task_question_answering.squad_tfrecord import SquadRecords
from mlperf_mobile_tfrecords.container import masked_crc

DATASETS = {info.name: info for info in plugin.mlperf_mobile_datasets()}
PACKAGE = "mlperf_mobile_task_question_answering"
PLUGIN = f"{PACKAGE}.plugin"
LENGTH = 24


def squad_folder(path, name="dev-v1.1.json"):
    """Answers are at tokens 0, 1 and 2 of the passage, whose question has one token."""
    qas = [
        {"id": word, "question": question, "answers": [{"text": word, "answer_start": 0}]}
        for question, word in (("how", "red"), ("who", "cat"), ("what", "sat"))
    ]
    (path / name).write_text(json.dumps({"data": [{"paragraphs": [{"context": "Red cat sat.", "qas": qas}]}]}))
    (path / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\nhow\nwho\nwhat\nred\ncat\nsat\n.\n")
    return path


def same_windows(one, other):
    return all(np.array_equal(a, b) for a, b in zip(astuple(one), astuple(other), strict=True))


class TestTask(TaskConformance):
    plugin_module = PLUGIN

    @pytest.fixture
    def info(self):
        return next(iter(plugin.mlperf_mobile_tasks()))

    @pytest.fixture
    def targets(self):
        """93 % of what the float32 model reached after training, the ratio of MLPerf Mobile's rules for MobileBERT."""
        measured = json.loads((files(PACKAGE) / "quickstart" / "quickstart.json").read_text())
        reference = measured["float32"]["f1"]
        return [Target(f"facts_transformer_{n}", "made_up_facts", "F1", reference, 0.93) for n in ("int8", "float32")]

    @pytest.fixture(params=["int32", "float32"])
    def inputs(self, request):
        return [TensorSpec(name, (1, LENGTH), np.dtype(request.param)) for name in ("a", "b", "c")]

    @pytest.fixture(params=["float32", "float16", "int8", "uint8"])
    def outputs(self, request):
        scale = 0.5 if "int" in request.param else 0.0
        return [TensorSpec(name, (1, LENGTH), np.dtype(request.param), scale, 3) for name in ("y", "z")]

    @pytest.fixture
    def dataset(self, tmp_path):
        return Squad(
            squad_folder(tmp_path), SquadOptions.model_validate({"max_seq_length": LENGTH, "max_query_length": 4})
        )

    @pytest.fixture
    def perfect(self, dataset, outputs):
        rows = [np.eye(LENGTH)[[dataset.truth(n).first + n]].astype(outputs[0].dtype) for n in range(len(dataset))]
        return [(row, row) for row in rows]


class TestSquad(DatasetConformance):
    plugin_module = PLUGIN
    same = staticmethod(same_windows)

    @pytest.fixture
    def info(self):
        return DATASETS["squad"]

    @pytest.fixture
    def dataset(self, tmp_path):
        return Squad(squad_folder(tmp_path), SquadOptions())


class TestMadeUpFacts(DatasetConformance):
    plugin_module = PLUGIN
    same = staticmethod(same_windows)

    @pytest.fixture
    def info(self):
        return DATASETS["made_up_facts"]

    @pytest.fixture
    def dataset(self, tmp_path):
        return MadeUpFacts(squad_folder(tmp_path, ANNOTATIONS), None)


class TestSquadRecords(DatasetConformance):
    plugin_module = PLUGIN
    same = staticmethod(same_windows)

    @pytest.fixture
    def info(self):
        return DATASETS["squad_tfrecord"]

    @pytest.fixture
    def dataset(self, tmp_path):
        def field(number, content):
            assert len(content) < 128
            return bytes((number * 8 + 2, len(content))) + content

        def record(**features):
            body = b""
            for key, values in features.items():
                texts = isinstance(values[0], str)
                several = b"".join(field(1, v.encode()) for v in values) if texts else field(1, bytes(values))
                body += field(1, field(1, key.encode()) + field(2, field(1 if texts else 3, several)))
            size = len(body)
            data = b"\x0a" + bytes((size % 128 + 128, size // 128)) + body
            length = struct.pack("<Q", len(data))
            crcs = [struct.pack("<I", masked_crc(memoryview(part))) for part in (length, data)]
            return length + crcs[0] + data + crcs[1]

        rows = {"input_mask": [1, 1, 1, 1, 0], "segment_ids": [0, 0, 1, 1, 0]}
        maps = {"token_to_orig_map": [0], "token_is_max_context": [1], "tokens": ["[CLS]", "[SEP]", "a", "[SEP]"]}
        windows = [record(qas_id=[q], input_ids=[1, 2, n, 2, 0], **rows, **maps) for n, q in ((5, "p"), (6, "q"))]
        truths = [record(qas_id=[q], words=["A"], tokens=["a"], answers=[q]) for q in ("p", "q")]
        (tmp_path / "eval.tfrecord").write_bytes(zlib.compress(b"".join(windows)))
        (tmp_path / "groundtruth.tfrecord").write_bytes(zlib.compress(b"".join(truths)))
        return SquadRecords(tmp_path, RecordOptions())
