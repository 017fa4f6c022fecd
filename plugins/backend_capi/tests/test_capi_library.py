from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable
from pathlib import Path

import pytest

from mlperf_mobile.contracts import Artifact, CompileRequest
from mlperf_mobile.errors import BackendError, UsageError
from mlperf_mobile_backend_capi import device, library
from mlperf_mobile_backend_capi.backend import CBackend
from mlperf_mobile_backend_capi.options import COptions

PHONE = {"device_model": "a phone", "device_manufacturer": "us"}


def probe(library: Path, **options: object):
    return CBackend(COptions.model_validate({"library": library, **PHONE, **options})).probe()


# ------------------------------------------------------------------------------- the four cases of matches_hardware


def test_case_1_the_device_is_known(library: Path) -> None:
    found = probe(library)
    assert found.usable
    assert found.accelerators == ("npu", "gpu")
    assert found.runtime == library.name
    assert found.versions == {library.name: "sha256 " + hashlib.sha256(library.read_bytes()).hexdigest()[:16]}
    assert not found.functional_only


def test_case_2_the_device_is_known_and_not_supported(library: Path) -> None:
    found = probe(library, device_model="case 2", device_manufacturer="Your phone")
    assert not found.usable
    assert (
        found.reason
        == f"{library.name} recognises this device but does not support it: Your phone is too old, update it"
    )
    assert found.fix


def test_case_3_the_device_is_not_the_librarys(library: Path) -> None:
    found = probe(library, device_model="case 3")
    assert (found.usable, found.reason) == (False, f"{library.name} is not for this device (us case 3)")


def test_case_4_it_is_not_and_the_library_says_why(library: Path) -> None:
    found = probe(library, device_model="case 4", native_lib_path="/vendor/lib64")
    expected = f"{library.name} is not for this device (us case 4): libraries are in /vendor/lib64"
    assert (found.usable, found.reason) == (False, expected)


@pytest.mark.parametrize("model", ["case 2", "case 3", "case 4"])
def test_nothing_is_loaded_on_a_device_that_is_not_supported(library: Path, model: str, tmp_path: Path) -> None:
    backend = CBackend(COptions.model_validate({"library": library, "device_model": model}))
    with pytest.raises(BackendError, check=lambda error: error.code == "capi-device"):
        backend.compile(CompileRequest(tmp_path / "m.bin", "npu"))
    (tmp_path / "m.bin").touch()
    with pytest.raises(BackendError, check=lambda error: error.code == "capi-device"):
        backend.load(Artifact(tmp_path / "m.bin", "npu"))


def test_the_folder_of_the_library_is_that_of_its_others(library: Path) -> None:
    assert probe(library, device_model="case 4").reason.endswith(str(library.parent.resolve()))


def test_a_message_that_is_no_text(library: Path) -> None:
    assert probe(library, device_model="broken message").reason.endswith("does not support it: no �")


# ------------------------------------------------------------------------------------------------------- settings


def test_no_settings_leave_all_accelerators(library: Path) -> None:
    assert probe(library, device_model="no settings").accelerators == ("npu", "gpu", "cpu")


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("broken text", "cannot be read: line 1: expected '}', not the end"),
        ("broken letters", "are not UTF-8"),
        ("endless", "do not end within 1048576 bytes"),
    ],
)
def test_settings_of_the_library_that_cannot_be_read(library: Path, model: str, says: str) -> None:
    found = probe(library, device_model=model)
    assert not found.usable
    assert found.reason.startswith("the settings of")
    assert says in found.reason
    assert "option settings" in found.fix


def test_a_file_replaces_the_librarys_settings(library: Path, tmp_path: Path) -> None:
    (tmp_path / "own.pbtxt").write_text(
        'benchmark_setting { benchmark_id: "b" framework: "f" delegate_choice '
        '{ delegate_name: "d" accelerator_name: "cpu" accelerator_desc: "CPU" } }'
    )
    assert probe(library, settings=tmp_path / "own.pbtxt").accelerators == ("cpu",)
    assert probe(library, settings=tmp_path / "own.pbtxt", benchmark="b").accelerators == ("cpu",)
    assert "no benchmark 'c'" in probe(library, settings=tmp_path / "own.pbtxt", benchmark="c").reason


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "No such file"), (b"\xff", "not UTF-8"), (b" " * (1 << 20) + b" ", "more than 1048576"), (b"{", "line 1")],
)
def test_a_file_of_settings_that_cannot_be_read(
    library: Path, tmp_path: Path, content: bytes | None, says: str
) -> None:
    if content is not None:
        (tmp_path / "own.pbtxt").write_bytes(content)
    backend = CBackend(COptions.model_validate({"library": library, **PHONE, "settings": tmp_path / "own.pbtxt"}))
    with pytest.raises((UsageError, BackendError), match=says, check=lambda error: error.code == "capi-settings"):
        backend.compile(CompileRequest(tmp_path / "m.bin", "npu"))


def test_compiling_gives_the_model_and_the_librarys_settings(library: Path, tmp_path: Path) -> None:
    backend = CBackend(COptions.model_validate({"library": library, **PHONE, "benchmark": "image_classification_v2"}))
    artifact = backend.compile(CompileRequest(tmp_path / "m.bin", "npu", batch=4))
    assert (artifact.path, artifact.accelerator, artifact.batch) == (tmp_path / "m.bin", "npu", 4)
    assert artifact.facts == {
        "library": library.name,
        "framework": "Test",
        "delegate": "TEST_DSP",
        "accelerator": "test_dsp",
        "accelerator_description": "HTP",
        "settings": [["of", "delegate"], ["num_threads", "4"], ["of", "benchmark"]],
        "settings_batch": 2,
    }


def test_an_accelerator_that_the_benchmark_has_not(library: Path, tmp_path: Path) -> None:
    backend = CBackend(COptions.model_validate({"library": library, **PHONE, "benchmark": "image_classification_v2"}))
    for accelerator, says in (("cpu", "has no delegate for cpu"), ("vpu", "has no accelerator 'vpu'")):
        with pytest.raises(BackendError, match=says, check=lambda error: error.code == "no-accelerator"):
            backend.compile(CompileRequest(tmp_path / "m.bin", accelerator))


# -------------------------------------------------------------------------------------------- files and functions


def test_without_a_library() -> None:
    found = CBackend(COptions()).probe()
    assert (found.usable, found.reason) == (False, "the option library is not set")
    assert "library=" in found.fix


def test_a_library_that_is_not_there(tmp_path: Path) -> None:
    assert f"library {tmp_path}/absent.so not found" in probe(tmp_path / "absent.so").reason
    assert "is not a file" in probe(tmp_path).reason
    with pytest.raises(BackendError, check=lambda error: error.code == "capi-library"):
        library.Library(tmp_path / "absent.so")


def test_a_file_that_is_not_a_library(tmp_path: Path) -> None:
    for content in (b"", b"\x7fELF", b"#!/bin/sh\n" * 10):
        (tmp_path / "no.so").write_bytes(content)
        assert "is not a shared library (ELF)" in probe(tmp_path / "no.so").reason


def test_a_library_for_another_processor(library: Path, tmp_path: Path) -> None:
    data = bytearray(library.read_bytes())
    data[18] = 183 if platform.machine() != "aarch64" else 62
    (tmp_path / "phone.so").write_bytes(data)
    with pytest.raises(BackendError, match="for another processor") as error:
        CBackend(COptions.model_validate({"library": tmp_path / "phone.so"})).compile(
            CompileRequest(tmp_path / "m.bin", "npu")
        )
    assert error.value.code == "capi-architecture"


@pytest.mark.parametrize("share", [0.02, 0.1, 0.5])
def test_half_a_library(library: Path, tmp_path: Path, share: float) -> None:
    """The dynamic loader would end the process with a bus error."""
    data = library.read_bytes()
    (tmp_path / "half.so").write_bytes(data[: int(len(data) * share)])
    found = probe(tmp_path / "half.so")
    assert found.reason.endswith("half.so is cut short")


def test_a_library_that_the_loader_refuses(library: Path, tmp_path: Path) -> None:
    data = library.read_bytes()
    (tmp_path / "odd.so").write_bytes(data[:16] + b"\x01" + data[17:])  # e_type: not a shared object
    found = probe(tmp_path / "odd.so")
    assert "odd.so cannot be loaded: " in found.reason
    assert "LD_LIBRARY_PATH" in found.fix


def test_a_function_is_missing(build: Callable[..., Path]) -> None:
    found = probe(build("WITHOUT_CREATE"))
    assert found.reason.endswith("has no function mlperf_backend_create")


def test_one_of_two_allocator_functions_is_missing(build: Callable[..., Path]) -> None:
    with_both = library.Library(build("WITH_BUFFERS"))
    assert with_both.has_buffers
    del with_both.functions["release_buffer"]
    assert not with_both.has_buffers
    assert not library.Library(build()).has_buffers


# ------------------------------------------------------------------------------------------------------ the device


def test_the_device_as_android_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "getprop"
    program.write_text('#!/bin/sh\n[ "$1" = ro.product.model ] && echo "SM-S928B" || echo samsung\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert (device.model(), device.manufacturer()) == ("SM-S928B", "samsung")


def test_the_device_as_a_board_or_a_pc_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(device, "ROOT", tmp_path)
    assert (device.model(), device.manufacturer()) == ("", "")
    (tmp_path / "sys/class/dmi/id").mkdir(parents=True)
    (tmp_path / "sys/class/dmi/id/product_name").write_bytes(b"A \xff PC\n")
    (tmp_path / "sys/class/dmi/id/sys_vendor").write_text("Maker\n")
    assert (device.model(), device.manufacturer()) == ("A � PC", "Maker")
    (tmp_path / "proc/device-tree").mkdir(parents=True)
    (tmp_path / "proc/device-tree/model").write_bytes(b"Board 5\0")
    (tmp_path / "proc/device-tree/compatible").write_bytes(b"acme,board-5\0acme,soc\0")
    assert (device.model(), device.manufacturer()) == ("Board 5", "acme")


def test_a_getprop_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "getprop").write_text("#!/bin/sh\necho wrong; exit 1\n")
    (tmp_path / "getprop").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(device, "ROOT", tmp_path)
    assert device.model() == ""
