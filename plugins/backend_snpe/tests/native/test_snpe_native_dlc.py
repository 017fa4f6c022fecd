"""Checks of .dlc files say what is wrong, and never raise anything else."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlperf_mobile.errors import ModelError
from mlperf_mobile_backend_snpe.native import dlc as files

Dlc = Callable[..., Path]


def code(path: Path) -> str:
    with pytest.raises(ModelError) as caught:
        files.check(path, content=True)
    return caught.value.code


def test_a_model_says_what_it_is(dlc: Dlc) -> None:
    found = files.check(dlc(), content=True)
    assert found == files.Dlc(("model", "dlc.metadata"), 4, "2.45.0")
    assert found.facts() == {"records": 2, "format_version": 4, "converter": "2.45.0"}


def test_a_network_of_another_format_is_left_to_snpe(tmp_path: Path) -> None:
    path = tmp_path / "old.dlc"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model", b"\x18\0\0\0NETD")
    assert files.check(path).version is None


def test_a_file_that_is_not_a_model_is_reported(tmp_path: Path, dlc: Dlc) -> None:
    assert code(tmp_path / "absent.dlc") == "model-missing"
    assert code(tmp_path) == "model-missing"
    assert code(Path("a\0b")) == "model-missing"
    rubbish = tmp_path / "rubbish.dlc"
    rubbish.write_bytes(b"not a model")
    assert code(rubbish) == "model-not-dlc"
    rubbish.write_bytes(b"")
    assert code(rubbish) == "model-damaged"
    with zipfile.ZipFile(rubbish, "w") as archive:
        archive.writestr("weights", b"")
    assert code(rubbish) == "model-not-dlc"
    rubbish.write_bytes(dlc().read_bytes()[:-30])
    assert code(rubbish) == "model-damaged"


def test_content_that_changed_is_reported(dlc: Dlc) -> None:
    path = dlc()
    data = bytearray(path.read_bytes())
    data[data.index(b"float32")] ^= 1
    path.write_bytes(data)
    assert code(path) == "model-damaged"


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_records_of_one_name_are_refused(dlc: Dlc) -> None:
    path = dlc()
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("model", b"another")
    assert code(path) == "model-damaged"


def test_other_ways_of_packing_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "packed.dlc"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("model", b"0" * 100)
    assert code(path) == "model-damaged"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model", b"0" * 100)
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\1\2") + 8] |= 1  # general purpose flags of the central directory: encrypted
    path.write_bytes(data)
    assert code(path) == "model-damaged"


def test_metadata_without_bounds_is_read_within_bounds(tmp_path: Path) -> None:
    path = tmp_path / "long.dlc"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model", b"")
        archive.writestr("dlc.metadata", b"a=" + b"0" * 50_000_000 + b"\nconverter-version=9")
    assert files.check(path).converter == ""


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damage_is_reported_or_harmless(dlc: Dlc, data: st.DataObject) -> None:
    """Bytes changed and cut away anywhere."""
    path = dlc(name="fuzzed.dlc")
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        found = files.check(path, content=True)
    except ModelError as error:
        assert error.code in {"model-damaged", "model-not-dlc"}
    else:
        assert "model" in found.records
