"""Run files: every value keeps its place, and no file, however hostile, does more than fail in one line."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mlperf_mobile.config.document import read_file, read_resource, read_text, read_tree
from mlperf_mobile.config.layers import nest
from mlperf_mobile.errors import ExitCode, UsageError


def values(text):
    return {key: setting.value for key, setting in read_text(text.encode(), "run.yaml").items()}


def places(text):
    return {key: setting.source for key, setting in read_text(text.encode(), "run.yaml").items()}


def test_values_and_their_places():
    text = "tasks: [one, two]\nseeds:\n  qsl: 7\n  schedule:   8\n\n# a comment\nwarmup_s: 1.5\nmodel: null\n"
    assert values(text) == {
        "tasks": ["one", "two"], "seeds.qsl": 7, "seeds.schedule": 8, "warmup_s": 1.5, "model": None,
    }  # fmt: skip
    assert places(text) == {
        "tasks": "run.yaml:1:1", "seeds.qsl": "run.yaml:3:3", "seeds.schedule": "run.yaml:4:3",
        "warmup_s": "run.yaml:7:1", "model": "run.yaml:8:1",
    }  # fmt: skip


def test_places_in_flow_style():
    assert places("runs: {offline: {quick: {min_query_count: 5}}}") == {
        "runs.offline.quick.min_query_count": "run.yaml:1:26"
    }


def test_dotted_keys_are_nested_keys():
    assert values("seeds.qsl: 7") == values("seeds: {qsl: 7}")


def test_keys_are_words_whatever_yaml_makes_of_them():
    assert values("{1: a, true: b, null: c, 2020-01-01: d}") == {"1": "a", "true": "b", "null": "c", "2020-01-01": "d"}


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n", "{}", "--- {}\n", "\ufeff"])
def test_nothing_is_no_settings(text):
    assert values(text) == {}


def test_an_empty_mapping_is_a_value():
    assert values("backend_options: {}") == {"backend_options": {}}


def test_a_byte_order_mark_is_skipped():
    assert values("\ufeffbatch: 2") == {"batch": 2}


def test_unusual_numbers():
    told = values("a: .inf\nb: -.inf\nc: 1e3\nd: 0x10\ne: 2020-01-02")
    assert told == {"a": float("inf"), "b": float("-inf"), "c": 1000.0, "d": 16, "e": "2020-01-02"}


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "\n".join(
    f"{n}: &{n} [{','.join([f'*{p}'] * 9)}]" for p, n in pairwise("abcdefghi")
)
REFUSED = {
    "syntax": ("batch: 2\nseeds: {qsl: 7\n", "yaml-syntax", "run.yaml:3:1: expected ',' or '}'"),
    "tab": ("seeds:\n\tqsl: 7\n", "yaml-syntax", "run.yaml:2:1: found character '\\t'"),
    "no mapping": ("\n  - a\n  - b\n", "yaml-syntax", "run.yaml:2:3: expected 'key: value' lines"),
    "only text": ("quick", "yaml-syntax", "run.yaml:1:1: expected 'key: value' lines"),
    "colon in value": ("model: a: b", "yaml-syntax", "run.yaml:1:9: mapping values are not allowed here"),
    "two documents": ("a: 1\n---\nb: 2\n", "yaml-syntax", "run.yaml:2:1: but found another document"),
    "duplicate": ("batch: 2\nrules: quick\nbatch: 3\n", "duplicate-key", "run.yaml:3:1: batch is set twice"),
    "nested duplicate": ("seeds:\n  qsl: 1\n  qsl: 1\n", "duplicate-key", "run.yaml:3:3: seeds.qsl is set twice"),
    "key is a list": ("a: 1\n? [b, c]\n: 2\n", "yaml-syntax", "run.yaml:2:3: a key must be a string"),
    "key is a mapping": ("{{a: b}: 2}", "yaml-syntax", "run.yaml:1:2: a key must be a string"),
    "alias": ("a: &x 1\nb: *x\n", "yaml-syntax", "run.yaml:2:4: aliases are not allowed"),
    "alias bomb": (BOMB, "yaml-syntax", "run.yaml:2:8: aliases are not allowed"),
    "alias of itself": ("a: &a [*a]", "yaml-syntax", "run.yaml:1:8: aliases are not allowed"),
    "merge key": ("a: &x {b: 1}\nc:\n  <<: *x\n", "yaml-syntax", "run.yaml:3:7: aliases are not allowed"),
    "deep lists": ("a: " + "[" * 30_000, "yaml-syntax", "run.yaml:1:23: nested too deeply"),
    "deep mappings": ("{a: " * 1000 + "}" * 1000, "yaml-syntax", "run.yaml:1:78: nested too deeply"),
    "python object": ("a: !!python/object/apply:os.getcwd []", "yaml-syntax", "run.yaml:1:4: "),
    "unknown tag": ("a: !secret x", "yaml-syntax", "run.yaml:1:4: "),
    "date": ("a: 1\nb: !!timestamp 2020-10-10", "yaml-syntax", "run.yaml:2:4: "),
    "endless number": ("a: " + "9" * 5000, "yaml-syntax", "run.yaml:1:4: "),
    "empty integer": ("a: !!int ''", "yaml-syntax", "run.yaml:1:4: "),
    "wrong boolean": ("a: !!bool maybe", "yaml-syntax", "run.yaml:1:4: "),
    "wrong date": ("a: !!timestamp soon", "yaml-syntax", "run.yaml:1:4: "),
    "number too large": ("a: 1e999", "yaml-syntax", "run.yaml:1:4: "),
    "key in a list": ("a: [{[b]: 1}]", "yaml-syntax", "run.yaml:1:6: "),
    "duplicate in a list": ("a: [{b: 1, b: 2}]", "duplicate-key", "run.yaml:1:12: b is set twice"),
    "dotted duplicate": ("a.b: 1\na: {b: 2}\n", "duplicate-key", "run.yaml:2:5: a.b is set twice"),
    "whole and part": ("a: 1\na.b: 2\n", "duplicate-key", "run.yaml:2:1: a.b is set twice"),
    "part and whole": ("a.b.c: 1\na.b: 2\n", "duplicate-key", "run.yaml:2:1: a.b is set twice"),
    "tag that says nothing": ("a: ! 12", "yaml-syntax", "run.yaml:1:4: the tag '!' is not allowed"),
    "too large": ("#" * (1 << 20) + "\n", "run-file", "run.yaml is larger than"),
    "too many": ("".join(f"k{n}: 1\n" for n in range(5000)), "run-file", "run.yaml has more than"),
    "endless key": ("? " + "a." * 10_000 + "\n: 1\n", "yaml-syntax", "run.yaml:1:3: "),
}  # fmt: skip


@pytest.mark.parametrize(("text", "code", "line"), REFUSED.values(), ids=REFUSED)
def test_refused(text, code, line):
    started = time.thread_time()
    with pytest.raises(UsageError) as caught:
        read_text(text.encode(), "run.yaml")
    assert caught.value.code == code
    assert line in caught.value.summary
    assert "\n" not in caught.value.line()
    assert len(caught.value.line()) < 1000
    assert caught.value.hint
    assert caught.value.exit_code == ExitCode.USAGE == 2
    assert time.thread_time() - started < 5


@pytest.mark.parametrize(
    "data", [b"model: \xff\xfe", b"\x80", b"\x00", b"a: \x07", b"\xff\xfea", b"a: '\xed\xa0\x80'", b"\xfe\xffa"]
)
def test_what_is_not_text_is_refused(data):
    with pytest.raises(UsageError) as caught:
        read_text(data, "run.yaml")
    assert caught.value.code == "yaml-syntax"
    assert "run.yaml" in caught.value.summary


def test_files(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("batch: 2\n")
    assert read_file(path)["batch"].source == f"{path}:1:1"


@pytest.mark.parametrize(
    ("name", "why"), [("absent.yaml", "No such file"), (".", "Is a directory"), ("x" * 300, "too long")]
)
def test_files_that_cannot_be_read(tmp_path, name, why):
    with pytest.raises(UsageError, match=why) as caught:
        read_file(tmp_path / name)
    assert caught.value.code == "run-file"


def test_an_endless_file_is_not_read_to_its_end():
    with pytest.raises(UsageError, match="larger"):
        read_file(Path("/dev/zero"))


@pytest.mark.parametrize(
    "reference", ["no_such_package:x.yaml", "mlperf_mobile.scenarios:absent.yaml", "mlperf_mobile"]
)
def test_resources_that_are_not_there(reference):
    with pytest.raises(UsageError) as caught:
        read_resource(reference, "task x")
    assert caught.value.code == "settings"
    assert reference in caught.value.summary


def test_resources_are_labelled():
    layer = read_resource("mlperf_mobile.scenarios:offline.yaml", "scenario offline")
    assert layer["runs.offline.rapid.min_query_count"].source.startswith("scenario offline:6:")


@given(st.binary(max_size=300))
def test_any_bytes(data):
    try:
        read_text(data, "x")
    except UsageError as error:
        assert error.code in ("yaml-syntax", "duplicate-key")


PIECES = [
    *"abc019:-?[]{},&*!|>'\"%@`#~ .=\n\t\\\x85\u2028\ufeffé",
    *(": ", "- ", "? ", "\n  ", "<<: ", "---\n", "...\n", "&a ", "*a", "2020-01-01", "1:2", "0x", "0b", "0o", "1e"),
    *(f"!!{tag} " for tag in ("int", "float", "bool", "null", "timestamp", "binary", "set", "omap", "pairs", "map")),
    *(".inf", ".nan"),
]
YAMLISH = st.lists(st.sampled_from(PIECES), max_size=30).map("".join)


@given(YAMLISH)
def test_anything_like_yaml(text):
    try:
        layer = read_text(text.encode(), "x")
    except UsageError as error:
        assert error.code in ("yaml-syntax", "duplicate-key")
    else:
        assert all(setting.source.startswith("x:") for setting in layer.values())


KEYS = st.text(st.characters(exclude_characters=".", exclude_categories=("C",)), max_size=20)
TEXTS = st.text(st.characters(exclude_characters="\x85\u2028\u2029", codec="utf-8"), max_size=20)  # PyYAML folds those
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS
TREES = st.recursive(
    SCALARS | st.lists(SCALARS, max_size=3),
    lambda children: st.dictionaries(KEYS, children, max_size=4) | st.lists(children, max_size=3),
    max_leaves=15,
)


class Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data):
        return True

    def represent_str(self, data):  # quoted: PyYAML writes YAML 1.1, in which other words need no quotes
        return self.represent_scalar("tag:yaml.org,2002:str", data, style='"')


Dumper.add_representer(str, Dumper.represent_str)


@given(st.dictionaries(KEYS, TREES, max_size=5), st.booleans())
def test_nested_mappings_come_back(data, flow):
    """What PyYAML writes is read back the same, whether in lines or in braces."""
    text = yaml.dump(data, Dumper=Dumper, default_flow_style=flow, allow_unicode=True)
    assert nest(read_text(text.encode(), "x")) == data


@pytest.mark.skipif(not yaml.__with_libyaml__, reason="PyYAML was built without LibYAML")
def test_both_parsers_read_plain_texts_alike(monkeypatch):
    texts = [path.read_bytes() for path in Path(__file__).parents[2].glob("*/**/src/**/*.yaml")]
    texts += [b"a: 'it''s'\nb: |\n  two\n  lines\nc: >-\n  folded\n  line\nd: [1, {e: ~}]\n'f g': 0x10 # note\n"]
    assert len(texts) > 5
    fast = [read_tree(text, "file") for text in texts]
    monkeypatch.setattr(yaml, "__with_libyaml__", False)
    assert fast == [read_tree(text, "file") for text in texts]


@pytest.mark.parametrize("text", ["a:\t1\n", "a: 1\t\n"])
def test_tabs_are_refused_by_either_parser(text):
    with pytest.raises(UsageError, match="cannot start any token"):
        read_text(text.encode(), "run.yaml")
