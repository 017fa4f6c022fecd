"""The stand-in for libGenie.so, and models for it."""

from __future__ import annotations

import ctypes
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from mlperf_mobile.config.model_folder import files_of
from mlperf_mobile.contracts import Artifact
from mlperf_mobile.testing.c_library import compile_c
from mlperf_mobile_backend_snpe.genie.backend import GenieBackend
from mlperf_mobile_backend_snpe.genie.options import GenieOptions
from mlperf_mobile_backend_snpe.genie.session import GenieSession

Bundle = Callable[..., Path]
Load = Callable[..., GenieSession]


def configuration(context: int = 64) -> dict[str, Any]:
    """A configuration with the entries of a published one, a sampler with temperature, and ends of its own."""
    return {
        "dialog": {
            "version": 1,
            "type": "basic",
            "stop-sequence": ["\n\n"],
            "max-num-tokens": 3,
            "context": {"version": 1, "size": context, "n-vocab": 640, "bos-token": 1, "eos-token": [2, 7]},
            "sampler": {"version": 1, "seed": 42, "temp": 0.8, "top-k": 40, "top-p": 0.95},
            "tokenizer": {"version": 1, "path": "tokenizer.json"},
            "engine": {
                "version": 1,
                "n-threads": 3,
                "backend": {
                    "version": 1,
                    "type": "QnnHtp",
                    "QnnHtp": {"version": 1, "use-mmap": True, "cpu-mask": "0xe0", "poll": True, "kv-dim": 128},
                    "extensions": "{{MODEL_DIR}}/htp_backend_ext_config.json",
                },
                "model": {
                    "version": 1,
                    "type": "binary",
                    "binary": {"version": 1, "ctx-bins": ["parts/1_of_2.bin", "parts/2_of_2.bin"]},
                    "positional-encoding": {"type": "rope", "rope-dim": 64, "rope-theta": 500000},
                },
            },
        }
    }


def changed(document: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """``changed(document, {"dialog.type": "spd", "dialog.sampler": None})``: with other entries; None for without."""
    for where, value in changes.items():
        *parents, last = where.split(".")
        place = document
        for each in parents:
            place = place[each]
        if value is None:
            del place[last]
        else:
            place[last] = value
    return document


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_c(tmp_path_factory.mktemp("genie") / "libGenie.so", Path(__file__).with_name("genie_stand_in.c"))


@pytest.fixture
def library(built: Path) -> Iterator[Path]:
    """The stand-in library; at the end, all handles are given back, and none was misused."""
    stand_in = ctypes.CDLL(str(built))
    live, violations = stand_in.genie_stand_in_live(), stand_in.genie_stand_in_violations()
    yield built
    assert stand_in.genie_stand_in_violations() == violations
    assert stand_in.genie_stand_in_live() == live


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    """``bundle(fault="silent", ids=(3, 4), context=64, changes={"dialog.type": "spd"})``: a model's folder."""

    def write(
        name: str = "model", fault: str = "", ids: tuple[int, ...] = (), context: int = 64,
        changes: Mapping[str, Any] | None = None,
    ) -> Path:  # fmt: skip
        folder = tmp_path / name
        (folder / "parts").mkdir(parents=True)
        document = changed(configuration(context), changes or {})
        (folder / "genie_config.json").write_text(json.dumps(document, indent=2), encoding="utf-8")
        (folder / "tokenizer.json").write_text("{}", encoding="utf-8")
        extensions = {"devices": [{"soc_model": 57, "dsp_arch": "v75", "cores": [{"perf_profile": "burst"}]}]}
        (folder / "htp_backend_ext_config.json").write_text(json.dumps(extensions), encoding="utf-8")
        lines = ["genie-stand-in 1", *([f"fault {fault}"] if fault else [])]
        lines += [f"ids {' '.join(map(str, ids))}"] if ids else []
        (folder / "parts" / "1_of_2.bin").write_text("\n".join((*lines, "")), encoding="utf-8")
        (folder / "parts" / "2_of_2.bin").write_text("more weights", encoding="utf-8")
        return folder

    return write


def artifact_of(folder: Path, accelerator: str = "htp") -> Artifact:
    """What the core passes to the backend for the model in a folder."""
    files = files_of(folder, "a test")
    return Artifact(folder / "genie_config.json", accelerator, tokens=True, files=files)


@pytest.fixture
def load(library: Path, bundle: Bundle) -> Load:
    """``load(fault="silent")``: a session of a new model of the stand-in."""

    def load(**about: Any) -> GenieSession:
        return GenieBackend(GenieOptions(library=str(library))).load(artifact_of(bundle(**about)))

    return load
