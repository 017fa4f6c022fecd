"""Inputs and outputs are shared with the driver where the system can, and ordinary memory where it cannot."""

from __future__ import annotations

import ctypes
import errno
import os
import sys

import numpy as np

from mlperf_mobile.testing.c_library import compile_c

X = np.array([[1, 2, 3, 4]], np.float32)


def is_shared(session) -> bool:
    """Whether it is, after a run that gives the right numbers."""
    np.testing.assert_array_equal(session.run((X,))[0], 2 * X)
    return session.report()["shared_memory"]


def test_it_is_shared(backend, load, double, tmp_path):
    trace = tmp_path / "trace"
    with load(backend(TRACE=trace), double) as session:
        assert is_shared(session)
        assert session.run((X,))[0] is session.run((X,))[0]  # a view of the driver's memory, made once
    calls = trace.read_text()
    assert "setInputFromMemory" in calls
    assert "setOutputFromMemory" in calls


def test_a_driver_that_takes_none(backend, load, double):
    with load(backend(FAIL="ANeuralNetworksMemory_createFromFd=UNMAPPABLE"), double) as session:
        assert not is_shared(session)


def test_a_python_without_memfd(backend, load, double, monkeypatch):
    monkeypatch.delattr(os, "memfd_create")
    with load(backend(), double) as session:
        assert not is_shared(session)


def test_a_system_without_memory_to_share(backend, load, double, monkeypatch):
    def refuse(name: str) -> int:
        raise OSError(errno.ENOSYS, name)

    monkeypatch.setattr(os, "memfd_create", refuse)
    with load(backend(), double) as session:
        assert not is_shared(session)


def test_android(backend, load, double, tmp_path, monkeypatch, stand_in):
    """Its own shared memory is used there, because drivers may not map any other kind."""
    monkeypatch.setattr(sys, "getandroidapilevel", lambda: 30, raising=False)
    with load(backend(), double) as session:
        assert not is_shared(session)  # there is no libandroid.so
    text = (
        "#define _GNU_SOURCE\n#include <sys/mman.h>\n#include <unistd.h>\nint calls;\n"
        "int ASharedMemory_create(const char *name, size_t size)\n"
        "{ int fd = memfd_create(name, 0); ++calls; return ftruncate(fd, size) ? -1 : fd; }\n"
    )
    library = compile_c(tmp_path / "libandroid.so", text, "-Wl,-soname,libandroid.so")
    loaded = ctypes.CDLL(str(library))  # from now on the loader knows the name
    with load(backend(), double) as session:
        assert is_shared(session)
    assert ctypes.c_int.in_dll(loaded, "calls").value == 2
