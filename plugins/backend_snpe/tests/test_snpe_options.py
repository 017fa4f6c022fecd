from __future__ import annotations

import mmap
from pathlib import Path

import pytest
from pydantic import ValidationError

from mlperf_mobile_backend_snpe import socs
from mlperf_mobile_backend_snpe.backend import SnpeBackend
from mlperf_mobile_backend_snpe.options import SnpeOptions
from mlperf_mobile_backend_snpe.qnn import litert
from mlperf_mobile_backend_snpe.qnn.provider import provider_options
from mlperf_mobile_backend_snpe.qnn.runtime import Runtime


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"soc_model": "SM865O"}, "SM8650"),
        ({"soc_model": "snapdragon"}, "unknown SoC"),
        ({"soc_model": 12345}, "unknown SoC '12345'"),
        ({"soc_model": "SM8650", "htp_arch": 79}, "has 75"),
        ({"htp_arch": 70}, "htp_arch"),
        ({"soc_model": "SM8350", "vtcm_mb": 8}, "has 4"),
        ({"soc_model": "SM8750", "extended_udma": True}, "needs v81"),
        ({"htp_performance_mode": "turbo"}, "htp_performance_mode"),
        ({"profiling_level": "verbose"}, "profiling_level"),
        ({"htp_graph_finalization_optimization_mode": 4}, "htp_graph_finalization_optimization_mode"),
        ({"qnn_context_priority": "top"}, "qnn_context_priority"),
        ({"rpc_control_latency": -1}, "rpc_control_latency"),
        ({"performance_mode": "burst"}, "performance_mode"),
        ({"litert": {"optimization_level": "O9"}}, "litert.optimization_level"),
        ({"native": {"performance_profile": "warp"}}, "native.performance_profile"),
        ({"shards": 0}, "shards"),
    ],
)
def test_a_wrong_option_is_reported_before_any_sdk_sees_it(options: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        SnpeOptions.model_validate(options)


@pytest.mark.parametrize("text", ["SM8650", "sm8650", " SM8650 ", 57, "57"])
def test_a_soc_is_named_or_numbered(text: object) -> None:
    soc = SnpeOptions.model_validate({"soc_model": text}).soc
    assert soc is not None
    assert (soc.name, soc.number, soc.htp_arch) == ("SM8650", 57, 75)


def test_one_shard_unless_more_are_requested() -> None:
    assert SnpeBackend(SnpeOptions()).shards == 1
    assert SnpeBackend(SnpeOptions.model_validate({"shards": 2})).shards == 2


def fake(folder: Path) -> Runtime:
    return Runtime(None, "provider", folder, {})


EVERYTHING = {
    "soc_model": "SM8850",
    "vtcm_mb": 8,
    "extended_udma": True,
    "profiling_level": "optrace",
    "offload_graph_io_quantization": False,
    "enable_htp_shared_memory_allocator": True,
    "enable_htp_spill_fill_buffer": True,
    "rpc_control_latency": 50,
}


def test_the_options_of_the_provider(tmp_path: Path) -> None:
    options = SnpeOptions.model_validate(EVERYTHING)
    told = provider_options(options, fake(tmp_path), "htp", options.soc, tmp_path / "p.csv")
    assert told == {
        "backend_path": str(tmp_path / "libQnnHtp.so"),
        "device_id": "0",
        "qnn_context_priority": "normal",
        "profiling_level": "optrace",
        "profiling_file_path": str(tmp_path / "p.csv"),
        "offload_graph_io_quantization": "0",
        "htp_performance_mode": "burst",
        "htp_graph_finalization_optimization_mode": "3",
        "rpc_control_latency": "50",
        "enable_htp_shared_memory_allocator": "1",
        "enable_htp_spill_fill_buffer": "1",
        "extended_udma": "1",
        "vtcm_mb": "8",
        "soc_model": "87",
        "htp_arch": "81",
        "enable_htp_fp16_precision": "1",
    }


def test_the_gpu_gets_no_options_of_the_htp(tmp_path: Path) -> None:
    told = provider_options(SnpeOptions(), fake(tmp_path), "gpu", socs.find("SM8650"))
    assert not [name for name in told if "htp" in name or "soc" in name]
    assert told["backend_path"].endswith("libQnnGpu.so")


def test_the_cpu_needs_no_provider_without_its_library(tmp_path: Path) -> None:
    assert provider_options(SnpeOptions(), fake(tmp_path), "cpu", None) == {}
    (tmp_path / "libQnnCpu.so").touch()
    assert provider_options(SnpeOptions(), fake(tmp_path), "cpu", None)["backend_path"].endswith("libQnnCpu.so")


def words(path: Path, names: list[str]) -> list[str]:
    """Those of ``names`` that a binary does not hold."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return [name for name in names if data.find(name.encode()) < 0]


def test_the_provider_knows_the_options_names(simulator: Runtime, tmp_path: Path) -> None:
    """It ignores those that it does not know, so that a misspelt one would do nothing."""
    options = SnpeOptions.model_validate(EVERYTHING)
    names = [*provider_options(options, simulator, "htp", options.soc, tmp_path / "p.csv")]
    modes = SnpeOptions.model_json_schema()["properties"]["htp_performance_mode"]["enum"]
    provider = simulator.folder / "libonnxruntime_providers_qnn.so"
    assert words(provider, names + modes) == []
    assert words(provider, ["no_such_option"]) == ["no_such_option"]


def test_litert_knows_the_flags_names(compiler: None) -> None:
    names = [flag.split("=")[0].removeprefix("--") for flag in litert.flags(SnpeOptions())]
    assert len(names) == 9
    assert words(litert.find().program, names) == []
