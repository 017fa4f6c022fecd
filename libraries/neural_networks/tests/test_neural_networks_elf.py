"""A library that cannot be opened is told apart by what is wrong with it."""

from __future__ import annotations

import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlperf_mobile.errors import BackendError
from mlperf_mobile_neural_networks import elf

PYTHON = Path(sys.executable).resolve()


def foreign(folder: Path, machine: int, kind: int = 2) -> Path:
    """A library that is whole but for another processor: this Python's with another header."""
    data = bytearray(PYTHON.read_bytes()[:4096])
    data[4] = kind
    struct.pack_into("<H", data, 16, 3)  # ET_DYN
    struct.pack_into("<H", data, 18, machine)
    path = folder / "libforeign.so"
    path.write_bytes(data)
    return path


def refusal(library: str | Path) -> BackendError:
    with pytest.raises(BackendError) as caught:
        elf.load(str(library), "The API", "get it")
    return caught.value


def test_missing():
    for library in ("libno-such-thing.so", "/no/such/folder/lib.so"):
        error = refusal(library)
        assert (error.code, error.hint) == ("library-missing", "get it")
        assert library in error.summary


def test_another_processor(tmp_path):
    ours = elf.machine(PYTHON)
    assert ours.split(",")[0] in elf.MACHINES.values()
    for machine, kind, told in ((183, 2, "aarch64, 64 bit"), (40, 1, "arm, 32 bit"), (4711, 2, "machine 4711, 64 bit")):
        error = refusal(foreign(tmp_path, machine, kind))
        assert error.code == "library-architecture"
        assert told in error.summary
        assert ours in error.summary


def test_no_library_at_all(tmp_path):
    for data in (b"", b"\x7fELF", b"not a library" * 100):
        path = tmp_path / "lib.so"
        path.write_bytes(data)
        assert refusal(path).code == "library-broken"
    assert refusal(tmp_path).code == "library-broken"  # a folder
    assert refusal("a\0b").code == "library-broken"


@pytest.mark.skipif(not shutil.which("cc"), reason="there is no C compiler")
def test_a_library_that_lacks_another(tmp_path):
    source, library = tmp_path / "needy.c", tmp_path / "libneedy.so"
    source.write_text("extern int elsewhere; int *give(void) { return &elsewhere; }\n")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    error = refusal(library)
    assert error.code == "library-broken"
    assert "elsewhere" in error.summary


@pytest.mark.skipif(not shutil.which("cc"), reason="there is no C compiler")
def test_a_library_that_is_cut_short(tmp_path):
    """The loader would map what is not there, and the first touch of it would end the process."""
    source, library = tmp_path / "big.c", tmp_path / "libbig.so"
    source.write_text("char data[1 << 20] = {1}; char *give(void) { return data; }\n")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    whole = library.read_bytes()
    assert not elf.is_cut_short(library)
    for size in (40, 64, 100, 4096, 1 << 19):
        library.write_bytes(whole[:size])
        error = refusal(library)
        assert (error.code, error.summary) == ("library-broken", f"{library} is cut short")


@given(at=st.integers(0, 63), value=st.integers(0, 255))
def test_hostile_headers(at, value):
    """Whatever the header says, it is read within the file."""
    data = bytearray(PYTHON.read_bytes()[:4096])
    data[at] = value
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "lib.so")
        path.write_bytes(data)
        assert elf.is_cut_short(path) in (True, False)


def test_machine_of_other_files(tmp_path):
    text = tmp_path / "text"
    text.write_text("no ELF file, and long enough to be one")
    assert elf.machine(text) == ""
    assert elf.machine(tmp_path / "absent") == ""
