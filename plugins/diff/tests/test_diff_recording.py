"""Recordings are read back as written, and damaged ones are refused."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest

from mlperf_mobile.contracts import Score, TensorSpec
from mlperf_mobile.errors import BackendError, OutputError
from mlperf_mobile_diff.recording import FILE, Recording, Writer, spread
from mlperf_mobile_diff.stages import as_data, compare
from mlperf_mobile_diff.tables import show

IN = TensorSpec("image", (1, 2), np.dtype(np.int8), scale=0.5, zero_point=3)
OUT = TensorSpec("scores", (1, 3), np.dtype(np.float32))
HIDDEN = TensorSpec("conv", (1, 1), np.dtype(np.float32))


@pytest.fixture
def folder(tmp_path):
    writer = Writer(tmp_path, [IN], [OUT], 2)
    for index in (4, 9):
        inputs, outputs = np.array([[index, -1]], np.int8), np.array([[index, 0.5, -0.0]], np.float32)
        writer.add(index, [inputs], [outputs], b"x" * index)
    writer.trace(HIDDEN, np.array([[7]], np.float32))
    writer.close(10, {"profile": 1}, "")
    return tmp_path


def test_reads_what_was_written(folder):
    found = Recording(folder)
    assert (found.inputs, found.outputs, found.traced) == ((IN,), (OUT,), (HIDDEN,))
    assert found.facts.indices == (4, 9)
    assert found.tensor("input", 0, 1).tolist() == [[9, -1]]
    assert found.tensor("output", 0, 0).tobytes() == np.array([[4, 0.5, -0.0]], np.float32).tobytes()
    assert [found.response(0), found.response(1)] == [b"x" * 4, b"x" * 9]
    assert found.traced_tensor(0).tolist() == [[7]]
    assert found.facts.report == {"profile": 1}


ANSWERS = {3: ([5, 6, 7], [5, 6, 7]), 4: ([5, 6, 7], [5, 9, 7, 8]), 8: ([5], [5, 6]), 9: ([], [1])}


@pytest.fixture
def sides(tmp_path):
    """The answers of a language model on two sides."""
    for side in (0, 1):
        folder = tmp_path / "ab"[side]
        folder.mkdir()
        writer = Writer(folder, (), (), len(ANSWERS))
        for index, answers in ANSWERS.items():
            ids = np.array(answers[side], np.int32)
            writer.add(index, (), (), ids.tobytes(), ids)
        writer.close(10, {}, "")
    return tmp_path


def test_answers_are_read_back(sides):
    found = Recording(sides / "b")
    assert [found.answer(at) for at in range(4)] == [answers[1] for answers in ANSWERS.values()]
    assert (found.inputs, found.outputs) == ((), ())


@pytest.mark.parametrize("damage", [b"", b"1234" * 11])
def test_damaged_answers_are_refused(sides, damage):
    (sides / "a" / "answers.bin").write_bytes(damage)
    with pytest.raises(BackendError, match="recording-damaged"):
        Recording(sides / "a")


def test_the_first_token_that_differs(sides, capsys):
    """By hand: the second one of sample 4; where one answer goes on, the first one that the other does not have."""
    task = SimpleNamespace(metric=lambda dataset: Lengths())
    found = compare(Recording(sides / "a"), Recording(sides / "b"), task, None, 0.01)
    assert {each.index: (each.first, each.tokens, each.lengths) for each in found.answers} == {
        4: (1, (6, 9), (3, 4)), 8: (1, (None, 6), (1, 2)), 9: (0, (None, 1), (0, 1)),
    }  # fmt: skip
    assert found.differ == {"answer": (4, 8, 9), "response": (4, 8, 9), "score": (4, 8, 9)}
    assert found.first == "answer"
    json.dumps(as_data(found, 0.01), allow_nan=False)
    show(["a", "b"], found, 0.01, [], 10)
    shown = capsys.readouterr().out
    assert [line.split() for line in shown.splitlines() if line.startswith("9 ")] == [
        ["9", "0", "end", "1", "0", "1", "0.0000", "4.0000"]
    ]
    assert "input " not in shown
    assert "output " not in shown


class Lengths:
    """A metric: the bytes of all responses."""

    def __init__(self):
        self.total = 0

    def update(self, index, response):
        self.total += len(response)

    def score(self):
        return Score("bytes", float(self.total), 1)


@pytest.mark.parametrize("name", ["input-0.bin", "output-0.bin", "responses.bin", "traced-0.bin", FILE])
@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b + b"\0", lambda b: b"", None])
def test_a_damaged_file_is_refused(folder, name, damage):
    """A backend's library shares the folder's process, and may write anywhere."""
    path = folder / name
    path.write_bytes(damage(path.read_bytes())) if damage else path.unlink()
    with pytest.raises(BackendError, match="recording-damaged"):
        Recording(folder)


@pytest.mark.parametrize("dtype", ["O", "|V8", "nonsense", "<M8[s]"])
def test_a_type_that_is_no_number_is_refused(folder, dtype):
    facts = json.loads((folder / FILE).read_text())
    facts["outputs"][0]["dtype"] = dtype
    (folder / FILE).write_text(json.dumps(facts))
    with pytest.raises(BackendError, match="recording-damaged"):
        Recording(folder)


def test_too_many_bytes_are_refused_before_the_first(tmp_path):
    with pytest.raises(OutputError, match="lower --samples"):
        Writer(tmp_path, [TensorSpec("t", (1, 1 << 20), np.dtype(np.float32))], [OUT], 5000)
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("count", "samples", "expected"),
    [(1, 10, (0,)), (4, 8, (0, 2, 4, 6)), (3, 10, (0, 3, 6)), (10, 3, (0, 1, 2)), (2, 2, (0, 1))],
)
def test_samples_are_spread_evenly(count, samples, expected):
    assert spread(count, samples) == expected
