from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlperf_mobile.errors import BackendError, ModelError
from mlperf_mobile_backend_snpe import socs
from mlperf_mobile_backend_snpe.qnn import identity
from mlperf_mobile_backend_snpe.qnn.identity import Identity

HERE = "2.51.0.260929181845"
FILE = Path("context.bin")


def test_a_binary_names_build_and_soc() -> None:
    data = b"\0\1v2.51.0.260929181845\0OpO=3;soc_type=SM8650;arch=75;num_nsps=1;\xff"
    assert identity.read(data) == Identity(HERE, "SM8650")


@given(st.binary(max_size=300))
def test_any_bytes_are_read(data: bytes) -> None:
    found = identity.read(data + b"soc_type=" + data)
    assert len(found.build) < 40
    assert len(found.soc) < 40


@pytest.mark.parametrize("build", [HERE, "2.51.0.260101000000", "2.40.3.250101000000"])
def test_what_this_qairt_or_an_older_one_made_is_taken(build: str) -> None:
    identity.check(Identity(build, "SM8650"), FILE, HERE, socs.find("SM8650"))


@pytest.mark.parametrize(
    "build", ["2.52.0.261010101010", "2.51.1.260929181845", "3.1.0.270101010101", "1.9.0.200101010101"]
)
def test_what_a_newer_qairt_made_is_refused(build: str) -> None:
    with pytest.raises(BackendError) as raised:
        identity.check(Identity(build, "SM8650"), FILE, HERE, socs.find("SM8650"))
    assert raised.value.code == "context-version"
    assert build in raised.value.summary
    assert HERE in raised.value.summary


@pytest.mark.parametrize("made", ["SM8650", "QCS8300", "SM9999"])
def test_what_was_made_for_another_soc_is_refused(made: str) -> None:
    with pytest.raises(BackendError) as raised:
        identity.check(Identity(HERE, made), FILE, HERE, socs.find("SM8750"))
    assert raised.value.code == "context-soc"
    assert made in raised.value.summary
    assert "SM8750 (v79)" in raised.value.summary


def test_names_of_one_soc_are_one() -> None:
    identity.check(Identity(HERE, "SA8255"), FILE, HERE, socs.find("SA8775"))


def test_an_unknown_device_takes_any_soc() -> None:
    identity.check(Identity(HERE, "SM8650"), FILE, HERE, None)


def test_a_binary_without_them_is_damaged() -> None:
    with pytest.raises(ModelError) as raised:
        identity.check(identity.read(bytes(100)), FILE, HERE, None)
    assert raised.value.code == "context-damaged"


@pytest.mark.parametrize(("content", "code"), [(None, "model-missing"), (b"", "context-damaged")])
def test_files_that_cannot_be_read(tmp_path: Path, content: bytes | None, code: str) -> None:
    path = tmp_path / "context.bin"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError) as raised:
        identity.read_file(path)
    assert raised.value.code == code
