from __future__ import annotations

import ctypes
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mlperf_mobile.errors import BackendError
from mlperf_mobile_backend_snpe import socs
from mlperf_mobile_backend_snpe.options import SnpeOptions
from mlperf_mobile_backend_snpe.qnn import litert, stand_in
from mlperf_mobile_backend_snpe.qnn.runtime import Runtime


@pytest.mark.skipif(sys.platform != "linux" or platform.machine() != "x86_64", reason="it is for x86-64 Linux")
def test_the_loader_takes_it_and_finds_nothing_in_it(tmp_path: Path) -> None:
    library = ctypes.CDLL(str(stand_in.write(tmp_path)))
    with pytest.raises(AttributeError):
        library.QnnInterface_getProviders  # noqa: B018


@pytest.mark.skipif(shutil.which("readelf") is None, reason="there is no readelf")
def test_readelf_sees_an_empty_library_of_that_name(tmp_path: Path) -> None:
    path = stand_in.write(tmp_path)
    done = subprocess.run(["readelf", "-Wd", str(path)], capture_output=True, text=True, check=True)
    assert "Library soname: [libQnnLpai.so]" in done.stdout
    assert done.stderr == ""


def test_it_is_never_written_over_a_library(tmp_path: Path) -> None:
    (tmp_path / stand_in.NAME).write_bytes(b"the real one")
    with pytest.raises(FileExistsError):
        stand_in.write(tmp_path)
    assert (tmp_path / stand_in.NAME).read_bytes() == b"the real one"


def fake_sdk(folder: Path, *names: str) -> Runtime:
    folder.mkdir()
    for name in names:
        (folder / name).write_bytes(b"real")
    return Runtime(None, "provider", folder, {})


def test_it_lives_in_a_private_folder_and_goes(tmp_path: Path) -> None:
    runtime = fake_sdk(tmp_path / "sdk", "libQnnHtp.so")
    with litert.libraries(runtime) as (folder, told):
        assert sorted(path.name for path in folder.iterdir()) == ["libQnnHtp.so", stand_in.NAME]
        assert folder != runtime.folder
        assert (folder.stat().st_mode & 0o077) == 0
        assert "stand-in" in told[stand_in.NAME]
    assert not folder.exists()
    assert [path.name for path in runtime.folder.iterdir()] == ["libQnnHtp.so"]


def test_the_real_library_is_used_where_there_is_one(tmp_path: Path) -> None:
    runtime = fake_sdk(tmp_path / "sdk", "libQnnHtp.so", stand_in.NAME)
    with litert.libraries(runtime) as (folder, told):
        assert (folder / stand_in.NAME).read_bytes() == b"real"
        assert told == {}


def crashing(tmp_path: Path, script: str) -> litert.Compiler:
    program = tmp_path / "apply_plugin_main"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return litert.Compiler(program, tmp_path, "0")


@pytest.mark.parametrize(
    ("script", "code", "text"),
    [
        ("kill -SEGV $$", "compiler-crashed", "died of SIGSEGV"),
        ("echo 'ERROR: [x.cc:1] Unexpected SoC model: Q' >&2; exit 1", "compiler-failed", "Unexpected SoC model: Q"),
        ("exit 0", "compiler-failed", "it says nothing"),
        ("head -c 3000000 /dev/zero; exit 3", "compiler-failed", "cannot compile"),
    ],
)
def test_a_compiler_that_fails_is_reported_with_its_text(tmp_path: Path, script: str, code: str, text: str) -> None:
    runtime = fake_sdk(tmp_path / "sdk", "libQnnHtp.so")
    with pytest.raises(BackendError) as raised:
        litert.compile_model(
            crashing(tmp_path, script), runtime, SnpeOptions(), socs.find("SM8650"), Path("m.tflite"), tmp_path / "o"
        )
    assert raised.value.code == code
    assert text in raised.value.summary
    assert len(raised.value.summary) < 1000


def test_a_compiler_that_accepts_nothing_is_reported(tmp_path: Path) -> None:
    script = "echo 'INFO: Partitioned subgraph<0>, selected 0 ops, from a total of 1 ops.'; exit 1"
    with pytest.raises(litert.NothingTaken):
        litert.compile_model(
            crashing(tmp_path, script),
            fake_sdk(tmp_path / "sdk"),
            SnpeOptions(),
            socs.find("SM8650"),
            Path("m"),
            Path("o"),
        )
