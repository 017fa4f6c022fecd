"""Errors for libraries that cannot be opened say what is wrong."""

from __future__ import annotations

import os
import struct
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlperf_mobile.errors import BackendError
from mlperf_mobile.testing.c_library import compile_c
from mlperf_mobile_native_libraries import elf, loading

PYTHON = Path(sys.executable).resolve()


def refusal(library: str | Path) -> BackendError:
    with pytest.raises(BackendError) as caught:
        loading.load(str(library), "The API", "get it")
    return caught.value


@pytest.mark.parametrize("library", ["libno-such-thing.so", "/no/such/folder/lib.so", "./no.so"])
def test_missing(library):
    error = refusal(library)
    assert (error.code, error.hint) == ("library-missing", "get it")
    assert error.summary == f"The API: library {library} not found"


@pytest.mark.parametrize(
    ("reason", "missing"),
    [
        ("libx.so: cannot open shared object file: No such file or directory", True),  # glibc
        ("libother.so: cannot open shared object file: No such file or directory", False),
        ("Error loading shared library libx.so: No such file or directory", True),  # musl
        ("Error loading shared library libother.so: No such file or directory (needed by libx.so)", False),
        ('dlopen failed: library "libx.so" not found', True),  # Android
        ('dlopen failed: library "libother.so" not found: needed by /a/libx.so in namespace (default)', False),
    ],
)
def test_missing_is_not_what_lacks_another(monkeypatch, reason, missing):
    """As loaders say it."""

    def refuse(name):
        raise OSError(reason)

    monkeypatch.setattr(loading.ctypes, "CDLL", refuse)
    assert refusal("libx.so").code == ("library-missing" if missing else "library-broken")


@pytest.mark.parametrize(
    "reason",
    [
        "libx.so: wrong ELF class: ELFCLASS32",
        'dlopen failed: "libx.so" is 32-bit instead of 64-bit',
        'dlopen failed: "libx.so" has unexpected e_machine: 40 (EM_ARM)',
    ],
)
def test_what_the_loader_found_is_for_another_processor(monkeypatch, reason):
    def refuse(name):
        raise OSError(reason)

    monkeypatch.setattr(loading.ctypes, "CDLL", refuse)
    error = refusal("libx.so")
    assert error.code == "library-architecture"
    assert reason in error.summary


@pytest.mark.parametrize(
    ("bits", "order", "machine", "told"),
    [
        (2, 1, 183, "aarch64, 64 bit"),
        (1, 1, 40, "arm, 32 bit"),
        (1, 1, 3, "x86, 32 bit"),
        (2, 2, 21, "machine 21, 64 bit, big-endian"),
        (2, 2, 62, "x86-64, 64 bit, big-endian"),
        (2, 1, 243, "riscv, 64 bit"),
        (2, 1, 164, "machine 164, 64 bit"),
    ],
)
def test_another_processor(tmp_path, monkeypatch, bits, order, machine, told):
    """The header is that of the System V ABI: class, byte order, at byte 18 the machine (183: AArch64)."""

    def header(bits: int, order: int, machine: int) -> bytes:
        return b"\x7fELF" + bytes([bits, order, 1]) + bytes(9) + struct.pack("<HH" if order == 1 else ">HH", 3, machine)

    python, library = tmp_path / "python", tmp_path / "phone.so"
    python.write_bytes(header(2, 1, 62) + bytes(100))
    library.write_bytes(header(bits, order, machine) + bytes(100))
    monkeypatch.setattr(sys, "executable", str(python))
    error = refusal(library)
    assert error.code == "library-architecture"
    assert error.summary == f"{library} is for another processor: {told}; this Python is x86-64, 64 bit"


@pytest.mark.parametrize("data", [b"", b"\x7fELF", b"#!/bin/sh\n" * 10])
def test_no_library_at_all(tmp_path, data):
    path = tmp_path / "lib.so"
    path.write_bytes(data)
    assert refusal(path).code == "library-broken"
    assert "is not a shared library (ELF)" in refusal(path).summary


def test_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.so")
    for path in (tmp_path, tmp_path / "pipe.so"):
        assert refusal(path).code == "library-broken"
        assert "is not a file" in refusal(path).summary
    for name in ("a\0b", "/a\0b"):
        assert refusal(name).code == "library-broken"


def test_on_systems_without_elf_files_the_loader_has_the_word(tmp_path, monkeypatch):
    path = tmp_path / "lib.so"
    path.write_bytes(b"of another kind")
    monkeypatch.setattr(sys, "executable", str(path))
    elf.check(path)
    assert refusal(path).code == "library-broken"


def test_a_library_that_lacks_another(tmp_path):
    text = "extern int elsewhere; int *give(void); int *give(void) { return &elsewhere; }\n"
    error = refusal(compile_c(tmp_path / "libneedy.so", text))
    assert error.code == "library-broken"
    assert "elsewhere" in error.summary
    assert "LD_LIBRARY_PATH" in error.hint


def test_a_library_that_the_loader_refuses(tmp_path):
    data = bytearray(compile_c(tmp_path / "libodd.so", "int one;\n").read_bytes())
    data[16] = 1  # e_type: not a shared object
    (tmp_path / "odd.so").write_bytes(data)
    assert "odd.so cannot be loaded: " in refusal(tmp_path / "odd.so").summary


def test_a_library_that_is_cut_short(tmp_path):
    """The loader would map what is not there, and the first touch of it would end the process."""
    text = "char data[1 << 20] = {1}; char *give(void); char *give(void) { return data; }\n"
    whole = compile_c(tmp_path / "libbig.so", text).read_bytes()
    library = tmp_path / "libcut.so"
    for size in (40, 64, 100, 4096, 1 << 19):
        library.write_bytes(whole[:size])
        error = refusal(library)
        assert (error.code, error.summary) == ("library-broken", f"{library} is cut short")
    library.write_bytes(whole)
    elf.check(library)
    assert loading.load(str(library), "The API", "").give


@given(at=st.integers(0, 63), value=st.integers(0, 255))
def test_hostile_headers(at, value):
    """Any header is read within the file, and every defect is reported in the same way."""
    data = bytearray(PYTHON.read_bytes()[:4096])
    data[at] = value
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "lib.so")
        path.write_bytes(data)
        with suppress(BackendError):
            elf.check(path)


def test_machine_of_other_files(tmp_path):
    text = tmp_path / "text"
    text.write_text("no ELF file, and long enough to be one")
    assert elf.machine(text) == ""
    assert elf.machine(tmp_path / "absent") == ""
