"""Configurations: what is changed for Genie, and everything that is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlperf_mobile.config.model_folder import files_of
from mlperf_mobile.errors import ModelError
from mlperf_mobile_backend_snpe.genie import config

DEEP = {"a": 1}
for _ in range(40):
    DEEP = {"a": DEEP}


def read(folder, name="genie_config.json"):
    return config.read(folder / name, files_of(folder, "a test"))


def test_what_genie_gets(bundle):
    """Paths of the model's files, greedy, nothing before a prompt, no ends; the rest as it was."""
    folder = bundle()
    found = read(folder)
    dialog = json.loads(found.text)["dialog"]
    before = json.loads((folder / "genie_config.json").read_text())["dialog"]
    assert dialog["sampler"] == {"version": 1, "seed": 0, "temp": 1.0, "top-k": 1, "top-p": 1.0, "greedy": True}
    assert dialog["context"] == before["context"] | {"bos-token": -1, "eos-token": -1, "pad-token": 2}
    assert dialog["tokenizer"]["path"] == str(folder / "tokenizer.json")
    engine = dialog["engine"]
    assert engine["backend"]["extensions"] == str(folder / "htp_backend_ext_config.json")
    assert engine["model"]["binary"]["ctx-bins"] == [str(folder / f"parts/{i}_of_2.bin") for i in (1, 2)]
    assert engine["model"]["positional-encoding"] == before["engine"]["model"]["positional-encoding"]
    assert engine["backend"]["QnnHtp"] == before["engine"]["backend"]["QnnHtp"]
    assert set(before) - set(dialog) == {"stop-sequence", "max-num-tokens"}
    assert (found.context, found.vocabulary, found.engine) == (64, 640, "QnnHtp")


@pytest.mark.parametrize(
    ("entries", "padding"),
    [
        ({"eos-token": 5}, 5),
        ({"eos-token": [5, 6], "eot-token": 7}, 5),
        ({"eos-token": 5, "eot-token": 7}, 7),
        ({"eos-token": 5, "eot-token": -1}, 5),
        ({"eos-token": -1, "pad-token": 0}, 0),
    ],
)
def test_the_padding_of_a_prompt_stays(bundle, entries, padding):
    """It is an end token in Genie, unless the configuration names another."""
    folder = bundle(changes={f"dialog.context.{key}": value for key, value in entries.items()})
    assert json.loads(read(folder).text)["dialog"]["context"]["pad-token"] == padding


def test_files_in_different_folders(bundle, tmp_path):
    """As they are in the cache of downloads: found by their names in the model."""
    folder = bundle()
    elsewhere = tmp_path / "elsewhere.bin"
    (folder / "parts/1_of_2.bin").rename(elsewhere)
    files = files_of(folder, "a test") | {"parts/1_of_2.bin": elsewhere}
    found = json.loads(config.read(folder / "genie_config.json", files).text)
    assert found["dialog"]["engine"]["model"]["binary"]["ctx-bins"][0] == str(elsewhere)


def test_a_library_model_runs_on_the_cpu(bundle):
    (folder := bundle()).joinpath("model.bin").write_text("weights")
    document = json.loads((folder / "genie_config.json").read_text())
    engine = document["dialog"]["engine"]
    engine["backend"] = {"version": 1, "type": "QnnGenAiTransformer", "QnnGenAiTransformer": {"version": 1}}
    engine["model"] = {"version": 1, "type": "library", "library": {"version": 1, "model-bin": "model.bin"}}
    (folder / "genie_config.json").write_text(json.dumps(document))
    found = read(folder)
    assert config.ENGINES[found.engine] == "cpu"
    assert json.loads(found.text)["dialog"]["engine"]["model"]["library"]["model-bin"] == str(folder / "model.bin")


BINS = "dialog.engine.model.binary.ctx-bins"
WRONG = [
    ({"dialog": []}, "dialog is a list, not an object"),
    ({"more": {}}, "has the entry 'more'"),
    ({"dialog.type": "eaglet"}, "dialog.type is 'eaglet', and only 'basic' is supported"),
    ({"dialog.type": None}, "dialog.type is 'None'"),
    ({"dialog.embedding": {"lut-path": "lut.bin"}}, "the entry 'embedding'"),
    ({"dialog.debug": {"path": "/tmp"}}, "the entry 'debug'"),
    ({"dialog.context": None}, "lacks the entry 'context'"),
    ({"dialog.context.size": 1}, "dialog.context.size is 1, not a whole number from 2"),
    ({"dialog.context.size": True}, "dialog.context.size is true or false"),
    ({"dialog.context.size": 10**400}, "dialog.context.size is a number"),
    ({"dialog.context.n-vocab": None}, "dialog.context.n-vocab is missing"),
    ({"dialog.context.eos-token": -1}, "dialog.context.eos-token is -1, not a whole number from 0 to 639"),
    ({"dialog.context.eos-token": []}, "dialog.context.eos-token is a list"),
    ({"dialog.context.pad-token": 640}, "dialog.context.pad-token is 640, not a whole number from 0 to 639"),
    ({"dialog.context.more": "/etc"}, "a path is not supported here"),
    ({"dialog.engine": [{}]}, "dialog.engine is a list, not an object"),
    ({"dialog.engine.role": "draft"}, "the entry 'role'"),
    ({"dialog.engine.backend.type": "QnnFpga"}, "not one of QnnHtp"),
    ({"dialog.engine.backend.type": 3}, "is a number, not a printable text"),
    ({"dialog.engine.backend.QnnHtp.cpu-mask": "../x"}, "a path is not supported here"),
    ({"dialog.engine.backend.QnnHtp.list": [0] * 300}, "more than 256 items"),
    ({"dialog.engine.model.type": "onnx"}, "not one of binary, library"),
    ({"dialog.engine.model.draft-token-map": "map.json"}, "the entry 'draft-token-map'"),
    ({"dialog.engine.model.binary.lora": {}}, "the entry 'lora'"),
    ({"dialog.engine.model.positional-encoding": {"a": "b\\c"}}, "a path is not supported here"),
    ({BINS: "1.bin"}, "is no list of 1 to 256 files"),
    ({BINS: []}, "is no list of 1 to 256 files"),
    ({BINS: ["parts/1_of_2.bin", 7]}, "is a number, not a printable text"),
    ({"dialog.tokenizer.path": "x" * 2000}, "is a text, not a printable text of 1 to 1024"),
    ({"dialog.engine.backend.QnnHtp.deep": DEEP}, "nested too deep"),
]
OUTSIDE = [
    "/etc/passwd",
    "../secret",
    "parts/../../secret",
    "{{MODEL_DIR}}/../secret",
    "a\\b",
    "missing.bin",
    ".",
    "parts",
]


@pytest.mark.parametrize(("changes", "says"), WRONG, ids=[says[:40] for _, says in WRONG])
def test_configurations_that_are_refused(bundle, changes, says):
    with pytest.raises(ModelError) as found:
        read(bundle(changes=changes))
    assert found.value.code == "genie-config"
    assert says in found.value.summary
    assert "\n" not in found.value.summary


@pytest.mark.parametrize("entry", ["dialog.tokenizer.path", "dialog.engine.backend.extensions", BINS])
@pytest.mark.parametrize("path", OUTSIDE)
def test_files_outside_of_the_model(bundle, tmp_path, entry, path):
    (tmp_path / "secret").write_text("not of the model")
    with pytest.raises(ModelError) as found:
        read(bundle(changes={entry: [path] if entry == BINS else path}))
    assert found.value.code == "genie-files"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "no valid JSON"),
        (b"[]", "not an object"),
        (b'{"dialog": {}, "dialog": {}}', "an entry is there twice"),
        (b'{"dialog": NaN}', "NaN is no finite number"),
        (b'{"dialog": 1e999}', "1e999 is no finite number"),
        (b"\xff\xfe", "no valid JSON"),
        (b"[" * 100_000, "nested too deep"),
        (b" " * ((1 << 20) + 1), "has more than 1048576 bytes"),
    ],
)
def test_files_that_are_no_configuration(bundle, data, says):
    (folder := bundle()).joinpath("genie_config.json").write_bytes(data)
    with pytest.raises(ModelError, match="genie-config") as found:
        read(folder)
    assert says in found.value.summary


def test_extensions_are_read_as_carefully(bundle):
    (folder := bundle()).joinpath("htp_backend_ext_config.json").write_text('{"shared_library_path": "/tmp/evil.so"}')
    with pytest.raises(ModelError, match="a path is not supported here"):
        read(folder)


def test_a_configuration_alone(bundle):
    folder = bundle()
    with pytest.raises(ModelError, match=r"genie-files.*given alone"):
        config.read(folder / "genie_config.json", {})
    with pytest.raises(ModelError, match="model-missing"):
        config.read(folder / "other.json", {"other.json": folder / "other.json"})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)
ENTRIES = ["dialog", "dialog.engine", "dialog.context", "dialog.sampler", "dialog.tokenizer", "dialog.stop-sequence",
           "dialog.engine.backend", "dialog.engine.backend.QnnHtp", "dialog.engine.model", BINS]  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("made")


@given(entry=st.sampled_from(ENTRIES), value=JSON)
def test_any_value_is_read_or_refused(made, entry, value):
    """Nothing but a model's errors, and what is read can be written as JSON."""
    document = {
        "dialog": {
            "version": 1, "type": "basic", "tokenizer": {"path": "m.json"},
            "context": {"size": 8, "n-vocab": 9, "eos-token": 2},
            "engine": {
                "backend": {"type": "QnnHtp", "QnnHtp": {}},
                "model": {"type": "binary", "binary": {"ctx-bins": ["m.json"]}},
            },
        }
    }  # fmt: skip
    *parents, last = entry.split(".")
    place = document
    for each in parents:
        place = place[each]
    place[last] = value
    path = made / "m.json"
    path.write_text(json.dumps(document))
    try:
        found = config.read(path, {"m.json": path})
    except ModelError as error:
        assert error.code in ("genie-config", "genie-files")
    else:
        json.loads(found.text)
        json.dumps(found.facts, allow_nan=False)
