"""Needs are looked for, and nothing is imported or loaded."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from mlperf_mobile import needs
from mlperf_mobile.plugin import Need


def need(**what):
    return Need(what="something", fix="get it", **what)


def test_a_module_is_found_without_importing_it(tmp_path, monkeypatch):
    (tmp_path / "needs_case_one.py").write_text("raise RuntimeError('imported')")
    (tmp_path / "needs_case_two").mkdir()
    (tmp_path / "needs_case_two" / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("needs_case_one", "needs_case_two"):
        assert needs.is_met(need(modules=(name,)))
        assert name not in sys.modules


def test_a_module_of_the_standard_library_is_found_without_importing_it():
    assert "this" not in sys.modules
    assert needs.is_met(need(modules=("this",)))
    assert "this" not in sys.modules


def test_a_module_in_memory_counts(monkeypatch):
    monkeypatch.setitem(sys.modules, "needs_case_in_memory", sys)
    assert needs.is_met(need(modules=("needs_case_in_memory",)))


def test_what_is_not_there_is_not_met():
    assert not needs.is_met(need(modules=("needs_case_absent",)))
    assert not needs.is_met(need(programs=("needs-case-absent",)))
    assert not needs.is_met(need(libraries=("libneedscaseabsent.so", "/absent/libneedscaseabsent.so")))
    assert not needs.is_met(need(platforms=("plan9", f"{sys.platform}-pdp11")))
    assert not needs.is_met(need())


def test_programs_are_looked_up_on_the_path(tmp_path, monkeypatch):
    program = tmp_path / "needs-case-program"
    program.write_text("#!/bin/sh\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not needs.is_met(need(programs=("needs-case-program",)))
    program.chmod(0o755)
    assert needs.is_met(need(programs=("needs-case-program",)))


def test_platforms():
    here = f"{sys.platform}-{platform.machine()}"
    assert needs.is_met(need(platforms=("plan9", sys.platform)))
    assert needs.is_met(need(platforms=(here,)))


class TestLibraries:
    @pytest.fixture(autouse=True)
    def nowhere(self, monkeypatch):
        """Only what a test sets is searched."""
        monkeypatch.setattr(needs, "_LIBRARY_FOLDERS", ())
        monkeypatch.setattr(needs, "_machine", lambda: "pdp11")
        monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)

    def test_on_the_library_path(self, tmp_path, monkeypatch):
        wanted = need(libraries=("libneedscase.so.7",))
        (tmp_path / "libneedscase.so.7").touch()
        assert not needs.is_met(wanted)
        monkeypatch.setenv("LD_LIBRARY_PATH", f"/absent::{tmp_path}")
        assert needs.is_met(wanted)

    def test_a_folder_is_no_library(self, tmp_path, monkeypatch):
        (tmp_path / "libneedscase.so.7").mkdir()
        monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
        assert not needs.is_met(need(libraries=("libneedscase.so.7",)))

    def test_by_its_path(self, tmp_path):
        (tmp_path / "libneedscase.so").touch()
        assert needs.is_met(need(libraries=(str(tmp_path / "libneedscase.so"),)))

    def test_in_the_standard_folders(self, tmp_path, monkeypatch):
        (tmp_path / "libneedscase.so").touch()
        monkeypatch.setattr(needs, "_LIBRARY_FOLDERS", (str(tmp_path),))
        assert needs.is_met(need(libraries=("libneedscase.so",)))

    @pytest.mark.skipif(not Path("/etc/ld.so.cache").is_file(), reason="no loader cache here")
    def test_in_the_loader_cache(self):
        """``ldconfig -p`` prints what is in the cache."""
        done = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True)
        names = {line.split()[0] for line in done.stdout.splitlines()[1:] if line.startswith("\t")}
        assert "libc.so.6" in names
        for name in names:
            assert needs.is_met(need(libraries=(name,)))
        assert not needs.is_met(need(libraries=("libc.so",)))
        assert not needs.is_met(need(libraries=("ibc.so.6",)))


def test_any_one_of_the_things_is_enough():
    assert needs.is_met(need(modules=("needs_case_absent",), programs=("sh",), libraries=("libneedscaseabsent.so",)))


def test_the_first_need_that_is_missing_is_named():
    met, one, two = need(platforms=(sys.platform,)), need(modules=("absent_one",)), need(modules=("absent_two",))
    assert needs.missing([met, one, two]) is one
    assert needs.missing([met]) is None
    assert needs.missing([]) is None


def test_an_option_may_stand_for_what_is_not_found():
    absent = need(libraries=("libneeds_case.so",), options=("library",))
    assert needs.missing([absent]) is absent
    assert needs.missing([absent], ["threads"]) is absent
    assert needs.missing([absent], ["threads", "library"]) is None
