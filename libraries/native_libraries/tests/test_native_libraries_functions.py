"""Functions are found by name; a library that lacks some is an error."""

from __future__ import annotations

import ctypes
from pathlib import Path

import pytest

from mlperf_mobile.errors import BackendError
from mlperf_mobile.testing.c_library import compile_c
from mlperf_mobile_native_libraries.functions import Functions, printable, text, text_of

SOURCE = """
#include <stddef.h>
#include <stdint.h>
int64_t Toy_big(void) { return 1LL << 40; }
float Toy_half(float value) { return value / 2; }
int32_t Toy_sum(int32_t one, uint8_t two) { return one + two; }
void Toy_none(void *pointer) { *(int *)pointer = 7; }
const char *toy_stand_in(void) { return "a\\033[31m \\xff\\nb"; }
const char *toy_null(void) { return NULL; }
"""
PROTOTYPES = {"_big": " q", "_half": "f f", "_sum": "iB", "_none": "p v", "_later": "p"}


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> Path:
    return compile_c(tmp_path_factory.mktemp("toy") / "libtoy.so", SOURCE)


def opened(library: Path, required: tuple[str, ...] = ()) -> Functions:
    return Functions(str(library), "Toy", PROTOTYPES, required, title="the toy", since="version 2", missing="get it")


def test_types_are_declared(library):
    toy = opened(library, ("_big", "_half"))
    assert toy.function("_big")() == 1 << 40
    assert toy.function("_half")(5) == 2.5
    assert toy.function("_sum")(40, 2) == 42
    number = ctypes.c_int()
    assert toy.function("_none")(ctypes.byref(number)) is None
    assert number.value == 7


def test_a_library_that_is_too_old(library):
    with pytest.raises(BackendError) as caught:
        opened(library, ("_big", "_later"))
    assert caught.value.code == "library-too-old"
    assert caught.value.summary.endswith("it lacks Toy_later")
    assert caught.value.hint == "the toy needs version 2 or later"
    with pytest.raises(BackendError, match=r"Toy_0, .*Toy_7 and 12 more;"):
        opened(library, tuple(f"_{number}" for number in range(20)))


def test_a_function_that_is_not_there(library):
    toy = opened(library)
    assert toy.has("_sum")
    assert not toy.has("_later")
    with pytest.raises(BackendError, match="has no function Toy_later") as caught:
        toy.function("_later")
    assert caught.value.code == "library-symbol"


def test_what_a_stand_in_says_can_be_printed(library):
    toy = opened(library)
    assert toy.text_of("toy_stand_in") == "a?[31m \ufffd b"
    assert (
        toy.text_of("toy_null") == toy.text_of("toy_absent") == text_of(ctypes.CDLL(str(library)), "toy_absent") == ""
    )


def test_texts_are_short():
    assert text(None) == ""
    assert text(b"x" * 100_000) == "x" * 512
    assert printable("a\tb \x00") == "a b ?"
