"""The SoC is found in what devices really say of themselves."""

from __future__ import annotations

import pytest

from mlperf_mobile_backend_neuron import soc


@pytest.mark.parametrize(
    ("text", "name", "mdla"),
    [
        ("MT6989", "mt6989", "5.1"),  # ro.soc.model
        ("mt6991\n", "mt6991", "5.5"),  # ro.hardware
        ("MT6983Z/CZA", "mt6983", "3.0"),  # LiteRT's supported_soc.csv
        (
            "mediatek,mt8395-evk mediatek,mt8395 mediatek,mt8195 ",
            "mt8395",
            "2.0",
        ),  # Linux' device trees
        ("mediatek,mt8390-evk mediatek,mt8390 mediatek,mt8188 ", "mt8390", "3.0"),
        ("mt6895", "mt6895", ""),
    ],
)
def test_names(text, name, mdla):
    assert soc.named(text) == soc.Soc(name, mdla)


@pytest.mark.parametrize("text", ["", "SM8650", "qcom", "tensor", "mt76", "raspberrypi,5-model-b brcm,bcm2712"])
def test_others_are_not_mediatek(text):
    assert soc.named(text) is None


class Device:
    """A machine that has what a test gives it."""

    def __init__(self, tmp_path, monkeypatch):
        self.folder, self.patch = tmp_path, monkeypatch
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setattr(soc, "DEVICE_TREE", (tmp_path / "compatible",))
        monkeypatch.setattr(soc, "SOC_BUS", tmp_path / "soc_id")

    def getprop(self, script):
        program = self.folder / "getprop"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)


@pytest.fixture
def device(tmp_path, monkeypatch):
    return Device(tmp_path, monkeypatch)


def test_unknown(device):
    assert soc.detect() is None


def test_android(device):
    device.getprop('[ "$1" = ro.hardware ] && echo mt6991')
    assert soc.detect() == soc.Soc("mt6991", "5.5")


def test_the_soc_model_comes_first(device):
    device.getprop('case "$1" in ro.soc.model) echo MT6993;; *) echo mt6991;; esac')
    assert soc.detect() == soc.Soc("mt6993", "6.1")


def test_android_of_others(device):
    device.getprop("echo qcom")
    assert soc.detect() is None


def test_a_getprop_that_fails(device):
    device.getprop("exit 1")
    (device.folder / "compatible").write_bytes(b"mediatek,mt8370-evk\0mediatek,mt8370\0mediatek,mt8188\0")
    assert soc.detect() == soc.Soc("mt8370", "3.0")


def test_the_soc_bus(device):
    (device.folder / "soc_id").write_text("MT8195\n")
    assert soc.detect() == soc.Soc("mt8195", "2.0")
