from __future__ import annotations

import re
from pathlib import Path

import pytest

from mlperf_mobile_backend_snpe import socs
from mlperf_mobile_backend_snpe.qnn.runtime import Runtime


def test_names_and_kernel_numbers_are_unique() -> None:
    assert all(name == soc.name for name, soc in socs.SOCS.items())
    ids = [number for soc in socs.SOCS.values() for number in soc.kernel_ids]
    assert len(set(ids)) == len(ids)
    assert socs.SIMULATED in socs.SOCS


@pytest.mark.parametrize(
    ("told", "name"),
    [("618\n", "SM8750"), ("557", "SM8650"), ("660\n", "SM8850"), ("9999\n", None), ("", None), ("x" * 10_000, None)],
)
def test_the_device_names_its_soc(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, told: str, name: str | None) -> None:
    (tmp_path / "soc_id").write_text(told)
    monkeypatch.setattr(socs, "SYSFS", (tmp_path / "absent", tmp_path / "soc_id"))
    found = socs.detect()
    assert (found.name if found else None) == name


def test_a_device_without_a_soc_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(socs, "SYSFS", (tmp_path / "absent",))
    assert socs.kernel_id() is None
    assert socs.detect() is None


@pytest.mark.slow
@pytest.mark.parametrize("soc", socs.SOCS.values(), ids=socs.SOCS)
def test_qnn_agrees_with_the_table(soc: socs.Soc, compiler: None, models: Path, compile_model: object) -> None:
    """The context binary's own words about the SoC that it was compiled for."""
    _, artifact = compile_model(models / "add.tflite", soc_model=soc.name)  # type: ignore[operator]
    binary = artifact.path.with_name("model.bin").read_bytes()
    target = re.search(rb"soc_type=(\w+);arch=(\d+)", binary)
    vtcm = re.search(rb"vtcm_size=(\d+)", binary)
    assert target is not None
    assert vtcm is not None
    assert socs.find(target[1].decode()).number == soc.number
    assert int(vtcm[1]) == soc.vtcm_mb << 20
    if soc.name not in {"SM7450", "SM8475"}:  # v69 by Qualcomm's lists; the compiler makes v68 code for them
        assert int(target[2]) == soc.htp_arch


def test_the_runtime_is_there(simulator: Runtime) -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+\.\d+", simulator.versions["qnn"])
