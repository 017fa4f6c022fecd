"""What is wrong with a library is told; what is right with it is probed."""

from __future__ import annotations

import platform
from collections.abc import Callable
from pathlib import Path

import pytest

from mlperf_mobile.contracts import Artifact
from mlperf_mobile.errors import BackendError
from mlperf_mobile_backend_snpe.native import abi, sdk
from mlperf_mobile_backend_snpe.native.backend import ON_A_HOST, NativeExecutor
from mlperf_mobile_backend_snpe.native.library import Library
from mlperf_mobile_backend_snpe.native.options import NativeOptions

Build = Callable[..., Path]


def code(path: str | Path) -> str:
    with pytest.raises(BackendError) as caught:
        Library(str(path))
    assert caught.value.hint
    return caught.value.code


def test_missing() -> None:
    assert code("libSNPE-that-is-not-there.so") == "library-missing"


def test_of_another_architecture(built: Path, tmp_path: Path) -> None:
    other = tmp_path / "libSNPE.so"
    data = bytearray(built.read_bytes())
    data[18] = 183 if platform.machine() != "aarch64" else 62
    other.write_bytes(data)
    assert code(other) == "library-architecture"


def test_broken(tmp_path: Path) -> None:
    broken = tmp_path / "libSNPE.so"
    broken.write_bytes(b"no library")
    assert code(broken) == "library-broken"


@pytest.mark.parametrize("symbol", ["SNPE_ExecuteUserBuffers", "Util_GetLibraryVersion"])
def test_without_a_function(build: Build, symbol: str) -> None:
    library = build(f"-DSnpe_{symbol}=Snpe_Renamed")
    with pytest.raises(BackendError, match=f"lacks Snpe_{symbol};") as caught:
        Library(str(library))
    assert caught.value.code == "library-too-old"


def test_of_snpe_1(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNPE_STAND_IN_VERSION", "1.68.0")
    assert code(library) == "library-too-old"


def test_an_option_without_its_function(build: Build, dlc: Callable[..., Path]) -> None:
    """Only what needs the function fails."""
    library = str(build("-DSnpe_SNPEBuilder_SetInitCacheMode=Snpe_Renamed"))
    artifact = Artifact(dlc(), "cpu")
    with NativeExecutor(NativeOptions(library=library)).load(artifact):
        pass
    with pytest.raises(BackendError, match="has no function Snpe_SNPEBuilder_SetInitCacheMode") as caught:
        NativeExecutor(NativeOptions(library=library, init_cache=True)).load(artifact)
    assert caught.value.code == "library-symbol"


def test_the_stand_in_has_every_function(library: str) -> None:
    """A function that no test calls would be untested."""
    opened = Library(library)
    assert [name for name in (*abi.REQUIRED, *abi.OPTIONAL) if not opened.has(name)] == []


def test_probe_names_the_stand_in(library: str) -> None:
    probe = NativeExecutor(NativeOptions(library=library)).probe()
    assert probe.usable
    assert probe.accelerators == ("htp", "gpu", "cpu")
    assert probe.versions == {"snpe": "2.45.0.stand-in"}
    assert probe.runtime == "SNPE 2.45.0.stand-in"
    assert set(probe.functional_only) == set(probe.accelerators)
    assert all("stand-in" in reason for reason in probe.functional_only.values())
    assert [(device.accelerator, device.name) for device in probe.devices] == [
        ("htp", "dsp"),
        ("gpu", "gpu"),
        ("gpu", "gpu_float16"),
        ("cpu", "cpu"),
    ]


@pytest.mark.parametrize(("machine", "doubted"), [("x86_64", True), ("aarch64", False)])
def test_a_host_is_no_device(build: Build, monkeypatch: pytest.MonkeyPatch, machine: str, doubted: bool) -> None:
    """A library that is not a stand-in counts on a device alone."""
    monkeypatch.setattr(platform, "machine", lambda: machine)
    probe = NativeExecutor(NativeOptions(library=str(build("-Dsnpe_stand_in=hidden")))).probe()
    assert probe.functional_only == (dict.fromkeys(probe.accelerators, ON_A_HOST) if doubted else {})


def test_probe_lists_what_is_present(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNPE_STAND_IN_RUNTIMES", "3")
    assert NativeExecutor(NativeOptions(library=library)).probe().accelerators == ("gpu",)
    monkeypatch.setenv("SNPE_STAND_IN_RUNTIMES", "")
    probe = NativeExecutor(NativeOptions(library=library)).probe()
    assert not probe.usable
    assert probe.reason
    assert probe.fix


def test_probe_never_raises(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for symbol in ("Snpe_Util_GetLibraryVersion", "Snpe_Util_IsRuntimeAvailableCheckOption"):
        monkeypatch.setenv("SNPE_STAND_IN_FAIL", f"{symbol}=1210")
        probe = NativeExecutor(NativeOptions(library=library)).probe()
        assert not probe.usable
        assert probe.reason
        assert probe.fix


def test_without_anything(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    probe = NativeExecutor(NativeOptions()).probe()
    assert not probe.usable
    assert "libSNPE.so" in probe.reason
    assert "QAIRT_SDK_ROOT" in probe.fix


def test_an_sdk_is_found_by_its_variable(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The build for this processor, and on Android that for Android."""
    machine = platform.machine()
    for system in ("linux-gcc", "android"):
        folder = tmp_path / "lib" / f"{machine}-{system}"
        folder.mkdir(parents=True)
        (folder / "libSNPE.so").write_bytes(built.read_bytes())
    (tmp_path / "lib" / "other-linux").mkdir()
    (tmp_path / "lib" / "other-linux" / "libSNPE.so").write_bytes(b"")
    monkeypatch.setenv("QAIRT_SDK_ROOT", str(tmp_path))
    monkeypatch.delenv("ANDROID_ROOT", raising=False)
    assert sdk.library() == str(tmp_path / "lib" / f"{machine}-linux-gcc" / "libSNPE.so")
    assert NativeExecutor(NativeOptions()).probe().versions == {"snpe": "2.45.0.stand-in"}
    monkeypatch.setenv("ANDROID_ROOT", "/system")
    assert sdk.library() == str(tmp_path / "lib" / f"{machine}-android" / "libSNPE.so")
