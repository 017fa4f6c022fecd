"""Options are checked before anything reaches the SDK."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from mlperf_mobile.errors import BackendError, UsageError
from mlperf_mobile_backend_snpe.native import abi
from mlperf_mobile_backend_snpe.native.options import NativeOptions
from mlperf_mobile_backend_snpe.native.placement import placement, runtimes


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"performance_profile": "turbo"}, "performance_profile"),
        ({"runtime_order": ["npu"]}, "runtime_order"),
        ({"runtime_order": ["dsp", "dsp"]}, "twice"),
        ({"output_tensors": ["a"], "output_layers": ["b"]}, "exclude each other"),
        ({"output_tensors": ["a,b"]}, "output_tensors"),
        ({"output_tensors": ["--help"]}, "output_tensors"),
        ({"profiling_level": "basic"}, "need each other"),
        ({"profiling_directory": "/tmp/x"}, "need each other"),
        ({"init_cache": True, "htp_socs": ["sm8650"]}, "omit one"),
        ({"htp_dlbc": True}, "need htp_socs"),
        ({"htp_socs": ["sm8650;rm"]}, "htp_socs"),
        ({"platform_options": "unsigned PD"}, "platform_options"),
        ({"net_run_inputs": {"../x": [1, 4]}}, "net_run_inputs"),
        ({"net_run_outputs": {"a/../../x": [1, 4]}}, "not valid as the file name"),
        ({"net_run_outputs": {"/etc/x": [1, 4]}}, "net_run_outputs"),
        ({"net_run_outputs": {"y": [0, 4]}}, "net_run_outputs"),
        ({"net_run_outputs": {"y": [65536, 65536]}}, "elements"),
        ({"net_run_timeout_s": 0}, "net_run_timeout_s"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_what_cannot_be_is_refused(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        NativeOptions.model_validate(given)


def test_every_name_has_a_number() -> None:
    """The names that options take are those of the enumerations."""
    schema = NativeOptions.model_json_schema()["properties"]
    assert set(schema["performance_profile"]["enum"]) == set(abi.PERFORMANCE_PROFILES)
    assert set(schema["profiling_level"]["enum"]) == set(abi.PROFILING_LEVELS)
    assert set(schema["execution_priority"]["enum"]) == set(abi.PRIORITIES)
    assert set(schema["runtime_order"]["items"]["enum"]) == set(abi.RUNTIMES)
    assert set(schema["log_level"]["anyOf"][0]["enum"]) == set(abi.LOG_LEVELS)


@pytest.mark.parametrize(
    ("accelerator", "given", "order"),
    [
        ("htp", {}, ("dsp",)),
        ("gpu", {}, ("gpu",)),
        ("cpu", {}, ("cpu",)),
        ("htp", {"cpu_fallback": True}, ("dsp", "cpu")),
        ("cpu", {"cpu_fallback": True}, ("cpu",)),
        ("htp", {"runtime_order": ["aip", "gpu"]}, ("aip", "gpu")),
        ("gpu", {"runtime_order": ["gpu_float16"], "cpu_fallback": True}, ("gpu_float16", "cpu")),
    ],
)
def test_the_accelerator_gives_the_order(accelerator: str, given: dict[str, Any], order: tuple[str, ...]) -> None:
    assert runtimes(NativeOptions.model_validate(given), accelerator) == order


def test_an_order_of_another_accelerator_is_refused() -> None:
    with pytest.raises(UsageError, match="runtime_order prefers gpu") as caught:
        runtimes(NativeOptions(runtime_order=("gpu", "cpu")), "htp")
    assert caught.value.code == "runtime-order"
    with pytest.raises(BackendError, match="no accelerator 'npu'"):
        runtimes(NativeOptions(), "npu")


def test_the_place_is_known_only_of_a_single_runtime() -> None:
    assert placement(("dsp",)).operations == {"htp": 1}
    assert placement(("gpu_float16",)).operations == {"gpu": 1}
    split = placement(("dsp", "cpu"))
    assert split.operations == {"unknown": 1}
    assert "dsp and cpu" in next(iter(split.names["unknown"]))
