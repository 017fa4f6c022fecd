from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile.errors import ModelError
from mlperf_mobile_backend_snpe.qnn import manifest

TENSOR = {"name": "x:0", "compiled": "x_0", "shape": [1, 4], "dtype": "uint8", "scale": 0.5, "zero_point": 3}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model.bin").write_bytes(b"binary")
    manifest.Manifest(
        compiler="C", qnn="2.51.0.1", soc="SM8650", inputs=(manifest.Tensor.model_validate(TENSOR),), outputs=(),
        operations={"ADD": 2}, sha256=manifest.sums(tmp_path / "model.bin"),
    ).write(tmp_path)  # fmt: skip
    return tmp_path


def change(folder: Path, **values: object) -> None:
    path = folder / manifest.NAME
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_it_is_read_back(folder: Path) -> None:
    found = manifest.read(folder)
    assert found is not None
    assert found.operations == {"ADD": 2}
    assert found.sha256 == {"model.bin": hashlib.sha256(b"binary").hexdigest()}
    assert found.inputs[0].spec == TensorSpec("x:0", (1, 4), np.dtype(np.uint8), 0.5, 3)
    assert found.inputs[0].compiled == "x_0"


def test_there_may_be_none(tmp_path: Path) -> None:
    assert manifest.read(tmp_path) is None


@pytest.mark.parametrize(
    "values",
    [
        {"format": 2},
        {"more": 1},
        {"inputs": [TENSOR | {"dtype": "complex64"}]},
        {"inputs": [TENSOR | {"shape": [1, -4]}]},
        {"inputs": [TENSOR | {"shape": [1] * 50}]},
        {"operations": {"ADD": -1}},
        {"batch": 0},
        {"sha256": {"absent.bin": "0"}},
        {"sha256": {"../model.bin": "0"}},
        {"sha256": {"model.bin": "0"}},
    ],
)
def test_a_wrong_manifest_is_reported(folder: Path, values: dict[str, object]) -> None:
    change(folder, **values)
    with pytest.raises(ModelError) as raised:
        manifest.read(folder)
    assert raised.value.code == "context-damaged"


@pytest.mark.parametrize("text", [b"", b"{", b"\xff", b"[]", b" " * (manifest.MAX_BYTES + 1)])
def test_rubbish_is_reported(folder: Path, text: bytes) -> None:
    (folder / manifest.NAME).write_bytes(text)
    with pytest.raises(ModelError) as raised:
        manifest.read(folder)
    assert raised.value.code == "context-damaged"


def test_a_file_that_has_changed_is_reported(folder: Path) -> None:
    (folder / "model.bin").write_bytes(b"binarx")
    with pytest.raises(ModelError, match=r"model\.bin is not the file that was compiled"):
        manifest.read(folder)
