"""What is kept beside a compiled network is read back as it was, or not at all."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mlperf_mobile.contracts import TensorSpec
from mlperf_mobile.errors import MobileError
from mlperf_mobile_backend_neuron import compiled as store
from mlperf_mobile_backend_neuron.compiled import Manifest, TensorRecord
from mlperf_mobile_backend_neuron.restored import check
from mlperf_mobile_backend_neuron.soc import Soc

NETWORK = bytes(range(256))
SPEC = TensorSpec("image", (1, 2, 2, 3), np.dtype(np.uint8), 0.0078125, 128)


@pytest.fixture
def compiled():
    return Manifest(
        kind="adapter", model="net.tflite", version="8.2.26", accelerator="npu", soc="mt6989", devices=("mtk-mdla",),
        sha256=store.digest(NETWORK), inputs=(TensorRecord.of(SPEC, 0),), outputs=(TensorRecord.of(SPEC, 1),),
        operations={"npu": {"CONV_2D": 3, "SOFTMAX": 1}},
    )  # fmt: skip


def test_round_trip(compiled, tmp_path):
    manifest = store.write(tmp_path, compiled, NETWORK)
    again, network = store.read(manifest)
    assert (again, network) == (compiled, NETWORK)
    assert again.inputs[0].spec == SPEC
    assert again.placement.operations == {"npu": 4}


def test_it_can_be_moved(compiled, tmp_path):
    (tmp_path / "a").mkdir()
    store.write(tmp_path / "a", compiled, NETWORK)
    (tmp_path / "a").rename(tmp_path / "b")
    assert store.read(tmp_path / "b" / store.MANIFEST)[1] == NETWORK


def damage_network(folder):
    data = bytearray((folder / store.NETWORK).read_bytes())
    data[17] ^= 1
    (folder / store.NETWORK).write_bytes(data)


def damage_manifest(**changes):
    def damage(folder):
        file = folder / store.MANIFEST
        file.write_text(json.dumps(json.loads(file.read_text()) | changes))

    return damage


DAMAGES = {
    "a bit": damage_network,
    "cut": lambda folder: (folder / store.NETWORK).write_bytes(NETWORK[:100]),
    "no network": lambda folder: (folder / store.NETWORK).unlink(),
    "no manifest": lambda folder: (folder / store.MANIFEST).unlink(),
    "no JSON": lambda folder: (folder / store.MANIFEST).write_bytes(b"\xff\xfe{"),
    "a list": lambda folder: (folder / store.MANIFEST).write_text("[]"),
    "another kind": damage_manifest(kind="pickle"),
    "an object type": damage_manifest(
        inputs=[{"name": "x", "shape": [1], "dtype": "object", "position": 0}],
    ),
    "more": damage_manifest(extra=1),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damage(compiled, tmp_path, damage):
    manifest = store.write(tmp_path, compiled, NETWORK)
    damage(tmp_path)
    with pytest.raises(MobileError) as caught:
        store.read(manifest)
    assert caught.value.code == "network-damaged"


@pytest.mark.parametrize("version", ["8.0.0", "8.9.1"])
def test_the_same_major_version_is_enough(compiled, version):
    check(compiled, version, Soc("mt6989", "5.1"))
    check(compiled, version, None)


@pytest.mark.parametrize("version", ["7.2.26", "9.0.0", "80.2.26"])
def test_another_version(compiled, version):
    with pytest.raises(MobileError) as caught:
        check(compiled, version, Soc("mt6989"))
    assert caught.value.code == "network-version"
    assert "8.2.26" in caught.value.summary
    assert version in caught.value.summary


def test_another_soc(compiled):
    with pytest.raises(MobileError) as caught:
        check(compiled, "8.2.26", Soc("mt6991"))
    assert caught.value.code == "network-soc"
    assert "mt6989" in caught.value.summary
    assert "mt6991" in caught.value.summary


def test_networks_that_do_not_tell(compiled):
    check(compiled.model_copy(update={"version": "", "soc": ""}), "6.0.0", Soc("mt8195"))
