from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from pydantic import ValidationError

from mlperf_mobile.plugin import BackendInfo, Capability
from mlperf_mobile_backend_capi import plugin
from mlperf_mobile_backend_capi.backend import CBackend
from mlperf_mobile_backend_capi.options import COptions

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def offer() -> BackendInfo:
    (info,) = plugin.mlperf_mobile_backends()
    return info


def test_the_offer() -> None:
    info = offer()
    assert (info.name, info.vendor, info.accelerators) == ("capi", "MLCommons", ("npu", "gpu", "cpu"))
    assert {"tflite", "dlc", "dla", "nnc"} <= {*info.model_formats}
    assert info.capabilities == {Capability.BATCH, Capability.QUANTIZED, Capability.TOKEN_STREAM}
    assert info.backend.load() is CBackend
    assert info.options is not None
    assert info.options.load() is COptions
    assert PROJECT["entry-points"] == {"mlperf_mobile": {"capi": plugin.__name__}}


def test_one_library_takes_one_model_at_a_time() -> None:
    assert CBackend(COptions()).shards == 1


def test_every_option_is_described() -> None:
    assert all(field.description for field in COptions.model_fields.values())


def test_settings_become_the_vendors_text() -> None:
    options = COptions.model_validate({"library": "x.so", "custom_settings": {"a": 1, "b": True, "c": False, "d": "x"}})
    assert options.custom_settings == {"a": "1", "b": "true", "c": "false", "d": "x"}


def test_one_shape_needs_no_list() -> None:
    assert COptions.model_validate({"library": "x.so", "inputs": "1x4"}).inputs == ("1x4",)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"library": 5}, "library"),
        ({"library": "x.so", "benchmark": ""}, "benchmark"),
        ({"library": "x.so", "inputs": ["1x"]}, "'1x' is not a shape"),
        ({"library": "x.so", "outputs": "0x4"}, "'0x4' is not a shape"),
        ({"library": "x.so", "custom_settings": {"a": [1]}}, "custom_settings"),
        ({"library": "x.so", "custom_settings": {"a\0": "1"}}, "contains a NUL"),
        ({"library": "x.so", "custom_settings": {"a": "\0"}}, "contains a NUL"),
        ({"library": "x\0.so"}, "contains a NUL"),
        ({"library": "x.so", "native_lib_path": "\0"}, "contains a NUL"),
        ({"benchmark": "x"}, "benchmark needs the option library"),
        ({"libary": "x.so"}, "libary"),
    ],
)
def test_wrong_values_are_named(wrong: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        COptions.model_validate(wrong)
