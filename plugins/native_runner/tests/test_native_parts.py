"""The parts of the driver: sample files, chunks, LoadGen's set, the program's version."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

from mlperf_mobile import loadgen
from mlperf_mobile.contracts import Load, TensorSpec
from mlperf_mobile.errors import BackendError, DataError
from mlperf_mobile.loadgen import response_log
from mlperf_mobile_native_runner import binary, composing, sample_files
from mlperf_mobile_native_runner.chunks import Responses, chunks
from mlperf_mobile_native_runner.loaded_set import loaded
from mlperf_mobile_native_runner.prompts import Prompts

SPECS = (
    TensorSpec("pixels", (1, 3), np.dtype(np.uint8)),
    TensorSpec("scores", (1, 2), np.dtype(np.float32)),
)


class Samples:
    def __getitem__(self, index):
        return np.full((1, 3), index % 256, np.uint8), np.full((1, 2), index / 2, np.float32)


def test_prompts_for_the_warm_up():
    """The shortest, those to answer completely, and the longest."""
    lengths = np.random.default_rng(3).permutation(np.arange(2, 402))
    ids = [(np.ones(length, np.int32),) for length in lengths]
    found = Prompts(ids, 500, "model").warm_up(len(ids))
    assert (lengths[found[0]], lengths[found[-1]]) == (2, 401)
    assert len(found) == 18
    assert len(set(found[1:-1])) == 16


def test_samples_are_written_in_order_and_read_back(tmp_path):
    indices = [5, 0, 300, 7] * 50
    told = []
    sample_files.write(tmp_path / "file", Samples(), indices, SPECS, "model", told.append)
    assert told[-1] == len(indices)
    records = np.fromfile(tmp_path / "file", np.uint8).reshape(len(indices), sample_files.stride(SPECS))
    for index, record in zip(indices, records, strict=True):
        for given, read in zip(Samples()[index], sample_files.tensors_of(record, SPECS), strict=True):
            assert given.dtype == read.dtype and np.array_equal(given, read)


def test_a_sample_that_does_not_fit(tmp_path):
    class Wrong:
        def __getitem__(self, index):
            return np.zeros((1, 3), np.uint8), np.zeros((1, 2), np.float32 if index < 3 else np.float64)

    with pytest.raises(BackendError, match="scores must be float32"):
        sample_files.write(tmp_path / "file", Wrong(), range(10), SPECS, "model")


@pytest.mark.parametrize(("total", "at_once"), [(1, 1), (7, 2), (1000, 3), (50_000, 8)])
def test_chunks_cover_a_data_set_once(total, at_once):
    large = (TensorSpec("image", (1, 1024, 1024, 3), np.dtype(np.uint8)),)
    found = chunks(total, large, SPECS, at_once)
    assert [index for chunk in found for index in chunk.indices] == list(range(total))
    assert [chunk.number for chunk in found] == list(range(len(found)))
    assert all(chunk.count % at_once == 0 for chunk in found[:-1])


def decoded(folder, total=10):
    """Responses to outputs, decoded chunk by chunk and written as a log; and what LoadGen would have logged."""
    outputs = np.arange(total * 11, dtype=np.uint8).reshape(total, 11)
    responses = Responses(folder / "kept", SPECS, lambda tensors: tensors[0].tobytes())
    pieces = chunks(total, SPECS, SPECS, 1)
    for chunk in pieces:
        outputs[chunk.first : chunk.first + chunk.count].tofile(folder / "outputs")
        responses.decode(chunk, folder / "outputs")
        assert responses.has(chunk)
    with loadgen.ResponseLog(folder) as log:
        responses.write(log, pieces)
    responses.remove()
    digests = [hashlib.sha256(record.tobytes()).digest() for record in outputs]
    write_digests(folder, digests)
    return outputs, digests


def write_digests(folder, digests):
    items = [
        f'{{ "seq_id" : {n}, "qsl_idx" : {n}, "data" : "{digest.hex().upper()}" }}' for n, digest in enumerate(digests)
    ]
    (folder / loadgen.ACCURACY_LOG).write_text("[\n" + ",\n".join(items) + "\n]\n")


def test_responses_agree_with_the_digests(tmp_path):
    outputs, _ = decoded(tmp_path)
    response_log.check(tmp_path, len(outputs))
    assert loadgen.responses_of(tmp_path).name == loadgen.RESPONSE_LOG
    found = dict(loadgen.read_responses(tmp_path / loadgen.RESPONSE_LOG))
    assert found == {n: record[:3].tobytes() for n, record in enumerate(outputs)}


@pytest.mark.parametrize("what", ["other", "missing", "twice", "short"])
def test_digests_that_do_not_agree(tmp_path, what):
    _, digests = decoded(tmp_path)
    wrong = list(digests)
    if what == "other":
        wrong[4] = bytes(32)
    elif what == "missing":
        wrong.pop()
    elif what == "short":
        wrong[4] = wrong[4][:-1]
    write_digests(tmp_path, wrong)
    if what == "twice":
        path = tmp_path / loadgen.ACCURACY_LOG
        path.write_text(path.read_text().replace('"qsl_idx" : 4', '"qsl_idx" : 5'))
    with pytest.raises(DataError):
        response_log.check(tmp_path, len(digests))


def test_outputs_of_another_size(tmp_path):
    responses = Responses(tmp_path / "kept", SPECS, lambda tensors: b"")
    (tmp_path / "outputs").write_bytes(bytes(7))
    (chunk,) = chunks(2, SPECS, SPECS, 1)
    with pytest.raises(BackendError, match="have 7 bytes"):
        responses.decode(chunk, tmp_path / "outputs")


def test_the_set_of_samples_is_the_one_that_loadgen_loads(tmp_path):
    load = Load(min_query_count=64, min_duration_s=0, max_duration_s=0, performance_sample_count=20)
    settings = loadgen.performance_values("SingleStream", load)
    found, issued = [], set()

    def issue(ids, indices):
        issued.update(indices)
        loadgen.Responder().complete(ids[0], b"")

    made = loadgen.made(settings | {"single_stream_expected_latency_ns": 1000})
    loadgen.run(made, loadgen.SampleLibrary(1000, 20, found.extend, lambda _: None), issue, tmp_path / "logs")
    assert loaded(settings, 1000, 20) == found
    assert issued <= set(found)
    assert loaded(settings, 20, 20) == list(range(20))


@pytest.mark.parametrize(
    ("answer", "code"),
    [(b"", "runner-version"), (b"[]", "runner-version"),
     (b'{"runner": "1", "plan": 2, "engines": []}', "runner-version"),
     (b'{"runner": "1", "plan": 1, "engines": ["mma"]}', "runner-engine")],
)  # fmt: skip
def test_a_program_that_does_not_fit(answer, code):
    with pytest.raises(BackendError) as caught:
        binary.check(answer, "ssh:board", "litert")
    assert caught.value.code == code


def test_what_a_runtime_says_of_itself():
    reported = {"accelerator": "npu", "operations": {"npu": 2}, "names": {"npu": {"ADD": 2}}}
    assert composing.placement(reported) == {"operations": {"npu": 2}, "kernels": {}, "names": {"npu": {"ADD": 2}}}
    assert composing.versions({"versions": {"nnapi": 8, "acme": "1.2"}}) == {"nnapi": "8", "acme": "1.2"}
    assert composing.versions({}) == composing.versions({"versions": ["1.2"]}) == {}


def test_a_program_that_fits():
    answer = {"runner": "0.1.0", "plan": 1, "engines": ["litert"]}
    assert binary.check(json.dumps(answer).encode(), "ssh:board", "litert") == answer
