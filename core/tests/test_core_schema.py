"""Scalars are read by YAML 1.2's core schema, and alike in run files, flags and variables."""

from __future__ import annotations

import math
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, field_validator

from mlperf_mobile.config import layers
from mlperf_mobile.config.document import read_text
from mlperf_mobile.config.settings import Settings
from mlperf_mobile.errors import UsageError

# YAML 1.2.2, section 10.3.2: each row of the table of tag resolution, its example 10.9, and edges of the patterns.
TABLE = [
    *((text, None) for text in ("null", "Null", "NULL", "~", "")),
    *((text, True) for text in ("true", "True", "TRUE")),
    *((text, False) for text in ("false", "False", "FALSE")),
    ("0", 0), ("-0", 0), ("0100", 100), ("010", 10), ("-19", -19), ("+12", 12), ("08", 8), ("00", 0),
    ("0o7", 7), ("0o10", 8), ("0x3A", 58), ("0xff", 255),
    ("0.", 0.0), ("-0.0", -0.0), (".5", 0.5), ("+12e03", 12000.0), ("-2E+05", -200000.0), ("1e3", 1000.0),
    ("1.", 1.0), ("1.5e-1", 0.15), ("-.5", -0.5), ("01.5", 1.5),
    (".inf", math.inf), ("-.Inf", -math.inf), ("+.INF", math.inf), (".nan", math.nan), (".NaN", math.nan),
    (".NAN", math.nan),
]  # fmt: skip
TEXTS = [
    "yes", "Yes", "no", "on", "off", "y", "n", "tRUE", "nULL", "nil", "2:00", "190:20:30", "2020-01-02", "1_000",
    "2001-12-14t21:59:43.10-05:00", "0b10", "0o8", "0o", "0x", "0xg", "-0o7", "+0x1", "1e", ".", "+", "+.nan",
    "-.nan", ".iNF", "inf", "nan", "NaN", "Infinity", "1 2", "1.2.3", "=", "<<", "e3", "٣", "１", "0x_1", "--1",
]  # fmt: skip


def same(one, other):
    """Equal in value and type; not-a-number equals itself."""
    return type(one) is type(other) and repr(one) == repr(other)


def three_ways(text):
    """What a file, a flag and a variable make of one text: values by key, or the error's code."""

    def outcome(read):
        try:
            return {key: setting.value for key, setting in read().items()}
        except UsageError as error:
            return error.code

    return (
        outcome(lambda: read_text(f"key: {text}".encode("utf-8", "surrogatepass"), "run.yaml")),
        outcome(lambda: layers.from_assignments([f"key={text}"])),
        outcome(
            lambda: layers.from_environment({"MLPERF_MOBILE_KEY": text}) if text else {"key": layers.Setting(None, "")}
        ),
    )


@pytest.mark.parametrize(("text", "expected"), TABLE)
def test_the_specification(text, expected):
    for told in three_ways(text):
        assert same(told["key"], expected)


@pytest.mark.parametrize("text", TEXTS)
def test_everything_else_is_text(text):
    for told in three_ways(text):
        assert same(told["key"], text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("!!str 0100", "0100"), ("!!int '0o10'", 8), ("!!float 1", 1.0), ("!!bool TRUE", True), ("!!null ''", None),
     ("'0100'", "0100"), ('"true"', "true"), ("!!seq [1]", [1])],
)  # fmt: skip
def test_tags_and_quotes_say_the_type(text, expected):
    for told in three_ways(text):
        assert same(told["key"], expected)


@pytest.mark.parametrize(
    "text",
    ["!!int 1.5", "!!bool yes", "!!binary aGk=", "!!set {a}", "!!omap [a: 1]", "!!map [1]", "!!seq {a: 1}", "!x 1"],
)
def test_other_tags_are_refused(text):
    assert three_ways(text) == ("yaml-syntax",) * 3


PARTS = [
    *"01789.-+_:~eExob ,[]{}#'\"&*!|>?@%=<\t", *("true", "no", "null", ".inf", ".nan", "0o"),
    "0x", ": ", "- ", " #", "a", "é", "\n", "\n  ", "&a ", "*a", "!!str ", "\udcff", "\x07",
]  # fmt: skip


@settings(max_examples=300)
@given(st.lists(st.sampled_from(PARTS), max_size=8).map("".join).filter(str.strip))
def test_files_flags_and_variables_read_alike(text):
    in_file, flag, variable = three_ways(text)
    if isinstance(in_file, dict) and len({key.split(".")[0] for key in in_file}) > 1:
        in_file = "yaml-syntax"  # a second setting on a line of its own, which only a file can have
    assert repr(in_file) == repr(flag) == repr(variable)


BOMB = "{a: &a [x, x, x, x, x, x, x, x, x], b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a], c: [*b, *b, *b, *b, *b, *b]}"


@pytest.mark.parametrize("text", [BOMB, "[&a x, *a]", "&a [*a]", "{<<: *a}", "*a", "[" * 50 + "]" * 50])
def test_no_aliases_and_no_depth_anywhere(text):
    assert three_ways(text) == ("yaml-syntax",) * 3


def test_large_values_are_refused_anywhere():
    text = "x" * (1 << 16)
    assert three_ways(text) == ("run-file",) * 3


def test_a_merge_key_is_a_key_like_any_other():
    assert three_ways("{<<: {a: 1}}")[0] == {"key.<<.a": 1}


def test_a_mapping_sets_its_parts_alone():
    """In a flag as in a file: the other parts keep what weaker layers say."""
    below = read_text(b"seeds: {qsl: 1, schedule: 2}", "run.yaml")
    above = layers.from_assignments(["seeds={qsl: 7}"])
    merged = layers.merge([below, above])
    assert {key: setting.value for key, setting in merged.items()} == {"seeds.qsl": 7, "seeds.schedule": 2}
    assert merged["seeds.qsl"].source == "--set seeds={qsl: 7}"


def test_two_variables_for_one_setting():
    with pytest.raises(UsageError) as caught:
        layers.from_environment({"MLPERF_MOBILE_RULES": "quick", "MLPERF_MOBILE_Rules": "rapid"})
    assert caught.value.code == "duplicate-key"


class Kind(StrEnum):
    FAST = "fast"


class Inner(BaseModel):
    count: int = 0


class Options(BaseModel):
    """As lax as a plugin's options may be."""

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)
    count: int = 0
    maybe: int | None = None
    factor: float = 0
    on: bool = False
    name: str = ""
    path: Path = Path()
    kind: Kind | None = None
    layout: Literal["nhwc", "nchw"] = "nhwc"
    sizes: tuple[int, ...] = ()
    table: dict[str, float] = {}
    either: int | bool | None = None
    inner: Inner = Inner()
    bounded: Annotated[int, Field(ge=0, le=10)] = 0
    by_number: dict[int, str] = {}
    parsed: int = 0
    listed: tuple[str, ...] = ()

    @field_validator("parsed", mode="before")
    @classmethod
    def _in_megabytes(cls, value):
        return int(value.removesuffix("MB")) if isinstance(value, str) and value.endswith("MB") else value

    @field_validator("listed", mode="before")
    @classmethod
    def _one_is_a_list(cls, value):
        return [value] if isinstance(value, str) else value


def options(text):
    return layers.check(Options, read_text(text.encode(), "run.yaml"))


@pytest.mark.parametrize(
    "text",
    [
        "count: true", "count: false", "maybe: true", "factor: true", "factor: False", "sizes: [1, true]",
        "table: {a: true}", "on: 1", "on: 0", "on: 1.0", "on: yes", "on: 'true'", "on: off", "count: '4'", "count: 1.5",
        "count: 1e3", "factor: '0.5'", "name: true", "inner: {count: true}", "bounded: true",
        "bounded: '1'", "parsed: true", "sizes: '12'", "sizes: 3", "kind: slow",
        "layout: 1", "path: 1", "factor: .inf", "factor: .nan", "table: {a: -.inf}", "maybe: ~x", "count: null",
    ],
)  # fmt: skip
def test_values_of_another_type_are_refused(text):
    with pytest.raises(UsageError) as caught:
        options(text)
    assert caught.value.code == "bad-value"
    assert caught.value.summary.startswith("run.yaml:1:")


def test_values_of_the_right_type():
    told = options(
        "count: 0100\nmaybe: null\nfactor: 2\non: TRUE\nname: '4'\npath: a/b\nkind: fast\nlayout: nchw\n"
        "sizes: [1, 0o10]\ntable: {a: 1, b: 1e-3}"
    )
    assert (told.count, told.maybe, told.factor, told.on, told.name) == (100, None, 2.0, True, "4")
    assert (told.path, told.kind, told.layout, told.sizes) == (Path("a/b"), Kind.FAST, "nchw", (1, 8))
    assert told.table == {"a": 1.0, "b": 0.001}


def test_what_a_model_says_itself_still_holds():
    """Its own validators, its wish to read text from numbers."""
    told = options("parsed: 5MB\nlisted: [a, b]\nname: 4\nby_number: {1: x}\neither: true")
    assert (told.parsed, told.listed, told.name, told.either) == (5, ("a", "b"), "4", True)
    assert told.by_number == {1: "x"}
    assert options("listed: a").listed == ("a",)
    assert type(options("either: 1").either) is int


@pytest.mark.parametrize(
    "text", ["min_query_count: true", "batch: true", "warmup_s: true", "strict_placement: 1", "seeds: {qsl: true}"]
)
def test_booleans_are_no_numbers(text):
    with pytest.raises(UsageError) as caught:
        layers.check(Settings, read_text(text.encode(), "run.yaml"))
    assert caught.value.code == "bad-value"
